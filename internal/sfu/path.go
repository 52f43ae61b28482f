package sfu

import (
	"math"
	"time"

	"parley/internal/media/bwe"
	"parley/internal/media/rtcp"
	"parley/internal/media/rtp"
)

// Bounds of an estimate, in bits per second.
const (
	startRate = 1200e3 // enough for one full picture
	leastRate = 50e3
	mostRate  = 50e6

	// unfedAfter is when a receiver that reports nothing at all counts as one
	// that has room for everything.
	unfedAfter = 2 * time.Second
	unlimited  = math.MaxInt32

	lowerLayers = 28 // bytes of IPv4 and UDP before a packet
	packetCost  = rtp.EgressSize + lowerLayers + 16

	repairShare = 4                      // a quarter of the estimate may be sent again
	repairBurst = 250 * time.Millisecond // of it at once
	repairLeast = 16 << 10               // bytes

	tellTimes = 8       // that a receiver may tell of each packet,
	tellMost  = 1 << 13 // and of so many at once
)

// path is what is known of the way to a receiver of video.
type path struct {
	// What every packet touches lies in a row, to the estimate's beginning (see
	// ahead.go).
	since    time.Duration // the first packet; 0 = none yet
	fed      bool          // the receiver reports
	pacing   bool          // in the shard's list
	sound    int           // bytes since soundAt
	tokens   int           // bytes that may leave at once
	tokensAt time.Duration
	probe    bwe.Probe
	left     int // bytes of it
	estimate bwe.Estimator

	allotment

	soundAt   time.Duration
	soundRate int // bits per second

	credit   int // bytes that may be sent again
	creditAt time.Duration

	tells  int    // packets that the receiver may tell of
	toldOf uint16 // number of the next packet when it told last

	next    time.Duration // when to send more of the probe
	until   time.Duration
	queued  bool   // in the shard's list
	padding uint64 // index of the next packet that is only padding
}

// newPath begins to watch the way to a connection.
func (sh *shard) newPath() *path {
	return &path{
		estimate: *bwe.New(bwe.Config{Start: startRate, Min: leastRate, Max: mostRate}),
		soundAt:  sh.now, creditAt: sh.now, credit: repairLeast,
	}
}

// rate returns what the receiver has room for, in bits per second.
func (p *path) rate(now time.Duration) int {
	if !p.fed && p.since != 0 && now-p.since > unfedAfter {
		return unlimited
	}
	return int(p.estimate.Rate())
}

// budget returns what is left for video.
func (p *path) budget(now time.Duration) int { return max(p.rate(now)-p.beside(), 0) }

// beside returns what sound takes of the estimate. libwebrtc's own one is of
// video alone.
func (p *path) beside() int {
	if p.estimate.Own() {
		return 0
	}
	return p.soundRate
}

// sent notes a packet on its way.
func (p *path) sent(number uint16, size int, now time.Duration) {
	size += lowerLayers
	if p.since == 0 {
		p.since = now
	}
	p.tokens = max(p.tokens-size, -paceBurst)
	p.estimate.Sent(number, size, p.probe.ID, now)
	if p.probe.ID == 0 {
		return
	}
	p.next += time.Duration(int64(size) * 8 * int64(time.Second) / max(p.probe.Rate, 1)) // the media is part of it
	if p.left -= size; p.left <= 0 {
		p.probe.ID = 0
	}
}

// measure brings the rate of sound up to date.
func (p *path) measure(now time.Duration) {
	if span := now - p.soundAt; span >= time.Second {
		p.soundRate = int(int64(p.sound) * 8 * int64(time.Second) / int64(span))
		p.sound, p.soundAt = 0, now
	}
}

// mayRepeat tells whether something may be sent once more. Of a path that counts
// as one without bounds, nobody said that it holds what it is asked to.
func (p *path) mayRepeat(now time.Duration) bool {
	rate := int64(min(p.rate(now), mostRate)) / 8 / repairShare
	most := max(rate*int64(repairBurst)/int64(time.Second), repairLeast)
	passed := min(now-p.creditAt, time.Second)
	p.credit = int(min(int64(p.credit)+rate*int64(passed)/int64(time.Second), most))
	p.creditAt = now
	return p.credit > 0
}

// fed takes in what a receiver says of the packets it got. A few bytes can speak
// of thousands: the shard does not read about each again and again.
func (sh *shard) fed(c *conn, f rtcp.Feedback) {
	p := c.path
	if p == nil {
		return
	}
	p.fed = true
	p.tells = min(p.tells+tellTimes*int(c.transport-p.toldOf), tellMost)
	p.toldOf = c.transport
	p.estimate.Begin(f.Reference, sh.came)
	for a, ok := f.Next(); ok && p.tells > 0; a, ok = f.Next() {
		p.tells--
		p.estimate.Arrived(a.Sequence, a.Received, a.Delta)
	}
	p.estimate.End()
	sh.replan(c)
}

// suffers takes in a report of what a receiver lacks. Who tells nothing else is
// sent all it wants until much of that gets lost.
func (sh *shard) suffers(c *conn, lost uint8, packets int) {
	p := c.path
	p.estimate.Report(lost, packets, int64(p.planned+p.beside()), sh.now)
	p.fed = p.fed || p.estimate.Suffers()
	sh.replan(c)
}

// remb takes in a receiver's own estimate.
func (sh *shard) remb(c *conn, rate uint64) {
	if p := c.path; p != nil {
		p.fed = true
		p.estimate.REMB(int64(min(rate, mostRate)), sh.now)
		sh.replan(c)
	}
}

// replan chooses layers anew where the estimate says so: at once when it fell
// below what is sent, and when it rose for somebody who wants more.
func (sh *shard) replan(c *conn) {
	p := c.path
	rate := p.rate(sh.now)
	if rate < p.planned+p.beside() && rate < p.used || p.limited && rate > p.used+p.used/20 {
		sh.plan(c)
	}
}

// tend does what the ways to a room's receivers need.
func (sh *shard) tend(r *room) {
	for _, c := range r.receivers {
		p := c.path
		if p == nil {
			continue
		}
		p.measure(sh.now)
		if p.since == 0 && p.limited {
			sh.pad(c)
		}
		if probe, due := p.estimate.Tick(sh.now); due && p.fed {
			sh.probe(c, probe)
		}
		sh.replan(c)
	}
}
