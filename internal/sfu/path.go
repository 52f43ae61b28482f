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

	probeLimit = 500 * time.Millisecond // that a probe may take beyond its time
	padSize    = 255                    // the most that a packet says of its padding
	padAmong   = 16                     // newest packets of a view, that serve as padding
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

	planned int           // bits per second, for what it gets
	spare   int           // that this may be too much
	limited bool          // it gets less than it wants
	used    int           // the estimate as of the plan
	fell    time.Duration // when it got less for the last time
	raised  time.Duration // when it got more for the last time since; 0 = not yet
	calm    time.Duration // how long after fell it does not get more
	doubt   time.Duration // how long a first video is not tried after it failed
	doubted time.Duration // until then

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

// probe begins a probe. Sound is part of it, unless the estimate is of video alone.
func (sh *shard) probe(c *conn, probe bwe.Probe) {
	p := c.path
	if sound := int64(p.soundRate - p.beside()); sound > 0 {
		probe.Bytes += int(int64(probe.Bytes) * sound / max(probe.Rate, 1))
		probe.Rate += sound
	}
	p.probe, p.left, p.next = probe, probe.Bytes, sh.now
	p.until = sh.now + probeLimit + probe.Span()
	if !p.queued {
		p.queued = true
		sh.probing = append(sh.probing, c)
	}
	sh.probeDue = min(sh.probeDue, sh.now)
}

// sendProbes sends the packets of probes that are due.
func (sh *shard) sendProbes() {
	if sh.now < sh.probeDue {
		return
	}
	sh.probeDue = never
	kept := sh.probing[:0]
	for _, c := range sh.probing {
		p := c.path
		for p.probe.ID != 0 && p.next <= sh.now && !c.removed {
			if sh.pad(c) == 0 {
				p.next += paceEvery
			}
		}
		if p.probe.ID == 0 || c.removed || sh.now > p.until {
			p.probe.ID, p.queued = 0, false
			continue
		}
		sh.probeDue = min(sh.probeDue, p.next)
		kept = append(kept, c)
	}
	clear(sh.probing[len(kept):])
	sh.probing = kept
}

// pad sends a connection something that it does not need, and returns its
// size: a packet it has got already, of a view that stopped maybe, or nothing
// but padding on the server's own SSRC, which tgcalls may not know (media.md 7.2).
func (sh *shard) pad(c *conn) int {
	sh.count.Padding++
	for _, w := range c.views {
		if w == nil || !w.began || w.video.repair == 0 {
			continue
		}
		if c.path.estimate.Own() {
			if size := sh.blank(w); size > 0 {
				return size
			}
			continue
		}
		w.padded++
		if size := sh.repeat(w, w.last-w.padded%padAmong); size > 0 {
			return size
		}
	}
	c.path.padding++
	return sh.padding(c, rtp.Header{SSRC: c.ssrc, Type: typeVP8}, c.path.padding-1)
}

// blank sends padding among a view's repairs, with the timestamp of now:
// libwebrtc, where packets bear no send times, takes timestamps for those, and
// old ones for a queue that grows and shrinks. It returns 0 where the codec is
// not known.
func (sh *shard) blank(w *view) int {
	p, _, ok := w.fetch(w.last)
	if !ok {
		return 0
	}
	w.rtx++
	now := uint32(int64(sh.now/time.Microsecond) * videoClock / 1e6)
	return sh.padding(w.conn, rtp.Header{SSRC: w.video.repair, Type: rtp.Type(p.Header) + 1, Timestamp: now}, w.rtx-1)
}

// padding sends a packet of nothing but padding, and returns its size.
func (sh *shard) padding(c *conn, h rtp.Header, index uint64) int {
	h.Padded = true
	size := h.Write(sh.header[:])
	rtp.SetSendTime(sh.header[:], sh.sendTime)
	body := sh.scratch[:padSize]
	clear(body)
	body[padSize-1] = padSize
	return sh.seal(c, head{&sh.header, size, h.Timestamp}, body, index)
}
