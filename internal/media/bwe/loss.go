package bwe

import (
	"math"
	"time"
)

const (
	lowLoss   = 0.02
	highLoss  = 0.10
	lossBatch = 20 // packets
	lossEvery = 200 * time.Millisecond
	lossLate  = time.Second // a smaller batch will do
	lossDelay = 300 * time.Millisecond
	lossStep  = 1000 // bits per second
	lossFull  = 100  // packets of a batch that weighs 1
	lossMost  = 0.5  // weight of a batch
	lossFades = 4.0  // seconds until a share is forgotten where few packets are sent

	// The path's own loss is found by trial: at this share of the rate, as much
	// gets lost as before, and not as much arrives.
	ownAt      = 0.6
	ownLost    = 0.5
	ownArrived = 1.15
	ownFalls   = 0.15 // of the way, each batch
	trialAfter = 200 * time.Millisecond
	trialBatch = 60 // packets
	trialLate  = 2 * time.Second
)

// lossy lowers the rate when packets get lost (draft 6), unless that does not
// help: what the path loses of its own it loses at any rate.
type lossy struct {
	rate  float64
	share float64 // lost lately
	own   float64 // of the path

	lost, total int // of the batch
	batchAt     time.Duration
	loweredAt   time.Duration
	began       bool

	beforeRate  float64 // when the rate began to fall; 0 when it does not
	beforeShare float64 // greatest since
	trial       bool
	trialAt     time.Duration
	trialLost   int
	trialTotal  int
}

// count adds packets to the batch.
func (l *lossy) count(lost, total int) {
	l.lost += lost
	l.total += total
}

// excess returns the share of loss beyond the path's own.
func (l *lossy) excess() float64 { return beyond(l.share, l.own) }

func beyond(share, own float64) float64 { return max(share-own, 0) / (1 - own) }

// heavy tells whether the path loses more than can be probed through.
func (l *lossy) heavy() bool { return l.excess() > highLoss }

// raise lets the rate go up to one that was proven.
func (l *lossy) raise(rate float64) { l.rate = max(l.rate, rate) }

// update applies the rules when the batch is large enough.
func (l *lossy) update(e *Estimator, acked float64, now time.Duration) {
	passed := now - l.batchAt
	if l.total == 0 || passed < lossEvery || l.total < lossBatch && passed < lossLate {
		return
	}
	share := float64(l.lost) / float64(l.total)
	if l.began {
		share = l.share + min(max(float64(l.total)/lossFull, passed.Seconds()/lossFades), lossMost)*(share-l.share)
	}
	if l.trial && now-l.trialAt > trialAfter+e.rtt {
		l.trialLost += l.lost
		l.trialTotal += l.total
	}
	l.share, l.began = share, true
	l.lost, l.total, l.batchAt = 0, 0, now
	l.own -= ownFalls * max(l.own-l.share, 0)
	l.beforeShare = max(l.beforeShare, share)
	queued := e.trend.queued()
	switch excess := l.excess(); {
	case excess < lowLoss:
		l.beforeRate, l.trial = 0, false
		rise := increase
		if e.own.filling(now) {
			rise = provenRise
		}
		l.rate = e.rate*math.Pow(rise, min(passed, time.Second).Seconds()) + lossStep
	case l.trial && !queued:
		l.judge(now)
	case excess > highLoss && now-l.loweredAt >= lossDelay+e.rtt:
		l.lower(e.rate, excess, acked, queued, now)
	}
}

// lower lowers the rate, at once to what arrives where a queue shows that the
// path is full. When it fell far enough, a trial tells what it was good for.
func (l *lossy) lower(rate, excess, acked float64, queued bool, now time.Duration) {
	if l.beforeRate == 0 {
		l.beforeRate, l.beforeShare = rate, l.share
	}
	l.loweredAt = now
	l.rate = rate * (1 - excess/2)
	if queued && acked > 0 {
		l.rate = min(l.rate, decrease*acked)
	}
	l.trial = !queued && l.rate <= ownAt*l.beforeRate
	l.trialAt, l.trialLost, l.trialTotal = now, 0, 0
}

// judge ends a trial. When the rate made no difference, it goes back up.
func (l *lossy) judge(now time.Duration) {
	if l.trialTotal < lossBatch || l.trialTotal < trialBatch && now-l.trialAt < trialLate {
		return
	}
	share := float64(l.trialLost) / float64(l.trialTotal)
	if share >= ownLost*l.beforeShare && 1-share <= ownArrived*(1-l.beforeShare) {
		l.own, l.share, l.rate = share, share, l.beforeRate
	}
	l.beforeRate, l.trial = 0, false
}
