package directory

import "sync"

// cache keeps copies of rows. A value read while something was dropped is not
// kept, because it may be from before the change.
type cache[K comparable, V any] struct {
	size  int // immutable
	mu    sync.Mutex
	rows  map[K]V // guarded by mu
	drops uint64  // guarded by mu
}

func newCache[K comparable, V any](size int) *cache[K, V] {
	return &cache[K, V]{size: size, rows: map[K]V{}}
}

// load returns the values of keys and asks read for those that it does not
// have; keys that read does not know either are missing from the result.
func (c *cache[K, V]) load(keys []K, read func([]K) (map[K]V, error)) (map[K]V, error) {
	found := make(map[K]V, len(keys))
	var missing []K
	c.mu.Lock()
	before := c.drops
	for _, k := range keys {
		if v, ok := c.rows[k]; ok {
			found[k] = v
		} else {
			missing = append(missing, k)
		}
	}
	c.mu.Unlock()
	if len(missing) == 0 {
		return found, nil
	}
	fresh, err := read(missing)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, v := range fresh {
		found[k] = v
		if before == c.drops {
			c.keep(k, v)
		}
	}
	return found, nil
}

// one is load of a single key that read always finds a value for.
func (c *cache[K, V]) one(key K, read func() (V, error)) (V, error) {
	found, err := c.load([]K{key}, func([]K) (map[K]V, error) {
		v, err := read()
		return map[K]V{key: v}, err
	})
	return found[key], err
}

// keep enters a value; a full cache forgets any other one. mu is held.
func (c *cache[K, V]) keep(k K, v V) {
	if len(c.rows) >= c.size {
		for old := range c.rows {
			delete(c.rows, old)
			break
		}
	}
	c.rows[k] = v
}

// drop forgets keys after their rows were written.
func (c *cache[K, V]) drop(keys ...K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops++
	for _, k := range keys {
		delete(c.rows, k)
	}
}
