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
	noise float64       // signs of a queue that there is not, a second
	back  time.Duration // jitter of what it sends

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
	for len(r.p.due) > 0 && r.p.due[0].at <= now { // there is no jitter
		r.bytes[slot] += r.p.due[0].size
		r.p.due = r.p.due[1:]
	}
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
		s.e.Report(uint8(256*lost/sent), sent, 0, now)
		s.e.Trip(2*r.p.delay+r.waited+time.Duration(r.p.rng.Float64()*float64(r.back)), now)
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
	for _, tt := range []struct {
		noise float64
		back  time.Duration
		most  time.Duration
	}{{0, 0, 15 * time.Second}, {0.2, 0, 15 * time.Second}, {1, 0, 15 * time.Second}, {0, 100 * time.Millisecond, 15 * time.Second}, {0.2, 100 * time.Millisecond, 40 * time.Second}} {
		r, at := &receiver{p: &path{capacity: steady(10e6), queue: time.Second}, noise: tt.noise, back: tt.back}, never
		drive(r, 70e3, time.Minute, func(s *sender, now time.Duration) {
			if at == never && s.e.Rate() > 720e3 {
				at = now
			}
		})
		t.Logf("noise %.1f, jitter back %v: after %v", tt.noise, tt.back, at)
		if at > tt.most {
			t.Error("too late")
		}
	}
}

// TestOwnKeepsBelow probes a narrow path: its queue stays short most of the
// time, and the sound that waits in it is not lost.
func TestOwnKeepsBelow(t *testing.T) {
	for _, tt := range []struct {
		capacity float64
		queue    time.Duration
		lost     float64
	}{
		{150e3, time.Second, 0.01},
		{300e3, time.Second, 0.01},
		{500e3, time.Second, 0.01},
		{300e3, 50 * time.Millisecond, 0.05},
		{300e3, 5 * time.Millisecond, 0.2},
	} {
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
		if mean/float64(n) > 1.1*tt.capacity || share > 0.1 || lost > tt.lost {
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

// TestOwnForgets: what padding proved, and that it did, counts no more once
// transport-wide feedback came, and on another path.
func TestOwnForgets(t *testing.T) {
	for name, change := range map[string]func(e *Estimator, now time.Duration){
		"moved":    func(e *Estimator, _ time.Duration) { e.Moved() },
		"feedback": func(e *Estimator, now time.Duration) { seq := uint16(0); feed(e, &seq, 5, &now) },
	} {
		r := &receiver{p: &path{capacity: steady(10e6), queue: time.Second}}
		var e *Estimator
		at := 8 * time.Second
		drive(r, 70e3, at, func(s *sender, _ time.Duration) { e = s.e })
		if e.own.proven < 2*r.rate || !e.own.filling(at) {
			t.Fatalf("%s: %.0f proven of %.0f", name, e.own.proven, r.rate)
		}
		change(e, at)
		if e.own.filling(at) {
			t.Errorf("%s: it counts as filled", name)
		}
		at += 10 * time.Second
		e.REMB(100e3, at)
		if e.Rate() > 100e3 {
			t.Errorf("%s: %d of 100000 told", name, e.Rate())
		}
	}
}

// TestOwnSilence: who tells nothing any more gets no more than it told.
func TestOwnSilence(t *testing.T) {
	e, now := New(config()), time.Second
	e.Want(2e6)
	for range 5 {
		now += 200 * time.Millisecond
		e.REMB(1e6, now)
	}
	highest := int64(0)
	for range 200 {
		now += 50 * time.Millisecond
		if p, due := e.Tick(now); due && now > 6*time.Second {
			highest = max(highest, p.Rate)
		}
	}
	if highest == 0 || highest > 1e6 {
		t.Errorf("padding of %d for 1000000 told", highest)
	}
}
