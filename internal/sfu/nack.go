package sfu

import (
	"time"

	"parley/internal/media/rtcp"
	"parley/internal/media/rtp"
)

const (
	maxGaps    = 128                    // packets of a layer asked for at a time
	maxBurst   = 64                     // lost in a row; more are not asked for
	gapWait    = 10 * time.Millisecond  // packets may only be late
	gapLeast   = 25 * time.Millisecond  // until it is asked for again, at first: a round
	gapMost    = 360 * time.Millisecond // trip and a quarter, then that much longer each time
	gapLongest = time.Second            // of round trips
	gapTries   = 7
	maxAnswers = 128 // packets sent again for one request
)

// gaps are the packets of a layer that did not come yet, in the order of their
// numbers.
type gaps struct {
	top   uint64 // newest packet
	key   uint64 // first one of the newest key frame
	began bool
	n     int
	list  [maxGaps]gap
	due   bool // in the shard's list
}

type gap struct {
	index uint64
	at    time.Duration // when to ask for it
	tries int
}

// note notes a packet that came, and tells whether more lack before it than are
// asked for.
func (g *gaps) note(index uint64, now time.Duration) (broken bool) {
	switch {
	case !g.began:
		g.began, g.top = true, index
	case index > g.top:
		if missing := index - g.top - 1; missing > maxBurst {
			g.n, broken = 0, true // a key frame is cheaper
		} else {
			for i := g.top + 1; i < index && g.n < maxGaps; i++ {
				g.list[g.n] = gap{index: i, at: now + gapWait}
				g.n++
			}
		}
		g.top = index
	default:
		for i := range g.list[:g.n] {
			if g.list[i].index == index {
				copy(g.list[i:], g.list[i+1:g.n])
				g.n--
				break
			}
		}
	}
	return broken
}

// take writes the numbers to ask for now, over a path of a round trip time, and
// returns them and when the next ones are due; zero for never. broken tells whether
// one is given up that no key frame came after.
func (g *gaps) take(numbers []uint16, trip, now time.Duration) (due []uint16, next time.Duration, broken bool) {
	kept := 0
	for _, m := range g.list[:g.n] {
		if m.at <= now {
			if m.tries++; m.tries > gapTries {
				broken = broken || m.index > g.key
				continue
			}
			numbers = append(numbers, uint16(m.index))
			first := min(max(trip+trip/4, gapLeast), gapLongest)
			m.at = now + max(first, min(first*time.Duration(m.tries), gapMost))
		}
		if next == 0 || m.at < next {
			next = m.at
		}
		g.list[kept] = m
		kept++
	}
	g.n = kept
	return numbers, next, broken
}

// missed notes a packet of a layer, and lets what lacks before it be asked for:
// a key frame where too much does. Receivers would take seconds to give up.
func (sh *shard) missed(l *layer, index uint64, key bool) {
	g := &l.gaps
	broken := g.note(index, sh.now)
	switch {
	case key:
		g.key = max(g.key, index)
	case broken:
		sh.askKey(l)
	}
	if g.n == 0 {
		return
	}
	sh.gapDue = min(sh.gapDue, g.list[0].at, g.list[g.n-1].at)
	if !g.due {
		g.due = true
		sh.gapped = append(sh.gapped, l)
	}
}

// never is a time that does not come.
const never = time.Duration(1<<63 - 1)

// askMissing asks senders for the packets that are due.
func (sh *shard) askMissing() {
	if sh.now < sh.gapDue {
		return
	}
	sh.gapDue = never
	kept := sh.gapped[:0]
	var numbers [maxGaps]uint16
	for _, l := range sh.gapped {
		c := l.video.conn
		if c.removed || c.out == nil || len(l.viewers) == 0 {
			l.gaps.n, l.gaps.due = 0, false
			continue
		}
		due, next, broken := l.gaps.take(numbers[:0], c.trip(), sh.now)
		if broken {
			sh.askKey(l)
		}
		if len(due) > 0 {
			sh.send(c, rtcp.AppendNack(sh.scratch[:0], c.ssrc, l.stream.ssrc, due))
			sh.count.NacksOut += uint64(len(due))
		}
		if l.gaps.n == 0 {
			l.gaps.due = false
			continue
		}
		sh.gapDue = min(sh.gapDue, next)
		kept = append(kept, l)
	}
	clear(sh.gapped[len(kept):])
	sh.gapped = kept
}

// answer sends the packet with a number that the receiver names once more.
// What came before the key frame of another layer is of no use any more.
func (sh *shard) answer(w *view, seq uint16) (size int) {
	p, index := w.conn.path, w.extend(seq)
	if w.video.repair == 0 || !w.began || index < w.runs[w.now].from || !p.mayRepeat(sh.now) {
		return 0
	}
	size = sh.repeat(w, index)
	if p.credit -= size; size > 0 {
		if w.repeats == nil {
			w.repeats = new(repeats)
		}
		w.repeats.note(index, sh.now)
	}
	return size
}

// repeats are the last packets of a view that were sent again, by the low bits
// of their index.
type repeats [maxAnswers]struct {
	index uint64
	at    time.Duration
}

func (r *repeats) note(index uint64, now time.Duration) {
	e := &r[index%maxAnswers]
	e.index, e.at = index, now
}

// soon tells whether a packet was sent again after a time: the receiver, when
// it asked once more, could not know.
func (r *repeats) soon(index uint64, after time.Duration) bool {
	if r == nil {
		return false
	}
	e := &r[index%maxAnswers]
	return e.index == index && e.at > after
}

// resend answers a receiver that misses packets of a view.
func (sh *shard) resend(w *view, missing rtcp.Missing) {
	for range maxAnswers {
		seq, ok := missing.Next()
		if !ok {
			return
		}
		sh.count.NacksIn++
		w.conn.room.count.NacksIn++
		switch {
		case w.repeats.soon(w.extend(seq), sh.now-w.conn.trip()):
			sh.count.NacksSoon++
		case sh.answer(w, seq) > 0:
			sh.count.Repeated++
			w.conn.room.count.Repeated++
		default:
			sh.count.NacksLost++
		}
	}
}

// repeat sends a packet of a view once more, as RTX (RFC 4588 4), and returns
// its size; 0 when it is not there any more.
func (sh *shard) repeat(w *view, index uint64) (size int) {
	p, r, ok := w.fetch(index)
	if !ok || w.holding && index >= w.held { // its number may still be another's
		return 0
	}
	h, kind := sh.rewrite(p, r)
	rtp.Address(h.bytes[:], w.video.repair, kind+1)
	rtp.SetOriginal(p.Roomy, uint16(index))
	return sh.sealPicture(w.conn, h, p.Roomy, p.Payload, sealing{kind, r, w.repair()})
}
