package sfu

import (
	"math"
	"time"

	"parley/internal/media/rtcp"
)

const (
	maxRuns = 8    // of a view that can still be repaired
	minStep = 90   // between two timestamps where the clocks would not advance: 1 ms
	maxSkew = 90e3 // between what reports and what arrivals say of a switch: 1 s
)

// view is one video as one connection sees it: a stream without breaks, put
// together from runs of the sender's layers.
type view struct {
	// What every packet touches lies in a row (see ahead.go).
	conn   *conn
	video  *video
	target *layer
	layer  *layer // forwarded now; differs from target until a key frame comes

	last uint64 // greatest index the receiver saw
	newest
	holding bool   // packets wait to leave
	held    uint64 // first of them

	packets, octets uint32
	now             int          // the newest run
	runs            [maxRuns]run // a ring

	height int           // wanted at most; 0 = not wanted
	stage  bool          // of those that matter most
	ideal  *layer        // that it would get if there were room; as of the last plan
	chosen *layer        // by the plan being made
	shown  time.Duration // when it got a target
	began  bool
	rtx    uint64 // index of the next RTX packet
	heldAt time.Duration

	reported uint16 // highest number the receiver told of; 0 = none
	passed   passed
	repeats  *repeats // nil before the first one
	padded   uint64   // packets that served as padding
}

// newest is what a receiver knows of the newest picture of a view, and of the
// newest padding.
type newest struct {
	clock    uint32 // timestamp
	ahead    uint32 // added to the time for the timestamps of padding
	clockAt  time.Duration
	picture  uint16 // number
	tl0      uint8
	clocked  bool
	numbered bool
	leads    bool // ahead is set
}

// run is a part of a view that came from one layer: what is added to the
// sender's numbers.
type run struct {
	layer *layer
	from  uint64 // first index, as the receiver sees it
	base  uint64 // sender's index minus receiver's, modulo 2^64
	time  uint32
	exact uint32 // time, before it was made to rise
	// Pictures are numbered modulo 2^15, their base layer's modulo 2^8.
	picture uint16
	tl0     uint8
}

// view returns a connection's view of a video, or nil.
func (c *conn) view(v *video) *view {
	if v.slot < len(c.views) {
		return c.views[v.slot]
	}
	return nil
}

// open returns the view of a video, made when needed.
func (c *conn) open(v *video) *view {
	for len(c.views) <= v.slot {
		c.views = append(c.views, nil)
	}
	if c.views[v.slot] == nil {
		w := &view{conn: c, video: v}
		c.views[v.slot] = w
		w.inherit()
	}
	return c.views[v.slot]
}

// unview ends a view and remembers its numbers: the SSRC may come back.
func (c *conn) unview(v *video) {
	w := c.view(v)
	if w == nil {
		return
	}
	w.stop()
	w.aim(nil, 0)
	c.views[v.slot] = nil
	if w.began {
		c.retire(v.ssrc, w.last)
		c.left(v.ssrc, w.newest)
	}
	if w.rtx > 0 && v.repair != 0 {
		c.retire(v.repair, w.rtx-1)
	}
}

// inherit lets a view that has not begun go on where the one of a gone video
// with the same SSRC ended: a decoder that lives on drops pictures that seem
// older than what it showed. While that one is there, it waits.
func (w *view) inherit() {
	if w.video.waits || w.began {
		return
	}
	if last, ok := w.conn.retired[w.video.ssrc]; ok {
		w.began, w.last, w.newest = true, last, w.conn.pictures[w.video.ssrc]
		delete(w.conn.retired, w.video.ssrc)
		delete(w.conn.pictures, w.video.ssrc)
	}
}

// repair returns the index of the next repair. The first one goes on where what
// had its SSRC before ended: that may have been in another role, and have gone
// after the view began.
func (w *view) repair() (index uint64) {
	if last, ok := w.conn.retired[w.video.repair]; ok && w.rtx == 0 {
		w.rtx = last + 1
		delete(w.conn.retired, w.video.repair)
	}
	w.rtx++
	return w.rtx - 1
}

// aim sets the layer that the view changes to at its next key frame.
func (w *view) aim(l *layer, now time.Duration) {
	if w.target == l {
		return
	}
	old := w.target
	w.target = l
	if old == nil {
		w.shown = now
	}
	if old != nil && old != w.layer {
		old.leave(w)
	}
	if l != nil && l != w.layer {
		l.viewers = append(l.viewers, w)
	}
}

// stop ends what is forwarded; it goes on with a key frame. Packets that were
// held back never leave: their numbers are given to those that do.
func (w *view) stop() {
	w.show(nil)
	if w.holding {
		w.holding, w.last = false, w.held-1
	}
}

