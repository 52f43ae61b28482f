package sfu

import (
	"slices"
	"time"

	"parley/internal/media/rtp"
	"parley/internal/media/udp"
)

const (
	// maxDatagrams is how many datagrams are taken in before any is forwarded.
	maxDatagrams = 8 * udp.MaxBatch
	// How many packets a second leave a shard that lets none wait, and one that
	// waits for no more than pictures: a wake-up costs more than few joined save.
	lightLoad, mediumLoad = 4_000, 30_000
	// burst is how long the packets of one picture take to come; those of the
	// next don't join them, because a picture's last packet is shorter.
	burst = time.Millisecond
	// looks is how often a shard looks for the rest of a picture before it naps,
	// which takes longer.
	looks = 24
	// calm is how long what is no media may wait where many reports come: each
	// would wake the shard.
	calm = 2 * time.Millisecond
	// tooLate is how long a packet waits for a shard with too much to do until
	// it is shed: a queue of old ones would delay all that come after. A shard
	// has too much to do when it was late for so long, and hardly not since; a
	// machine that stood still a moment is late once.
	tooLate   = 250 * time.Millisecond
	lateFor   = 500 * time.Millisecond
	lateUntil = time.Second
	oldest    = time.Second
)

// waiting lets packets of a busy shard wait for others, so that those for one
// receiver leave as one (perf.md 6.6). Nothing waits where nothing would join.
type waiting struct {
	most time.Duration // 0 = never
	// At most, from the first packet's arrival on; for reads with media and
	// without.
	wait, quiet time.Duration

	sounds, pictures uint64 // packets taken in to be forwarded
	reported         uint64 // RTCP packets taken in

	lateSince, lateLast time.Duration // when packets were read too late

	// The counts as of the last choice.
	since                      time.Duration
	heard, seen, told, forward uint64
}

// tune sets how long packets wait, by what came and left since the last time.
func (w *waiting) tune(now time.Duration, rooms int, forwarded uint64) {
	span := now - w.since
	if span <= 0 {
		return
	}
	heard, seen, told, rate := w.sounds-w.heard, w.pictures-w.seen, w.reported-w.told, perSpan(forwarded-w.forward, time.Second, span)
	w.since, w.heard, w.seen, w.told, w.forward = now, w.sounds, w.pictures, w.reported, forwarded
	w.quiet = 0
	if rate >= lightLoad && perSpan(told, calm, span) >= 1 {
		w.quiet = min(calm, w.most)
	}
	switch {
	case rate < lightLoad:
		w.wait = 0
	case rate >= mediumLoad && 2*perSpan(heard, w.most, span) >= 3*rooms: // one and a half more of a room
		w.wait = w.most
	case perSpan(seen, w.most, span) >= 1:
		w.wait = min(burst, w.most)
	default:
		w.wait = 0
	}
}

// perSpan returns how many of n that came in a span come in another.
func perSpan(n uint64, in, span time.Duration) int { return int(int64(n) * int64(in) / int64(span)) }

// gather waits for more datagrams than the n that are there, if that pays, and
// returns how many there are then.
func (sh *shard) gather(n int) int {
	wait := sh.wait
	if wait < sh.quiet && !slices.ContainsFunc(sh.slots[:n], func(d *udp.Datagram) bool { return isMedia(d.Bytes()) }) {
		wait = sh.quiet
	}
	if n == 0 || wait == 0 {
		return n
	}
	if wait == burst {
		var whole bool
		if n, whole = sh.picture(n); whole {
			return n
		}
	}
	left := min(wait-(sh.now-sh.arrivedAt(sh.slots[0])), sh.next()-sh.now)
	if left > 0 {
		sh.rest()
		udp.Nap(left)
		sh.wind()
	}
	for last := udp.MaxBatch; last == udp.MaxBatch && n < len(sh.slots); n += last {
		last = sh.socket.Poll(sh.slots[n:])
	}
	return n
}

// picture looks for more datagrams than the n that are there, and tells whether
// the last one ends a picture.
func (sh *shard) picture(n int) (all int, whole bool) {
	for range looks {
		if n == len(sh.slots) || ends(sh.slots[n-1].Bytes()) {
			return n, true
		}
		n += sh.socket.Poll(sh.slots[n:])
	}
	return n, false
}

// ends tells whether a datagram is the last packet of a picture.
func ends(b []byte) bool { return isMedia(b) && b[1]&0x80 != 0 }

// isMedia tells media from what comes with it.
func isMedia(b []byte) bool { return len(b) > 1 && b[0]>>6 == 2 && !rtp.IsRTCP(b) }

// sheds tells whether a datagram is media that came too long ago, and the shard
// has too much to do.
func (sh *shard) sheds(b []byte) bool {
	if sh.now-sh.came <= tooLate {
		return false
	}
	if sh.lateLast == 0 || sh.now-sh.lateLast > lateUntil {
		sh.lateSince = sh.now
	}
	sh.lateLast = sh.now
	return sh.now-sh.lateSince > lateFor && isMedia(b)
}

// arrivedAt returns when a datagram came, on the shard's clock.
func (sh *shard) arrivedAt(d *udp.Datagram) time.Duration {
	if d.At == 0 {
		return sh.now
	}
	return sh.now - min(max(time.Duration(sh.wall-d.At), 0), oldest)
}
