// Package cache keeps the last packets of one stream, decrypted, for receivers
// that lost some: one copy serves all of them. A packet is found by its index,
// the sequence number that never wraps. A cache is owned by one goroutine; it
// allocates while it grows to its bounds, and never after.
package cache

import "time"

// Room is how many bytes before a payload belong to the reader: enough for the
// original sequence number of a retransmission (RFC 4588 4).
const Room = 2

const (
	firstBytes = 16 << 10
	maxPacket  = 1 << 15
)

// Cache is a ring of packets, bounded by their number and by their bytes.
type Cache struct {
	slots  []slot // by the low bits of the index
	buf    []byte
	most   int    // bytes
	head   uint64 // bytes ever written; the place in buf is the rest by its length
	newest uint64 // index
}

type slot struct {
	index  uint64
	at     uint64 // as of head
	when   time.Duration
	header uint16 // bytes
	size   uint16 // bytes with header and room; 0 when empty
}

// Packet is a packet of the cache. It may be written to, and is valid until
// the next Put.
type Packet struct {
	Header  []byte
	Payload []byte
	// Roomy is the payload with Room bytes before it, for use as a payload.
	Roomy []byte
	When  time.Duration // it was put
}

// New returns a cache of up to so many packets, rounded up to a power of two,
// and bytes.
func New(packets, bytes int) *Cache {
	n := 1
	for n < packets {
		n *= 2
	}
	return &Cache{slots: make([]slot, n), most: max(bytes, maxPacket)}
}

// Put copies a packet into the cache and tells whether it is there: not when
// it is older than what the cache holds, or too long. It replaces what has its
// index.
func (c *Cache) Put(index uint64, header, payload []byte, now time.Duration) bool {
	size := len(header) + Room + len(payload)
	n := uint64(len(c.slots))
	if size > maxPacket || index+n <= c.newest {
		return false
	}
	at := c.reserve(size)
	b := c.buf[at:][:size]
	copy(b, header)
	copy(b[len(header)+Room:], payload)
	c.slots[index&(n-1)] = slot{index, c.head - uint64(size), now, uint16(len(header)), uint16(size)}
	c.newest = max(c.newest, index)
	return true
}

// reserve returns where the next size bytes go, over the oldest ones.
func (c *Cache) reserve(size int) int {
	if end := int(min(c.head, uint64(c.most))) + size; end > len(c.buf) && len(c.buf) < c.most {
		grown := make([]byte, min(max(2*len(c.buf), end, firstBytes), c.most))
		copy(grown, c.buf) // head has not wrapped yet: places stay
		c.buf = grown
	}
	at := int(c.head % uint64(len(c.buf)))
	if at+size > len(c.buf) {
		c.head += uint64(len(c.buf) - at)
		at = 0
	}
	c.head += uint64(size)
	return at
}

// Get returns the packet with an index; ok is false when it is not there.
func (c *Cache) Get(index uint64) (p Packet, ok bool) {
	s := &c.slots[index&uint64(len(c.slots)-1)]
	if s.size == 0 || s.index != index || c.head-s.at > uint64(len(c.buf)) {
		return p, false
	}
	b := c.buf[s.at%uint64(len(c.buf)):][:s.size:s.size]
	return Packet{
		Header: b[:s.header:s.header], Roomy: b[s.header:], Payload: b[int(s.header)+Room:], When: s.when,
	}, true
}

// Has tells whether a packet is there.
func (c *Cache) Has(index uint64) bool {
	_, ok := c.Get(index)
	return ok
}

// Bytes returns how much memory the packets take.
func (c *Cache) Bytes() int { return len(c.buf) }

// Clear forgets all packets and keeps the memory.
func (c *Cache) Clear() {
	clear(c.slots)
	c.newest = 0
}
