package sfu

import (
	"sync/atomic"
	"time"
)

// load is how much a shard has to do.
type load struct {
	measured time.Duration // when it was last
	spent    time.Duration // until then
	busy     atomic.Uint32 // part of the time, in thousandths
}

// measure tells how busy the shard was, at most once a second.
func (sh *shard) measure() {
	span := sh.now - sh.measured
	switch {
	case !sh.active():
		sh.busy.Store(0)
		sh.level.Store(0)
	case span < time.Second:
		return
	default:
		busy := sh.count.Busy - sh.spent
		sh.busy.Store(uint32(1000 * min(busy, span) / span))
		sh.share(busy)
	}
	sh.measured, sh.spent = sh.now, sh.count.Busy
}

// share gives each call its part of what the shard took since the last time, by
// the packets that came and left: what many leave with in one system call has no
// time of its own.
func (sh *shard) share(busy time.Duration) {
	all := uint64(0)
	for _, r := range sh.rooms {
		all += r.moved() - r.shared
	}
	for _, r := range sh.rooms {
		if n := r.moved() - r.shared; n > 0 {
			r.busy += time.Duration(float64(busy) * float64(n) / float64(all))
			r.shared += n
		}
	}
}

// moved is how many packets came to a call and left it.
func (r *room) moved() uint64 { return r.count.PacketsIn + r.count.Forwarded }

// rest notes how long the shard was busy since it looked at the clock.
func (sh *shard) rest() { sh.count.Busy += time.Since(sh.start) - sh.now }
