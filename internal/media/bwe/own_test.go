package bwe

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// receiver estimates its path by itself, as libwebrtc does without
// transport-wide feedback, and sends what it finds and reports of loss.
type receiver struct {
	p     *path
	noise float64 // signs of a queue that there is not, a second

	rate   float64
	bytes  [10]int       // that came in each 100 ms of the last second
	queue  time.Duration // shortest in the 100 ms before
	least  time.Duration // and in these
	over   bool          // the queue grows
	under  bool          // it shrinks
	hold   bool
	told   float64
	sent   int // packets, and those lost, as of the last report
	lost   int
	waited time.Duration // what the sender's last report did in the queue
}

// step is to be called every 10 ms.
func (r *receiver) step(s *sender, now time.Duration) {
	const every = 10 * time.Millisecond
	slot := int(now/(100*time.Millisecond)) % len(r.bytes)
	queue := max(r.p.busy-now, 0)
	if now%(100*time.Millisecond) == 0 {
		r.over = r.least > r.queue+5*time.Millisecond && r.least > 20*time.Millisecond || r.p.rng.Float64() < r.noise/10
		r.under = r.least < r.queue-5*time.Millisecond
		r.bytes[slot], r.queue, r.least = 0, r.least, queue
	}
	r.least = min(r.least, queue)
	r.bytes[slot] += r.p.carried
	r.p.carried, r.p.due = 0, r.p.due[:0]
	throughput := 0.0
	for _, n := range r.bytes {
		throughput += 8 * float64(n)
	}
	if now%time.Second == time.Second/2 { // the sender's report comes
		r.waited = queue
	}
	switch {
	case r.over:
		r.rate, r.hold = min(r.rate, 0.85*throughput), true
	case r.under:
		r.hold = true
	case r.hold:
		r.hold = false
	case r.rate < 1.5*throughput+10e3:
		r.rate *= math.Pow(1.08, every.Seconds())
	}
	if now%(200*time.Millisecond) == 0 || r.rate < 0.97*r.told {
		r.told = r.rate
		s.e.REMB(int64(r.rate), now)
	}
	if now%time.Second == 0 && int(s.seq) > r.sent {
		sent, lost := int(s.seq)-r.sent, r.p.dropped-r.lost
		s.e.Report(uint8(256*lost/sent), sent, 0, 2*r.p.delay+r.waited, now)
		r.sent, r.lost = int(s.seq), r.p.dropped
	}
}

// drive simulates a receiver that begins with a rate, and calls each every
// 10 ms.
func drive(r *receiver, start float64, long time.Duration, each func(s *sender, now time.Duration)) {
	r.p.rng = rand.New(rand.NewPCG(1, 2))
	r.rate, r.p.delay = start, 20*time.Millisecond
	s := &sender{e: New(Config{Start: 1200e3, Min: 50e3, Max: 50e6}), p: r.p, demand: 600e3, layers: []float64{60e3, 120e3, 600e3}}
	for now := time.Duration(0); now < long; now += time.Millisecond {
		s.e.Want(2 * 600e3)
		s.step(now)
		if now%(10*time.Millisecond) == 0 {
			r.step(s, now)
			each(s, now)
		}
	}
}

func steady(rate float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return rate }
}

// TestOwnClimbs starts far below what a path holds: by itself the receiver
// would take half a minute to see it, and longer with noise.
func TestOwnClimbs(t *testing.T) {
	for _, noise := range []float64{0, 0.2, 1} {
		r, at := &receiver{p: &path{capacity: steady(10e6), queue: time.Second}, noise: noise}, never
		drive(r, 70e3, time.Minute, func(s *sender, now time.Duration) {
			if at == never && s.e.Rate() > 720e3 {
				at = now
			}
		})
		t.Logf("noise %.1f: after %v", noise, at)
		if at > 15*time.Second {
			t.Errorf("noise %.1f: 720 kbit/s after %v", noise, at)
		}
	}
}

// TestOwnKeepsBelow probes a narrow path: its queue stays short most of the
// time, and the sound that waits in it is not lost.
func TestOwnKeepsBelow(t *testing.T) {
	for _, tt := range []struct {
		capacity float64
		queue    time.Duration
	}{{150e3, time.Second}, {300e3, time.Second}, {300e3, 50 * time.Millisecond}, {500e3, time.Second}} {
		r := &receiver{p: &path{capacity: steady(tt.capacity), queue: tt.queue}}
		late, mean, n := 0, 0.0, 0
		drive(r, 70e3, time.Minute, func(s *sender, now time.Duration) {
			if now < 10*time.Second {
				return
			}
			n++
			mean += float64(s.e.Rate())
			if r.queue > 200*time.Millisecond {
				late++
			}
		})
		share, lost := float64(late)/float64(n), float64(r.p.dropped)/float64(r.sent)
		t.Logf("%.0f, queue %v: mean %.0f, above 200 ms %.3f, longest %v, lost %.3f", tt.capacity, tt.queue, mean/float64(n), share, r.p.longest, lost)
		if mean/float64(n) > 1.1*tt.capacity || share > 0.05 || lost > 0.05 {
			t.Error("too much is sent")
		}
	}
}

// TestOwnFalls cuts a path: the estimate follows within 3 s, though what the
// receiver tells was far below what was proven.
func TestOwnFalls(t *testing.T) {
	const cut = 8 * time.Second
	r, at := &receiver{p: &path{queue: time.Second}}, never
	r.p.capacity = func(now time.Duration) float64 {
		if now < cut {
			return 10e6
		}
		return 300e3
	}
	drive(r, 70e3, 30*time.Second, func(s *sender, now time.Duration) {
		if now >= cut && at == never && s.e.Rate() < 330e3 {
			at = now
		}
	})
	t.Logf("fell %v after the cut", at-cut)
	if at > cut+3*time.Second {
		t.Errorf("fell %v after the cut", at-cut)
	}
}
