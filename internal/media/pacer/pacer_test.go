package pacer

import (
	"testing"
	"time"
)

const ms = time.Millisecond

func TestBucket(t *testing.T) {
	b, now := New(800_000, 50*ms), time.Hour // 100 bytes a ms, bursts of 5000
	for i := range 5 {
		if !b.Take(1000, now) {
			t.Fatalf("%d of a burst did not pass", i)
		}
	}
	if b.Take(1000, now) || b.Wait(1000, now) != 10*ms {
		t.Errorf("more than a burst, or waits %v", b.Wait(1000, now))
	}
	now += 10 * ms
	if !b.Take(1000, now) || b.Take(1, now) {
		t.Error("after 10 ms: not 1000 bytes")
	}
	now += 25 * ms
	b.Spend(4000, now) // 15 ms over the burst
	if got := b.Wait(1000, now); got != 25*ms {
		t.Errorf("in debt: waits %v", got)
	}
	b.SetRate(8_000_000)
	if got := b.Wait(1000, now); got != 16*ms {
		t.Errorf("ten times faster: waits %v", got)
	}
	now += time.Minute
	if !b.Take(100_000, now) {
		t.Error("an idle bucket holds back what is large")
	}
	if got := b.Wait(1, now); got != 50*ms+time.Microsecond {
		t.Errorf("after what is large: waits %v", got)
	}
	for range 1000 {
		b.Spend(1<<30, now)
	}
	if got := b.Wait(0, now); got != maxDebt-50*ms {
		t.Errorf("a debt of %v", got)
	}
}

// TestRate takes as much as passes, for ten seconds.
func TestRate(t *testing.T) {
	for _, rate := range []int64{64_000, 1_000_000, 50_000_000} {
		b, sent := New(rate, 20*ms), 0
		for now := time.Duration(0); now < 10*time.Second; now += ms {
			for b.Take(1200, now) {
				sent += 1200
			}
		}
		want := float64(rate) / 8 * 10
		if got := float64(sent); got < want*0.98 || got > want*1.02+2400 {
			t.Errorf("%d bit/s: %.0f bytes, want %.0f", rate, got, want)
		}
	}
}

func TestTrain(t *testing.T) {
	tr, sent, last := Start(1_000_000, 6000, time.Second), 0, time.Duration(0)
	for now := time.Second; !tr.Over(); now += ms {
		for tr.Due(1200, now) >= 1200 {
			if sent > 0 && now-last < 9*ms {
				t.Errorf("%v after the last", now-last)
			}
			sent++
			last = now
			if tr.Sent(1200) != (sent == 5) {
				t.Errorf("over after %d packets", sent)
			}
		}
	}
	if span := last - time.Second; sent != 5 || span < 38*ms || span > 42*ms {
		t.Errorf("%d packets in %v", sent, span)
	}
	if tr.Due(1200, time.Hour) != 0 {
		t.Error("more after the end")
	}
}

func TestNoAllocation(t *testing.T) {
	b, now := New(1e6, 20*ms), time.Duration(0)
	if n := testing.AllocsPerRun(100, func() {
		now += ms
		b.Take(1200, now)
		b.Spend(100, now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzBucket(f *testing.F) {
	f.Add(int64(1e6), int64(1e7), []byte{1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, rate, burst int64, b []byte) {
		p, now := New(rate, time.Duration(min(burst, int64(time.Hour)))), time.Duration(0)
		for ; len(b) >= 3; b = b[3:] {
			now += time.Duration(b[0]) * ms
			size := int(b[1]) * int(b[2])
			wait := p.Wait(size, now)
			if wait < 0 || p.Take(size, now) != (wait == 0) {
				t.Fatalf("waits %v", wait)
			}
			if wait > 0 && !p.Take(size, now+wait) {
				t.Fatalf("not after %v", wait)
			}
			p.Spend(size, now)
		}
	})
}

func BenchmarkTake(b *testing.B) {
	p, now := New(1e9, 20*ms), time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		now += 10 * time.Microsecond
		p.Take(1200, now)
	}
}
