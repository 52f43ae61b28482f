package bwe

import (
	"math"
	"time"
)

const (
	fillTime  = 200 * time.Millisecond
	fillMore  = 1.5             // of the estimate, while nothing gets lost
	fillLoss  = 0.05            // too much for that, of one report
	fillPause = 2 * time.Second // without more, after a sign of a queue
	fillWait  = 5 * time.Second // after there was one

	provenTime = time.Second
	provenRise = 1.3
	provenStep = 1.01 // by which the receiver's estimate has to rise meanwhile
	provenFall = 0.97
	provenHold = 3                     // times in a row that it may stand still,
	provenHigh = 1.2                   // of what is believed, from which on it does for lack of media
	ownQueue   = 50 * time.Millisecond // on top of the shortest round trip
	ownForgets = 64                    // reports, about
)

// own is what a receiver without transport-wide feedback estimates itself.
// libwebrtc's AIMD of the receiving side rises 8 % a second while no more than
// 1.5 times of what comes, and on each sign of a queue, be it mere noise, falls to
// 0.85 of what came in the last second, or stands still.
//
// From that an Estimator learns more. It sends 1.5 times what it believes: then
// noise makes nothing fall. While the receiver's estimate goes on rising none the
// less, nothing gets lost and round trips take no longer, the path holds that
// much. It sends no more than it believes for a moment after each sign of a queue,
// and for long where round trips, or loss, confirm it.
type own struct {
	told   bool    // ever
	rate   float64 // told last
	proven float64 // beyond that, by padding; 0 = nothing

	from   float64 // the rate as of fromAt
	fromAt time.Duration
	stands int           // times in a row
	fillAt time.Duration // when it began to be sent more; 0 = it is not
	lastAt time.Duration // when it last was
	rest   time.Duration // not more until then,
	drain  time.Duration // and no padding until then
	trip   time.Duration // shortest, lately
}

// take takes in what the receiver tells, and returns what the path holds.
// believed is the estimate before.
func (o *own) take(rate, believed float64, now time.Duration) float64 {
	fell := rate < provenFall*o.rate
	o.told, o.rate = true, rate
	switch {
	case fell:
		o.proven, o.stands, o.rest = 0, 0, max(o.rest, now+fillPause)
	case now-o.fromAt < provenTime:
		return max(rate, o.proven)
	case rate < provenStep*o.from && rate > provenHigh*believed:
		o.stands = 0
	case rate < provenStep*o.from:
		o.rest = max(o.rest, now+fillPause)
		if o.stands++; o.stands >= provenHold {
			o.proven, o.stands = 0, 0
		}
	default:
		o.stands = 0
		if o.fillAt != 0 && o.fillAt <= o.fromAt && now-o.lastAt < 2*fillTime {
			o.proven = provenRise * believed
		}
	}
	o.from, o.fromAt = rate, now
	return max(rate, o.proven)
}

// took takes in a round trip.
func (o *own) took(trip, now time.Duration) {
	if o.trip == 0 || trip < o.trip {
		o.trip = trip
	}
	o.trip += (trip - o.trip) / ownForgets
	switch {
	case trip <= o.trip+ownQueue:
		o.drain = 0
	case now >= o.drain:
		o.full(now)
		o.drain = now + fillWait
	}
}

// full notes that the path holds what the receiver tells, and no more.
func (o *own) full(now time.Duration) {
	o.proven, o.fillAt, o.rest = 0, 0, now+fillWait
}

// filled notes that the receiver gets more than what is believed, or just that.
func (o *own) filled(more bool, now time.Duration) {
	if !more {
		o.fillAt = 0
		return
	}
	if o.fillAt == 0 || now-o.lastAt >= 2*fillTime {
		o.fillAt = now
	}
	o.lastAt = now
}

// REMB takes in a receiver's own estimate, from receivers that send no
// transport-wide feedback.
func (e *Estimator) REMB(rate int64, now time.Duration) {
	if e.transport(now) {
		return
	}
	e.better(math.Inf(1))
	before := e.delay.rate
	e.delay.rate = e.own.take(float64(min(max(rate, e.cfg.Min), e.cfg.Max)), e.rate, now)
	if e.delay.rate > before && !e.loss.heavy() {
		e.loss.raise(e.delay.rate)
	}
	e.settle()
}

// Own tells whether the estimate is the receiver's own.
func (e *Estimator) Own() bool { return e.own.told && !e.fed }

// fill returns a probe that keeps the receiver's own estimate from falling, and
// then the next.
func (e *Estimator) fill(now time.Duration) (probe Probe, due bool) {
	p := &e.probe
	if now < p.due || p.want < probeEnough*e.rate || now < e.own.drain {
		return probe, false
	}
	rate, more := e.rate, e.loss.excess() < lowLoss && now >= e.own.rest
	if more {
		rate = min(fillMore*rate, p.want)
	}
	e.own.filled(more, now)
	p.id, p.due = max(p.id+1, 1), now+fillTime
	return Probe{ID: p.id, Rate: int64(rate), Bytes: int(rate / 8 * fillTime.Seconds())}, true
}
