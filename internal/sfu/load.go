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
		sh.busy.Store(uint32(1000 * min(sh.count.Busy-sh.spent, span) / span))
	}
	sh.measured, sh.spent = sh.now, sh.count.Busy
}

// rest notes how long the shard was busy since it looked at the clock.
func (sh *shard) rest() { sh.count.Busy += time.Since(sh.start) - sh.now }
