package bwe

import (
	"math"
	"time"
)

const (
	decrease   = 0.85 // of what arrives
	increase   = 1.08 // a second
	ceiling    = 1.5  // of what arrives
	headroom   = 10_000
	leastStep  = 4000 // bits per second, a second
	frameRate  = 30
	packetBits = 8 * 1200
	response   = 100 * time.Millisecond // on top of the round trip

	capacitySmooth = 0.05
	nearby         = 3 // deviations
	leastDeviation = 0.4
	mostDeviation  = 2.5
)

// aimd raises the rate while the delay is steady and lowers it when it grows
// (draft 5.5).
type aimd struct {
	rate      float64
	hold      bool
	updated   time.Duration
	began     bool
	loweredAt time.Duration

	capacity  float64 // of the path as of the last decreases, kbit/s; 0 for unknown
	deviation float64 // normalized variance
}

// update takes in what the delay says now.
func (a *aimd) update(s signal, acked float64, rtt, now time.Duration) {
	passed := min(now-a.updated, time.Second)
	if !a.began {
		passed, a.began = 0, true
	}
	a.updated = now
	switch s {
	case over:
		a.lower(acked, rtt, now)
		a.hold = true
	case under:
		a.hold = true
	default:
		if a.hold {
			a.hold = false
			return
		}
		a.raise(acked, rtt, passed)
	}
}

// lower goes below what arrives, so that the queue drains.
func (a *aimd) lower(acked float64, rtt, now time.Duration) {
	if acked == 0 {
		acked = a.rate
	}
	soon := now-a.loweredAt < min(max(rtt, 10*time.Millisecond), 200*time.Millisecond)
	if soon && acked >= a.rate/2 {
		return
	}
	if a.capacity > 0 && !a.near(acked) {
		a.capacity = 0
	}
	a.rate = min(a.rate, decrease*acked)
	a.loweredAt = now
	a.learn(acked)
}

// raise goes up by a share while the capacity is not known, and near it by
// about a packet per response.
func (a *aimd) raise(acked float64, rtt, passed time.Duration) {
	most := math.Inf(1)
	if acked > 0 {
		most = ceiling*acked + headroom
	}
	if a.capacity > 0 && acked > 0 && acked/1000 > a.capacity+nearby*a.spread() {
		a.capacity = 0 // the path holds more now
	}
	next := a.rate * math.Pow(increase, passed.Seconds())
	if a.near(acked) {
		bits := a.rate / frameRate
		step := bits / math.Ceil(bits/packetBits) / (rtt + response).Seconds()
		next = a.rate + max(step, leastStep)*passed.Seconds()
	}
	a.rate = max(a.rate, min(next, most))
}

// learn takes in the rate at which the queue grew.
func (a *aimd) learn(acked float64) {
	kbits := acked / 1000
	if a.capacity == 0 {
		a.capacity, a.deviation = kbits, leastDeviation
		return
	}
	a.capacity += capacitySmooth * (kbits - a.capacity)
	d := a.capacity - kbits
	a.deviation += capacitySmooth * (d*d/max(a.capacity, 1) - a.deviation)
	a.deviation = min(max(a.deviation, leastDeviation), mostDeviation)
}

// near tells whether a rate is about the known capacity.
func (a *aimd) near(acked float64) bool {
	return a.capacity > 0 && acked > 0 && math.Abs(acked/1000-a.capacity) <= nearby*a.spread()
}

func (a *aimd) spread() float64 { return math.Sqrt(a.deviation * a.capacity) }
