package sfu

import (
	"testing"
	"time"
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
