package sfu

import (
	"slices"
	"testing"
	"time"

	"parley/internal/media/rtcp"
)

// TestNewGapIsAskedForSoon loses a packet and all that repeats it, and then
// another one, which must not wait until the first is asked for again.
func TestNewGapIsAskedForSoon(t *testing.T) {
	b := newBench(t, 1, 1)
	f := b.film(t, 100)[0]
	b.now = time.Second
	// lose lets a packet be lost and returns when it was asked for.
	lose := func() (after time.Duration) {
		f.index++
		f.next(b.shard)
		before, since := b.count.NacksOut, b.now
		for ; b.count.NacksOut == before && b.now < since+time.Second; b.now += time.Millisecond {
			b.askMissing()
		}
		return b.now - since
	}
	if d := lose(); d > 2*gapWait {
		t.Errorf("asked after %v", d)
	}
	for end := b.now + 300*time.Millisecond; b.now < end; b.now += time.Millisecond {
		b.askMissing()
	}
	if b.gapDue-b.now < 3*gapWait {
		t.Fatalf("due in %v already", b.gapDue-b.now)
	}
	if d := lose(); d > 2*gapWait {
		t.Errorf("another one is asked for after %v", d)
	}
}

// TestGapRetries asks for a packet that does not come after a round trip and a
// quarter, and waits that much longer each time while that is not long.
func TestGapRetries(t *testing.T) {
	for trip, want := range map[time.Duration][]int{ // ms
		time.Millisecond:       {0, 25, 75, 150, 250, 375, 525},
		80 * time.Millisecond:  {0, 100, 300, 600, 960, 1320, 1680},
		400 * time.Millisecond: {0, 500, 1000, 1500, 2000, 2500, 3000},
		maxTrip:                {0, 1000, 2000, 3000, 4000, 5000, 6000},
	} {
		var g gaps
		g.note(1, 0)
		g.note(3, 0)
		var asked []int
		for now := gapWait; now < 8*time.Second; now += time.Millisecond {
			if due, _, _ := g.take(nil, trip, now); len(due) > 0 {
				asked = append(asked, int((now-gapWait)/time.Millisecond))
			}
		}
		if !slices.Equal(asked, want) {
			t.Errorf("trip %v: asked after %v, want %v", trip, asked, want)
		}
	}
}

// TestRepeatsAreBounded: a receiver that reports nothing has room for every
// picture, and is not sent old ones over and over for it.
func TestRepeatsAreBounded(t *testing.T) {
	b := newBench(t, 1, 1)
	b.now = time.Second
	f := b.film(t, 1000)[0]
	for range 400 {
		b.now += 10 * time.Millisecond
		f.next(b.shard)
		b.forward()
	}
	w := b.order[1].view(f.video)
	if w.conn.path.rate(b.now) != unlimited {
		t.Fatal("its path counts as narrow")
	}
	before := b.socket.sent.Bytes
	for range 1000 {
		b.now += time.Millisecond
		for _, back := range []uint16{2 * maxAnswers, maxAnswers} { // the second ones let the first be forgotten
			var lost []uint16
			for i := range uint16(maxAnswers) {
				lost = append(lost, uint16(w.last)-back+i)
			}
			p, _, _ := rtcp.Next(rtcp.AppendNack(nil, 1, f.header.SSRC, lost))
			missing, _ := p.Missing()
			b.resend(w, missing)
		}
	}
	if got := b.socket.sent.Bytes - before; got < 100e3 || got > mostRate/8 {
		t.Errorf("%d bytes sent again in a second", got)
	}
}

// TestGivenUp asks for a key frame as soon as a packet that lacks is not asked
// for any more, unless one began after it.
func TestGivenUp(t *testing.T) {
	for _, tt := range []struct {
		key  bool
		want uint64
	}{{false, 1}, {true, 0}} {
		b := newBench(t, 1, 1)
		f := b.film(t, 100)[0]
		b.now = time.Second
		f.index++
		f.layer.wantKey = tt.key // the next picture is one
		before := b.count
		for end := b.now + 3*time.Second; b.now < end; b.now += 10 * time.Millisecond {
			f.next(b.shard)
			b.askMissing()
		}
		if n := b.count.NacksOut - before.NacksOut; n != gapTries {
			t.Errorf("%+v: asked %d times for the packet", tt, n)
		}
		if n := b.count.KeysAsked - before.KeysAsked; n != tt.want {
			t.Errorf("%+v: asked %d times for a key frame", tt, n)
		}
	}
}
