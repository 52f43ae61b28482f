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
	fillWait  = 5 * time.Second // after there was one, and twice as long after the next
	fillSigns = 3 * time.Second // that a sign, or an estimate, is of now

	provenTime  = time.Second
	provenRise  = 1.3
	provenStep  = 1.01 // by which the receiver's estimate has to rise meanwhile
	provenFall  = 0.97
	provenFresh = 800 * time.Millisecond // since it rose last
	provenHold  = 3                      // times in a row that it may stand still,
	provenHigh  = 1.2                    // of what is believed, from which on it does for lack of media

	ownQueue   = 50 * time.Millisecond  // on top of the shortest round trip is late,
	ownLong    = 200 * time.Millisecond // and this is more than jitter
	lateSigned = 2
	lateAlone  = 4
	ownForgets = 64 // trips, about
)

// own is what a receiver without transport-wide feedback estimates itself.
// libwebrtc's AIMD of the receiving side rises 8 % a second while no more than
// 1.5 times of what comes, and on each sign of a queue, be it mere noise, falls to
// 0.85 of what came in the last second, or stands still.
//
// From that an Estimator learns more. It sends 1.5 times what it believes: then
// noise makes nothing fall. While the receiver's estimate goes on rising none the
// less, and nothing gets lost, the path holds that much. It sends no more than it
// believes for a moment after each sign of a queue, and for long where round trips,
// or loss, confirm it.
type own struct {
	told   bool    // ever
	rate   float64 // told last
	toldAt time.Duration
	proven float64 // beyond that, by padding; 0 = nothing

	from   float64 // the rate as of fromAt
	fromAt time.Duration
	roseAt time.Duration
	stands int           // times in a row
	signAt time.Duration // when it stood or fell last

	more   float64       // rate at which more is sent
	fillAt time.Duration // when that began
	lastAt time.Duration // when it last was so
	rest   time.Duration // not more until then
	wait   time.Duration // how long, when there is a queue
	drain  time.Duration // no padding at all until then
	trip   time.Duration // shortest, lately
	late   int           // trips in a row that took longer
}

// take takes in what the receiver tells, and returns what the path holds.
// believed is the estimate before.
func (o *own) take(rate, believed float64, now time.Duration) float64 {
	fell := rate < provenFall*o.rate
	if rate > o.rate {
		o.roseAt = now
	}
	o.told, o.rate, o.toldAt = true, rate, now
	stands := rate < provenStep*o.from
	switch {
	case fell:
		o.sign(now)
		o.proven, o.stands = 0, 0
	case now-o.fromAt < provenTime:
		return max(rate, o.proven)
	case stands && rate > provenHigh*believed:
		o.stands = 0
	case stands:
		if o.stands++; o.stands == 1 || o.late > 0 {
			o.sign(now)
		} else {
			o.signAt = now // noise, maybe: round trips tell
		}
		if o.stands >= provenHold {
			o.proven = 0
		}
	default:
		o.stands = 0
		if o.filling(now) && o.fillAt <= o.fromAt && o.late == 0 && now-o.roseAt < provenFresh {
			o.proven, o.wait = min(provenRise*believed, o.more), 0
		}
	}
	o.from, o.fromAt = rate, now
	return max(rate, o.proven)
}

// sign notes that there may be a queue.
func (o *own) sign(now time.Duration) { o.signAt, o.rest = now, max(o.rest, now+fillPause) }

// took takes in a round trip. One or two may be late by jitter: they show a queue
// where the receiver has seen a sign of it, too.
func (o *own) took(trip, now time.Duration) {
	if o.trip == 0 || trip < o.trip {
		o.trip = trip
	}
	o.trip += (trip - o.trip) / ownForgets
	if trip <= o.trip+ownQueue {
		o.late, o.drain = 0, 0
		return
	}
	o.late++
	signed := o.signAt != 0 && now-o.signAt < fillSigns
	switch {
	case signed && (o.late >= lateSigned || trip > o.trip+ownLong):
		o.full(now)
		o.drain = now + fillPause
	case o.late >= lateAlone:
		o.full(now)
	}
}

// full notes that the path holds what the receiver tells, and no more.
func (o *own) full(now time.Duration) {
	if now >= o.rest-fillPause {
		o.wait = min(max(2*o.wait, fillWait), 2*fillWait)
		o.rest = now + o.wait
	}
	o.proven, o.more = 0, 0
}

// filled notes at which rate the receiver gets more than what is believed; 0 = it
// does not.
func (o *own) filled(more float64, now time.Duration) {
	if !o.filling(now) {
		o.fillAt = now
	}
	o.more, o.lastAt = more, now
}

// filling tells whether the receiver gets more than what is believed.
func (o *own) filling(now time.Duration) bool { return o.more != 0 && now-o.lastAt < 2*fillTime }

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

// Trip takes in a round trip time.
func (e *Estimator) Trip(trip, now time.Duration) {
	if e.transport(now) {
		return
	}
	e.rtt = min(trip, maxRTT)
	e.own.took(e.rtt, now)
	e.bound()
}

// bound takes back what is not proven any more.
func (e *Estimator) bound() {
	if e.Own() {
		e.delay.rate = min(e.delay.rate, max(e.own.rate, e.own.proven))
		e.settle()
	}
}

// Own tells whether the estimate is the receiver's own.
func (e *Estimator) Own() bool { return e.own.told && !e.fed }

// fill returns a probe that keeps the receiver's own estimate from falling, and
// then the next.
func (e *Estimator) fill(now time.Duration) (probe Probe, due bool) {
	p, o := &e.probe, &e.own
	if now < p.due || p.want < probeEnough*e.rate || now < o.drain {
		return probe, false
	}
	rate, more := e.rate, 0.0
	if e.loss.excess() < lowLoss && now >= o.rest && now-o.toldAt < fillSigns {
		rate = min(fillMore*rate, p.want)
		more = rate
	}
	o.filled(more, now)
	p.id, p.due = max(p.id+1, 1), now+fillTime
	return Probe{ID: p.id, Rate: int64(rate), Bytes: int(rate / 8 * fillTime.Seconds())}, true
}
