package sfu

import (
	"sync/atomic"
	"time"

	"parley/internal/rpc"
)

const (
	// Each level of strain takes one more layer from every picture, the first
	// one only from those that are not seen in full. The last takes voices, too
	// (perf.md 6.8). What waits too long even then is shed by age.
	mostStrain = 4
	fullHeight = 720

	// A tick is hard when datagrams waited so long and the shard was so busy, in
	// thousandths. It is easy when the shard was less busy than that: what waits
	// then does not wait for the shard.
	hardWait = 50 * time.Millisecond
	hardBusy = 700
	easyBusy = 600
	// Strain rises after so long a hard time, and falls after a longer easy one:
	// twice as long, up to a minute, after it fell in vain.
	riseAfter = 500 * time.Millisecond
	fallAfter = 5 * time.Second
	fallMost  = time.Minute

	refuseAfter = 3 * time.Second // of the most strain nobody new gets in
	comeAgain   = 5 * time.Second
)

// errFull is for clients that there is no time for: they wait so long and ask
// again by themselves.
var errFull = rpc.FloodWait(comeAgain)

// strain is how much less than it should a shard with too much to do does.
type strain struct {
	level  atomic.Int32  // 0 = it does all; changed by the shard only
	waited time.Duration // the longest that a datagram did since the last tick
	ease   int           // of the last ticks: 1, or -1 for hard, or 0
	steady time.Duration // since when
	moved  time.Duration // when the level changed last
	fell   bool          // and it fell then
	calm   time.Duration // how long it has to be easy until it falls
}

// bear takes in how busy the shard was, and tells whether the level changed.
func (s *strain) bear(now time.Duration, busy int) (changed bool) {
	ease := 0
	switch {
	case busy < easyBusy:
		ease = 1
	case s.waited >= hardWait && busy >= hardBusy:
		ease = -1
	}
	s.waited = 0
	if ease != s.ease {
		s.ease, s.steady = ease, now
	}
	level, span := s.level.Load(), now-max(s.steady, s.moved)
	switch {
	case ease < 0 && level < mostStrain && span >= riseAfter:
		if s.fell && now-s.moved < s.calm {
			s.calm = min(2*s.calm, fallMost)
		} else if level == 0 {
			s.calm = fallAfter
		}
		level++
	case ease > 0 && level > 0 && span >= s.calm:
		level--
	default:
		return false
	}
	s.fell, s.moved = ease > 0, now
	s.level.Store(level)
	return true
}

// adapt does less or more from now on, where the last tick says so.
func (sh *shard) adapt() {
	sh.measure()
	if !sh.bear(sh.now, int(sh.busy.Load())) {
		return
	}
	for _, c := range sh.order {
		if c.path != nil {
			sh.plan(c)
		}
	}
}

// queued notes how long the n datagrams waited that were just read.
func (sh *shard) queued(n int) {
	if n > 0 {
		sh.waited = max(sh.waited, sh.now-sh.arrivedAt(sh.slots[0]))
	}
}

// bearable returns the layer that a view gets if its path has room.
func (sh *shard) bearable(w *view) *layer {
	l, lower := w.video.pick(w.height), sh.level.Load()
	if w.stage || w.height >= fullHeight {
		lower--
	}
	for ; l != nil && lower > 0; lower-- {
		l = l.below()
	}
	return l
}

// heard returns how many voices a receiver gets.
func (sh *shard) heard() int {
	if sh.level.Load() == mostStrain {
		return min(fewest, sh.server.loudest)
	}
	return sh.server.loudest
}

// full tells whether nobody new gets in.
func (sh *shard) full() bool {
	return sh.level.Load() == mostStrain && sh.ease <= 0 && sh.now-sh.moved >= refuseAfter
}

// renews tells whether a connection is there in place of which another one
// comes: by that, nobody gets more than before.
func (r *room) renews(c *conn) bool {
	for _, o := range r.conns {
		if o.user == c.user && c.user != 0 && o.presentation == c.presentation {
			return true
		}
	}
	return false
}
