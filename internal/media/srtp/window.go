package srtp

const (
	windowWords = 16
	windowBits  = 64 * windowWords
	// reach is how far behind the newest packet a fresh one may be: one word
	// less, since moving on clears whole words.
	reach = windowBits - 64
)

// Window follows the packet index of one stream: it estimates the rollover
// counter (RFC 3711 3.3.1, appendix A) and knows which packets came. The zero
// value is a stream that has not begun.
type Window struct {
	top     uint64 // greatest index accepted
	started bool
	bits    [windowWords]uint64
}

// Started tells whether a packet was accepted.
func (w *Window) Started() bool { return w.started }

// Top returns the greatest index accepted.
func (w *Window) Top() uint64 { return w.top }

// Index estimates the full index of a sequence number.
func (w *Window) Index(seq uint16) uint64 {
	if !w.started {
		return uint64(seq)
	}
	index := w.top&^0xffff | uint64(seq)
	switch diff := int32(seq) - int32(uint16(w.top)); {
	case diff > 1<<15 && index >= 1<<16:
		return index - 1<<16
	case diff > 1<<15: // nothing before rollover 0
		return index
	case diff < -(1 << 15):
		return index + 1<<16
	}
	return index
}

// Fresh tells whether index is new and not too old to know.
func (w *Window) Fresh(index uint64) bool {
	if !w.started || index > w.top {
		return true
	}
	return w.top-index < reach && w.bits[index/64%windowWords]&(1<<(index%64)) == 0
}

// Accept notes a packet that proved right. Only fresh ones may be accepted.
func (w *Window) Accept(index uint64) {
	switch {
	case !w.started:
		*w = Window{top: index, started: true}
	case index > w.top:
		from, to := w.top/64, index/64
		for i := from + 1; i <= to && i <= from+windowWords; i++ {
			w.bits[i%windowWords] = 0
		}
		w.top = index
	}
	w.bits[index/64%windowWords] |= 1 << (index % 64)
}
