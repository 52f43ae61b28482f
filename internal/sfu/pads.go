package sfu

const maxPads = 16 // that are told apart for packets that come late

// pads takes packets that nobody gets, as those of only padding with which
// engines look for room, out of a source's numbers: receivers would count them
// as lost.
type pads struct {
	began bool
	top   uint64          // greatest index that came
	n     uint64          // packets taken out
	last  [maxPads]uint64 // the newest of them, a ring
}

// drop takes an index out. After a later packet it stays a gap, since the
// numbers after it are in use.
func (p *pads) drop(index uint64) {
	if p.began && index < p.top {
		return
	}
	p.began, p.top = true, index
	p.last[p.n%maxPads] = index
	p.n++
}

// number returns an index without those taken out before it; ok is false for
// one from so long ago that this is not known.
func (p *pads) number(index uint64) (out uint64, ok bool) {
	p.began, p.top = true, max(p.top, index)
	for after := range min(p.n, maxPads) {
		if p.last[(p.n-1-after)%maxPads] < index {
			return index - p.n + after, true
		}
	}
	if p.n > maxPads {
		return 0, false
	}
	return index, true
}
