package bwe

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestMoved takes a path away for a while and gives another one: the estimate
// goes on about as for a new receiver, and does not suffer from what got lost.
func TestMoved(t *testing.T) {
	const start, away = 10 * time.Second, 2 * time.Second
	for _, tt := range []struct {
		name         string
		before, then float64 // capacities
		most         time.Duration
	}{
		{"as wide", 5e6, 5e6, time.Second},
		{"wider", 300e3, 5e6, 2 * time.Second},
		{"narrower", 5e6, 300e3, 3 * time.Second},
	} {
		for seed := range uint64(seeds) {
			p := &path{
				queue: 300 * time.Millisecond, delay: 25 * time.Millisecond, report: 50 * time.Millisecond,
				rng: rand.New(rand.NewPCG(seed, 3)), capacity: func(time.Duration) float64 { return tt.before },
			}
			s := &sender{e: New(Config{Start: 1200e3, Min: 30e3, Max: 20e6}), p: p, demand: 3e6}
			goal := min(tt.then, s.demand)
			took := never
			for now := time.Duration(0); now < start+away+20*time.Second; now += time.Millisecond {
				if now == start {
					p.loss = 1
				}
				if now == start+away {
					p.loss, p.delay = 0, 80*time.Millisecond
					p.capacity = func(time.Duration) float64 { return tt.then }
					s.e.Moved()
				}
				s.e.Want(int64(s.demand))
				s.step(now)
				p.step(now)
				p.deliver(s.e, now)
				rate := float64(s.e.Rate())
				if now >= start+away && took == never && rate > 0.8*goal && rate < 1.3*tt.then {
					took = now - start - away
				}
			}
			if took > tt.most {
				t.Errorf("%s, seed %d: %v until the estimate is right", tt.name, seed, took)
			}
		}
	}
}
