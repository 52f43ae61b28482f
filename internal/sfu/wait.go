package sfu

import (
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
	// At most, from the arrival of the first packet that most of a room get; and
	// where there is nothing to forward.
	wait, quiet time.Duration
	first       time.Duration // when that packet came; never without one
	looking     bool          // for the rest of a picture

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
	w.quiet, w.looking = 0, false
	if rate >= lightLoad && perSpan(told, calm, span) >= 1 {
		w.quiet = min(calm, w.most)
	}
	switch {
	case rate < lightLoad:
		w.wait = 0
	case rate >= mediumLoad && 2*perSpan(heard, w.most, span) >= 3*rooms: // one and a half more of a room
		w.wait = w.most
	case perSpan(seen, w.most, span) >= 1:
		w.wait, w.looking = min(burst, w.most), true
	default:
		w.wait = 0
	}
}

// perSpan returns how many of n that came in a span come in another.
func perSpan(n uint64, in, span time.Duration) int { return int(int64(n) * int64(in) / int64(span)) }

// gather takes in the n datagrams that were read, and those that come while
// these wait for more, if that pays.
func (sh *shard) gather(n int) {
	if n == 0 {
		return
	}
	came, whole := sh.arrivedAt(sh.slots[0]), false
	switch {
	case sh.looking:
		n, whole = sh.picture(n)
	case sh.wait > 0:
		n = sh.empty(n, n)
	}
	sh.takeIn(sh.slots[:n])
	for !whole && n < len(sh.slots) {
		left := sh.patience(came)
		if left <= 0 {
			return
		}
		sh.rest()
		udp.Nap(left)
		sh.wind()
		from := n
		n = sh.empty(n, udp.MaxBatch)
		sh.takeIn(sh.slots[from:n])
	}
}

// empty reads what is there, if the last read got all it could, besides the n
// datagrams that are there, and returns how many there are then.
func (sh *shard) empty(n, last int) int {
	for ; last == udp.MaxBatch && n < len(sh.slots); n += last {
		last = sh.socket.Poll(sh.slots[n:])
	}
	return n
}

// takeIn takes in datagrams. What is to be forwarded stays in its slot.
func (sh *shard) takeIn(slots []*udp.Datagram) {
	for i, d := range slots {
		slots[i] = sh.receive(d)
	}
}

// patience returns how long to wait for more, where the first datagram came at
// a time. What nobody gets lets nobody wait, and what few get doesn't wait.
func (sh *shard) patience(came time.Duration) time.Duration {
	until := came + sh.quiet
	switch {
	case sh.first != never:
		until = sh.first + sh.wait
	case len(sh.dirty) > 0:
		return 0
	}
	return min(until, sh.jobs()) - sh.now
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
