package mtproto

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotd/td/crypto"
	"golang.org/x/time/rate"

	"parley/internal/rpc"
)

// maxTombs bounds how many dropped sessions are remembered; above it any one
// is forgotten.
const maxTombs = 1 << 16

// authKey is a key in memory: a permanent one while it is used, a temporary
// one until it expires.
type authKey struct {
	id      int64         // immutable
	value   crypto.Key    // immutable
	temp    bool          // immutable
	expires time.Time     // immutable, of a temporary key
	dc      int           // immutable: the data centre the client dialled, 0 if unknown
	limiter *rate.Limiter // immutable
	salts   salts

	layer   atomic.Int32            // last declared, of a permanent key
	storing atomic.Bool             // the layer is being stored
	perm    atomic.Pointer[authKey] // what a temporary key is bound to
	gone    atomic.Bool             // dropped; to be looked up again

	// Guarded by the registry's mutex.
	refs     int // connections, sessions and temporary keys that use it
	sessions map[int64]*session
	temps    []*authKey // bound to it, oldest first
}

func newAuthKey(id int64, value [256]byte, salt int64, limits Limits) *authKey {
	k := &authKey{
		id: id, value: value, limiter: rate.NewLimiter(rate.Limit(limits.Rate), 10*limits.Rate),
		sessions: map[int64]*session{},
	}
	k.salts.key, k.salts.first = &k.value, salt
	return k
}

// newPermKey returns a stored key.
func newPermKey(key rpc.Key, limits Limits) *authKey {
	k := newAuthKey(key.ID, key.Value, key.Salt, limits)
	k.dc = key.DC
	k.layer.Store(int32(key.Layer))
	k.salts.until = key.Created.Add(firstSaltTime)
	return k
}

// principal returns the permanent key that sign-ins belong to, nil for a
// temporary key that is not bound.
func (k *authKey) principal() *authKey {
	if k.temp {
		return k.perm.Load()
	}
	return k
}

type sessionID struct{ key, session int64 }

// tomb is what is left of a dropped session: no message up to the id highest
// may open it again.
type tomb struct {
	highest int64
	until   time.Time
}

// registry knows the keys in use and their sessions.
type registry struct {
	limits Limits // immutable

	mu    sync.Mutex
	keys  map[int64]*authKey // guarded by mu
	temps int                // guarded by mu: temporary ones among keys
	tombs map[sessionID]tomb // guarded by mu
}

func newRegistry(limits Limits) registry {
	return registry{limits: limits, keys: map[int64]*authKey{}, tombs: map[sessionID]tomb{}}
}

// use returns the key id for use, loading it if need be; nil when it is
// unknown. The caller releases it.
func (r *registry) use(ctx context.Context, keys rpc.Keys, id int64) (*authKey, error) {
	if k := r.acquire(id); k != nil {
		return k, nil
	}
	stored, err := keys.LoadKey(ctx, id)
	switch {
	case errors.Is(err, rpc.ErrNoKey):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("load key: %w", err)
	}
	return r.adopt(newPermKey(stored, r.limits)), nil
}

func (r *registry) acquire(id int64) *authKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.keys[id]
	if k == nil || k.temp && !time.Now().Before(k.expires) {
		return nil
	}
	k.refs++
	return k
}

// adopt keeps k, or returns the key of the same id that is kept already.
func (r *registry) adopt(k *authKey) *authKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.keys[k.id]; known != nil {
		k = known
	} else {
		r.keys[k.id] = k
	}
	k.refs++
	return k
}

// addTemp keeps a temporary key until it expires.
func (r *registry) addTemp(k *authKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys[k.id] != nil || r.temps >= r.limits.TempKeys && !r.evictTemp() {
		return false
	}
	r.keys[k.id] = k
	r.temps++
	return true
}

// evictTemp forgets any one temporary key that no connection and no session
// uses, if there is one: its owner makes another. It runs under mu.
func (r *registry) evictTemp() bool {
	for _, k := range r.keys {
		if k.temp && k.refs == 0 {
			r.dropTemp(k)
			return true
		}
	}
	return false
}

// knows tells whether a key of that id is in memory.
func (r *registry) knows(id int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys[id] != nil
}

func (r *registry) release(k *authKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unref(k)
}

// unref is release under mu.
func (r *registry) unref(k *authKey) {
	k.refs--
	if k.refs == 0 && !k.temp && r.keys[k.id] == k {
		delete(r.keys, k.id)
	}
}

// session returns a session of k, nil if there is none.
func (r *registry) session(k *authKey, id int64) *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return k.sessions[id]
}