// show sets the layer that is forwarded.
func (w *view) show(l *layer) {
	if w.layer == l {
		return
	}
	old := w.layer
	w.layer = l
	if old != nil && old != w.target {
		old.leave(w)
	}
	if l != nil && l != w.target {
		l.viewers = append(l.viewers, w)
	}
}

// leave takes a view off the list of a layer.
func (l *layer) leave(w *view) {
	for i, v := range l.viewers {
		if v == w {
			last := len(l.viewers) - 1
			l.viewers[i], l.viewers[last] = l.viewers[last], nil
			l.viewers = l.viewers[:last]
			return
		}
	}
}

// next returns the receiver's index of a packet and the run it belongs to; nil
// for one that the receiver does not get.
func (w *view) next(p *packet, now time.Duration) (index uint64, r *run) {
	if p.layer != w.layer {
		if p.layer != w.target || !p.picture.key {
			return 0, nil
		}
		w.begin(p, now)
	}
	r = &w.runs[w.now]
	index = p.index - r.base
	if ahead := int64(index - w.last); ahead > maxGap { // the sender jumped
		if !p.picture.key { // it builds on what is lost, which no number would tell the receiver
			w.stop()
			return 0, nil
		}
		w.begin(p, now)
		r = &w.runs[w.now]
		index = r.from
	}
	if int64(index-r.from) < 0 {
		return 0, nil
	}
	if index > w.last || index == r.from {
		w.last = index
		w.advance(p, r, now)
	}
	return index, r
}

// advance notes the newest packet.
func (w *view) advance(p *packet, r *run, now time.Duration) {
	if t := p.timestamp + r.time; int32(t-w.clock) > 0 || !w.clocked {
		w.clock, w.clockAt, w.clocked = t, now, true
	}
	if n := &p.picture.numbers; n.HasID() {
		w.numbered, w.picture, w.tl0 = true, n.ID+r.picture, n.TL0+r.tl0
	}
}

// begin begins a run with a packet: numbers go on where the last run ended.
func (w *view) begin(p *packet, now time.Duration) {
	w.inherit() // what had the SSRCs may have gone since the view was opened
	r := run{layer: p.layer, from: firstIndex(p.index)}
	if w.began {
		r.from = w.last + 1
	}
	if w.clocked {
		w.align(&r, p, now)
	}
	r.base = p.index - r.from
	if n := &p.picture.numbers; w.numbered && n.HasID() {
		r.picture, r.tl0 = w.picture+1-n.ID, w.tl0+1-n.TL0
	}
	w.began = true
	w.now = (w.now + 1) % maxRuns
	w.runs[w.now] = r
	w.show(p.layer)
}

// align finds what makes the timestamps of a new run go on in the time of the
// last one: by the sender's reports, or by when packets came where it sent none.
func (w *view) align(r *run, p *packet, now time.Duration) {
	old := &w.runs[w.now]
	byArrival := w.clock + uint32((now-w.clockAt)*videoClock/time.Second) - p.timestamp
	r.exact = byArrival
	switch {
	case old.layer == p.layer:
		r.exact = old.exact
	case old.layer != nil && old.layer.reported && p.layer.reported:
		a, b := &old.layer.report, &p.layer.report
		r.exact = old.exact + a.Timestamp - b.Timestamp + ticks(int64(b.NTP-a.NTP))
	}
	if skew := int32(r.exact - byArrival); skew > maxSkew || skew < -maxSkew {
		r.exact = byArrival
	}
	r.time = r.exact
	if int32(p.timestamp+r.time-w.clock) < minStep {
		r.time = w.clock + minStep - p.timestamp
	}
}

// ticks turns a difference of NTP times into units of the video clock.
func ticks(ntp int64) uint32 {
	return uint32(int64(math.Round(float64(ntp) * videoClock / (1 << 32))))
}

// find returns the run that an index belongs to.
func (w *view) find(index uint64) *run {
	for i := range maxRuns {
		r := &w.runs[(w.now-i+maxRuns)%maxRuns]
		if r.layer == nil || !w.began || index > w.last {
			return nil
		}
		if index >= r.from {
			return r
		}
	}
	return nil
}

// extend returns the index of a sequence number that the receiver names.
func (w *view) extend(seq uint16) uint64 { return w.last - uint64(uint16(w.last)-seq) }

// sender returns the report about a view: the sender's, with the timestamp as
// the receiver knows it, so that lips and voice stay together.
func (w *view) sender() (report rtcp.Sender, ok bool) {
	l := w.layer
	if l == nil || !l.reported {
		return report, false
	}
	report = l.report
	report.SSRC, report.Packets, report.Octets = w.video.ssrc, w.packets, w.octets
	report.Timestamp += w.runs[w.now].time
	return report, true
}
