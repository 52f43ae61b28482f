package bwe

import (
	"time"
	"unsafe"
)

const (
	leastHistory = 256 // packets
	mostHistory  = 4096
	// reorder is how much later than its successors a packet may come and
	// not count as lost: receivers correct what they told.
	reorder = 150 * time.Millisecond
)

// What is known of a packet.
const (
	unknown = iota
	missed
	came
)

// sent is a packet that was sent.
type sent struct {
	micros uint32 // of the time, wrapping
	size   uint16 // 0 when there was none
	probe  uint8
	state  uint8
}

// at returns when the packet was sent, a while before now.
func (p *sent) at(now time.Duration) time.Duration {
	return now - time.Duration(uint32(now/time.Microsecond)-p.micros)*time.Microsecond - now%time.Microsecond
}

// history remembers the last packets sent.
type history struct {
	ring    []sent
	first   int64 // number; what is before was never sent
	next    int64
	settled int64 // first number not yet counted as lost or not
}

// add notes a packet and returns its number that does not wrap.
func (h *history) add(seq uint16, size int, probe uint8, now time.Duration, mayGrow bool) (n int64, ok bool) {
	if h.ring == nil {
		h.ring = make([]sent, leastHistory)
		h.first = int64(seq)
		h.next, h.settled = h.first, h.first
	}
	n = h.next + int64(int16(seq-uint16(h.next)))
	if n < h.next {
		return 0, false
	}
	if n-h.next >= int64(len(h.ring)) { // a gap that nothing is known of
		h.next, h.first, h.settled = n, n, n
	}
	if n-h.settled >= int64(len(h.ring)) {
		if mayGrow && len(h.ring) < mostHistory {
			h.grow()
		} else {
			h.settled = n - int64(len(h.ring)) + 1
		}
	}
	mask := int64(len(h.ring) - 1)
	for ; h.next < n; h.next++ {
		h.ring[h.next&mask] = sent{}
	}
	h.ring[n&mask] = sent{
		micros: uint32(now / time.Microsecond), size: uint16(min(max(size, 1), 1<<16-1)), probe: probe,
	}
	h.next = n + 1
	return n, true
}

// last returns when the newest packet was sent, a while before now; there is
// one.
func (h *history) last(now time.Duration) time.Duration {
	return h.ring[(h.next-1)&int64(len(h.ring)-1)].at(now)
}

// place returns where the next packet goes, if it has the next number.
func (h *history) place() unsafe.Pointer {
	if len(h.ring) == 0 {
		return nil
	}
	return unsafe.Pointer(&h.ring[h.next&int64(len(h.ring)-1)])
}

func (h *history) grow() {
	ring := make([]sent, 2*len(h.ring))
	for n := max(h.first, h.next-int64(len(h.ring))); n < h.next; n++ {
		ring[n&int64(len(ring)-1)] = h.ring[n&int64(len(h.ring)-1)]
	}
	h.ring = ring
}

// forget lets what was sent before count as never sent.
func (h *history) forget() { h.first, h.settled = h.next, h.next }

// find returns a packet, or nil when it is not remembered.
func (h *history) find(seq uint16) (n int64, p *sent) {
	last := h.next - 1
	n = last - int64(uint16(last)-seq)
	if n < h.first || n <= last-int64(len(h.ring)) || h.ring == nil {
		return 0, nil
	}
	if p = &h.ring[n&int64(len(h.ring)-1)]; p.size == 0 {
		return 0, nil
	}
	return n, p
}

// settle counts the packets that came or got lost, as far as that will not
// change any more. What no feedback spoke of counts as neither.
func (h *history) settle(newest int64, newestAt, now time.Duration) (lost, total int) {
	for ; h.settled < newest; h.settled++ {
		p := &h.ring[h.settled&int64(len(h.ring)-1)]
		if p.size == 0 {
			continue
		}
		if newestAt-p.at(now) < reorder {
			break
		}
		switch p.state {
		case came:
			total++
		case missed:
			total++
			lost++
		}
	}
	return lost, total
}