// open keeps s, or returns the session of the same id that is kept already,
// and the session that had to give way. It returns nil when the message id
// was meant for a session dropped before.
func (r *registry) open(s *session, message int64) (kept, evicted *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := s.key
	if known := k.sessions[s.id]; known != nil {
		return known, nil
	}
	if t, ok := r.tombs[sessionID{k.id, s.id}]; ok {
		if message <= t.highest {
			return nil, nil
		}
		s.in.floor = t.highest
	}
	if len(k.sessions) >= r.limits.Sessions {
		evicted = leastUsed(k.sessions)
	}
	k.sessions[s.id] = s
	k.refs++
	return s, evicted
}

// leastUsed returns the session that has been without a connection longest,
// or else the one that has been silent longest.
func leastUsed(sessions map[int64]*session) *session {
	var found *session
	for _, s := range sessions {
		if found == nil || lessUsed(s, found) {
			found = s
		}
	}
	return found
}

func lessUsed(a, b *session) bool {
	idleA, idleB := a.idle.Load(), b.idle.Load()
	if (idleA == 0) != (idleB == 0) {
		return idleA != 0
	}
	if idleA != 0 {
		return idleA < idleB
	}
	return a.heard.Load() < b.heard.Load()
}

// remove forgets s, whose highest message id is given, and tells whether it was kept.
func (r *registry) remove(s *session, highest int64) bool {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.key.sessions[s.id] != s {
		return false
	}
	delete(s.key.sessions, s.id)
	if until := idTime(highest).Add(tooOld + tooNew); now.Before(until) {
		if len(r.tombs) >= maxTombs {
			for id := range r.tombs {
				delete(r.tombs, id)
				break
			}
		}
		r.tombs[sessionID{s.key.id, s.id}] = tomb{highest: highest, until: until}
	}
	r.unref(s.key)
	return true
}

// bind binds temp to perm, of which the caller holds a use that temp takes
// over. It returns the sessions of a temporary key that has to give way, and
// whether temp may be bound.
func (r *registry) bind(temp, perm *authKey) ([]*session, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch temp.perm.Load() {
	case nil:
	case perm:
		r.unref(perm)
		return nil, true
	default:
		r.unref(perm)
		return nil, false
	}
	temp.perm.Store(perm)
	perm.temps = append(perm.temps, temp)
	if len(perm.temps) <= r.limits.BoundKeys {
		return nil, true
	}
	return r.dropTemp(perm.temps[0]), true
}

// dropTemp forgets a temporary key and returns its sessions. It runs under mu.
func (r *registry) dropTemp(k *authKey) []*session {
	if r.keys[k.id] != k {
		return nil
	}
	k.gone.Store(true)
	delete(r.keys, k.id)
	r.temps--
	if perm := k.perm.Load(); perm != nil {
		if i := slices.Index(perm.temps, k); i >= 0 {
			perm.temps = slices.Delete(perm.temps, i, i+1)
		}
		r.unref(perm)
	}
	return sessionsOf(k)
}

func sessionsOf(k *authKey) []*session {
	all := make([]*session, 0, len(k.sessions))
	for _, s := range k.sessions {
		all = append(all, s)
	}
	return all
}

// drop forgets the key id and the temporary keys bound to it, and returns their sessions.
func (r *registry) drop(id int64) []*session {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.keys[id]
	if k == nil {
		return nil
	}
	if k.temp {
		return r.dropTemp(k)
	}
	all := sessionsOf(k)
	k.refs++ // keep it while the temporary keys let go of it
	for _, temp := range slices.Clone(k.temps) {
		all = append(all, r.dropTemp(temp)...)
	}
	k.gone.Store(true)
	delete(r.keys, id)
	k.refs--
	return all
}

// dropTempsExcept forgets the temporary keys bound to perm, but for those kept.
func (r *registry) dropTempsExcept(perm *authKey, keep func(id int64) bool) []*session {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*session
	for _, temp := range slices.Clone(perm.temps) {
		if !keep(temp.id) {
			all = append(all, r.dropTemp(temp)...)
		}
	}
	return all
}

// sweep forgets expired keys and returns their sessions and those that have
// been without a connection since before the given time.
func (r *registry) sweep(now, before time.Time) []*session {
	r.mu.Lock()
	defer r.mu.Unlock()
	var old []*session
	for _, k := range r.keys {
		if k.temp && !now.Before(k.expires) {
			old = append(old, r.dropTemp(k)...)
			continue
		}
		for _, s := range k.sessions {
			if idle := s.idle.Load(); idle != 0 && idle < before.UnixNano() {
				old = append(old, s)
			}
		}
	}
	for id, t := range r.tombs {
		if !now.Before(t.until) {
			delete(r.tombs, id)
		}
	}
	return old
}

// all returns every session.
func (r *registry) all() []*session {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*session
	for _, k := range r.keys {
		all = append(all, sessionsOf(k)...)
	}
	return all
}

func (r *registry) count() (keys, sessions int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.keys {
		sessions += len(k.sessions)
	}
	return len(r.keys), sessions
}
