package sfu

import "time"

const (
	upAfter    = 3 * time.Second  // since a receiver got less for lack of room,
	upMost     = 12 * time.Second // and twice as long, up to this, when it had got more
	upProven   = 6 * time.Second  // less long ago than this
	upFactor   = 6                // fifths of a higher layer's rate that have to be there
	keepShare  = 5                // part of the room that what is shown already may be too much
	breakAt    = 3                // times the room, from which on a layer is broken off
	breakLoss  = 0.05             // share of packets, from which on any that is too much is
	rampTime   = 3 * time.Second  // of a new view, in which probes find room for it
	wantMore   = 5                // quarters of what is wanted: what probes look for
	wantTwice  = 8                // the same, where the receiver's own estimate falls when more comes suddenly
	firstLeast = 2                // part of its rate that the first video needs,
	firstSmall = 150e3            // unless it needs no more than this
	// A first video that had no room after all is not tried again for so long,
	// twice as long each time, unless there is room for all of it: it takes the
	// room of sound.
	doubtFirst = 5 * time.Second
	doubtMost  = time.Minute
)

// allotment is what the last plan gave a receiver, and how that went.
type allotment struct {
	planned int           // bits per second, for what it gets
	spare   int           // that this may be too much
	limited bool          // it gets less than it wants
	used    int           // the estimate as of the plan
	fell    time.Duration // when it got less for the last time
	raised  time.Duration // when it got more for the last time since; 0 = not yet
	calm    time.Duration // how long after fell it does not get more
	doubt   time.Duration // how long a first video is not tried after it failed
	doubted time.Duration // until then
}

// allocate chooses the layers that a connection gets: those on stage as high
// as there is room, then all others at their lowest, then those higher
// (media.md 7.2).
func (sh *shard) allocate(c *conn) {
	p := c.path
	if p == nil {
		return
	}
	room := p.budget(sh.now)
	p.spare = room / keepShare
	left, want, first := room, 0, true
	for _, stage := range [...]bool{true, false} {
		for _, w := range c.views {
			if w == nil || w.stage != stage {
				continue
			}
			w.chosen = nil
			w.ideal = sh.bearable(w)
			if w.ideal == nil {
				continue
			}
			want += w.ideal.cost(sh.now)
			if low := w.video.lowest(); sh.affords(w, low, left, first) {
				w.chosen = low
				left -= low.cost(sh.now)
			}
			first = false
			for higher := stage; higher; {
				higher = sh.raise(w, &left)
			}
		}
	}
	for again := true; again; {
		again = false
		for _, w := range c.views {
			if w != nil && !w.stage && sh.raise(w, &left) {
				again = true
			}
		}
	}
	p.planned, p.limited, p.used = room-left, false, p.rate(sh.now)
	for _, w := range c.views {
		if w != nil {
			sh.choose(w, room)
		}
	}
	more := int64(wantMore)
	if p.limited && p.estimate.Own() {
		more = wantTwice
	}
	p.estimate.Want(int64(want+p.beside()) * more / 4)
}

// affords tells whether there is room for a view's lowest layer.
func (sh *shard) affords(w *view, low *layer, left int, first bool) bool {
	cost := low.cost(sh.now)
	switch {
	case w.target != nil && sh.now-w.shown < rampTime:
		return true // what it takes was not known, and the estimate follows
	case w.target == nil && w.began && !first:
		cost += cost * (upFactor - 5) / 5
	}
	p := w.conn.path
	trust := first && (w.target != nil || sh.now >= p.doubted)
	if trust && (cost <= firstLeast*left || cost <= firstSmall && cost <= firstLeast*p.rate(sh.now)) {
		return true
	}
	return cost <= left+w.slack(low)
}

// slack returns how much too much a layer may be: estimates waver, and what is
// shown should not.
func (w *view) slack(l *layer) int {
	if w.target == nil || w.target.rank < l.rank {
		return 0
	}
	return w.conn.path.spare
}

// raise gives a view the next higher layer if there is room for it.
func (sh *shard) raise(w *view, left *int) bool {
	if w.chosen == nil || w.chosen.rank >= w.ideal.rank {
		return false
	}
	var next *layer
	for _, l := range w.video.layers[w.chosen.rank+1:] {
		if l.live {
			next = l
			break
		}
	}
	need := next.cost(sh.now)
	more := need - w.chosen.cost(sh.now)
	if w.target == nil || next.rank > w.target.rank {
		if p := w.conn.path; p.fell != 0 && sh.now-p.fell < p.calm {
			return false
		}
		more += need * (upFactor - 5) / 5
	}
	if more > *left+w.slack(next) {
		return false
	}
	*left -= need - w.chosen.cost(sh.now)
	w.chosen = next
	return true
}

// choose lets a view change to the layer chosen for it, with the layer's next
// key frame, or stop. What is far beyond the room stops at once.
func (sh *shard) choose(w *view, room int) {
	l, p := w.chosen, w.conn.path
	if w.ideal != nil && (l == nil || l.rank < w.ideal.rank) {
		p.limited = true
		if w.target != nil && w.target.live && (l == nil || l.rank < w.target.rank) && w.ideal.rank >= w.target.rank {
			p.fall(sh.now)
		}
	}
	if l == nil && w.ideal != nil && w.target != nil {
		p.failed(sh.now-w.shown, sh.now)
	}
	if l == nil || w.layer != nil && (!w.layer.live || w.layer != l && p.breaks(w.layer.cost(sh.now), room)) {
		w.stop()
	}
	if l == w.target {
		return
	}
	if l != nil && w.target != nil && l.rank > w.target.rank {
		p.raised = sh.now
	}
	w.aim(l, sh.now)
	if l != nil && l != w.layer {
		sh.askKey(l)
	}
}

// fall notes that the receiver gets less for lack of room. An estimate rises
// above what a path holds while less is sent: who tries a higher layer in vain
// every few seconds makes all who watch it pay for its key frames.
func (a *allotment) fall(now time.Duration) {
	switch {
	case a.calm == 0 || a.raised != 0 && now-a.raised >= upProven:
		a.calm = upAfter
	case a.raised != 0:
		a.calm = min(2*a.calm, upMost)
	}
	a.fell, a.raised = now, 0
}

// failed notes that there was no room for a video that was shown so long.
func (a *allotment) failed(shown, now time.Duration) {
	if shown > doubtMost {
		a.doubt = 0
	}
	a.doubt = min(max(2*a.doubt, doubtFirst), doubtMost)
	a.doubted = now + a.doubt
}

// breaks tells whether a layer is so far beyond the room that the receiver is
// better off without a picture until the next layer's key frame comes.
func (p *path) breaks(cost, room int) bool {
	return cost > breakAt*room || cost > room && p.estimate.Loss() > breakLoss
}
