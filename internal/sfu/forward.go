package sfu

import (
	"slices"
	"time"

	"parley/internal/colibri"
	"parley/internal/media/rtcp"
	"parley/internal/media/rtp"
	"parley/internal/media/srtp"
	"parley/internal/media/udp"
)

// rtp takes in one packet: opened in place, counted, and queued for the end of
// the batch if it is to be heard.
func (sh *shard) rtp(c *conn, b []byte, from udp.Peer) {
	var h rtp.Header
	if !h.Parse(b) {
		sh.count.Drops.Malformed++
		return
	}
	if c.in == nil {
		sh.drop(c, func(d *Drops) { d.Early++ })
		return
	}
	st := c.stream(h.SSRC)
	if st == nil {
		sh.drop(c, func(d *Drops) { d.Source++ })
		return
	}
	index := st.window.Index(h.Sequence)
	if !st.window.Fresh(index) {
		sh.drop(c, func(d *Drops) { d.Replay++ })
		return
	}
	plain, err := c.in.OpenRTP(b, h.Size, index)
	if err != nil {
		sh.drop(c, func(d *Drops) { d.Auth++ })
		return
	}
	st.window.Accept(index)
	sh.follow(c, from)
	sh.count.came(len(b))
	c.room.count.came(len(b))
	st.stats.note(index, h.Timestamp, sh.came, st.video)
	if h.HasTransport {
		sh.arrived(c, st, h.Transport)
	}
	payload, ok := h.Payload(plain)
	switch {
	case st.layer != nil && ok:
		sh.video(st, index, &h, payload)
	case st.source == nil:
		sh.drop(c, func(d *Drops) { d.Type++ })
	default:
		sh.sound(st.source, index, &h, payload)
	}
}

// arrived notes a packet for transport-wide feedback, which speaks of a stream
// that came since the last one: of a picture's if there is one, of no repairs.
func (sh *shard) arrived(c *conn, st *stream, seq uint16) {
	if c.arrivals == nil {
		c.arrivals = new(rtcp.Arrivals)
	}
	c.arrivals.Note(seq, sh.came)
	if !st.repair && (st.video || !c.queued) || c.media == 0 {
		c.media = st.ssrc
	}
	if !c.queued {
		c.queued = true
		sh.reporting = append(sh.reporting, c)
	}
}

// sound takes in a packet of a source; one without sound leaves no gap.
func (sh *shard) sound(s *source, index uint64, h *rtp.Header, payload []byte) {
	useful := len(payload) > 0 && h.Type == colibri.OpusType
	if useful {
		index, useful = s.pads.number(index)
	} else {
		s.pads.drop(index)
	}
	if !useful {
		sh.drop(s.conn, func(d *Drops) { d.Type++ })
		return
	}
	sh.offer(s, index, h, payload)
}

// offer queues a packet of a source unless it is muted, silent, drowned out or
// too much. The payload stays where it is until forward.
func (sh *shard) offer(s *source, index uint64, h *rtp.Header, payload []byte) {
	now, r := int64(sh.now), s.conn.room
	speech := s.hear(now, h.Level, h.Voice, h.HasLevel)
	excess := s.open && !s.waits && !s.meter.bears(sh.now, int64(len(payload)+soundCost), soundRate)
	admitted := s.open && !s.waits && !excess && r.admit(s, now)
	if !admitted {
		switch {
		case excess:
			sh.drop(s.conn, func(d *Drops) { d.Excess++ })
		case s.open:
			sh.drop(s.conn, func(d *Drops) { d.Quiet++ })
		default:
			sh.drop(s.conn, func(d *Drops) { d.Muted++ })
		}
		if !s.skipped {
			s.skipped = true
			s.epoch++
		}
		return
	}
	s.skipped = false
	if s.voice < 0 {
		r.voice(s)
	}
	if speech && (s.spoke == 0 || now-s.spoke >= spokeEvery) {
		s.spoke = now
		sh.events.spoke(r.call, s.conn.id, sh.start.Add(sh.now))
	}
	h.Padded = false
	p := sh.queue(r, h)
	p.source, p.index, p.payload = s, index, payload
	r.sounds = true
	sh.sounds++
	if s.rank != spare {
		sh.first = min(sh.first, sh.came)
	}
}

// queue makes room for a packet that leaves at the end of the batch, and
// writes its header.
func (sh *shard) queue(r *room, h *rtp.Header) *packet {
	n := len(r.pending)
	if n == 0 {
		sh.dirty = append(sh.dirty, r)
	}
	if n < cap(r.pending) {
		r.pending = r.pending[:n+1]
	} else {
		r.pending = append(r.pending, packet{})
	}
	p := &r.pending[n]
	p.size, p.timestamp = h.Write(p.header[:]), h.Timestamp
	return p
}

// forward sends what the batch brought: for each receiver all its packets in a
// row, so that they leave together.
func (sh *shard) forward() {
	sh.batch++
	for _, r := range sh.dirty {
		for i := range r.pending {
			rtp.SetSendTime(r.pending[i].header[:], sh.sendTime)
		}
		if r.sounds {
			for i, c := range r.receivers {
				look(r.receivers, i)
				sh.fan(c, nil, r.pending)
			}
		} else {
			sh.fanViewers(r.pending)
		}
		for i := range r.pending {
			p := &r.pending[i]
			p.source, p.layer, p.payload = nil, nil, nil
		}
		r.pending, r.sounds = r.pending[:0], false
	}
	clear(sh.dirty)
	sh.dirty, sh.first = sh.dirty[:0], never
}

// fanViewers serves those who see the layers that packets are of.
func (sh *shard) fanViewers(packets []packet) {
	for i := range packets {
		l := packets[i].layer
		if l.served == sh.batch {
			continue
		}
		l.served = sh.batch
		for i, w := range slices.Backward(l.viewers) { // those who change layers leave the list
			lookBack(l.viewers, i)
			c := w.conn
			if c.served == sh.batch {
				continue
			}
			c.served = sh.batch
			sh.fan(c, w, packets)
		}
	}
}

// fan seals the packets that one connection gets; w is a view of it that is at
// hand, or nil.
func (sh *shard) fan(c *conn, w *view, packets []packet) {
	for i := range packets {
		p := &packets[i]
		if p.layer != nil {
			if w == nil || w.video != p.layer.video {
				w = c.view(p.layer.video)
			}
			sh.show(w, p)
			continue
		}
		if !c.wanted(p.source) {
			if sub := c.sub(p.source); sub != nil {
				sub.epoch = 0
			}
			continue
		}
		sub := c.subscribe(p.source)
		index, ok := sub.next(p.index, p.source.epoch)
		if !ok {
			continue
		}
		size := sh.seal(c, head{&p.header, p.size, p.timestamp}, p.payload, index)
		if c.path != nil {
			c.path.sound += size + lowerLayers
		}
	}
}

// head is a header that was written, before it is one receiver's own.
type head struct {
	bytes     *[rtp.EgressSize]byte
	size      int
	timestamp uint32 // for the receiver
}

// seal numbers a packet for the way to its receiver, protects and queues it,
// and returns its size.
func (sh *shard) seal(c *conn, h head, payload []byte, index uint64) int {
	space := sh.socket.Space(h.size + len(payload) + srtp.Overhead)
	rtp.Stamp(space, h.bytes, uint16(index), h.timestamp, c.transport)
	n, err := c.out.SealRTP(space, h.size, payload, index)
	if err != nil {
		sh.count.SealErrors++
		return 0
	}
	if c.path != nil {
		c.path.sent(c.transport, n, sh.now)
	}
	c.transport++
	sh.socket.Send(n, c.addr)
	sh.count.left(n)
	c.room.count.left(n)
	return n
}

// reception is what receiver reports are made of (RFC 3550 A.3, A.8).
type reception struct {
	began    bool
	first    uint64 // index
	highest  uint64
	received uint64

	toldExpected, toldReceived uint64 // as of the last report

	jitter  float64 // in clock units
	transit float64
	lastSR  uint32 // middle of its NTP time
	srAt    time.Duration

	passedAt time.Duration // when its sender's report last went on
}

// clock rates of the only codecs there are
const (
	audioClock = 48000
	videoClock = 90000
)

// note counts a packet that came.
func (s *reception) note(index uint64, timestamp uint32, now time.Duration, video bool) {
	rate := float64(audioClock)
	if video {
		rate = videoClock
	}
	arrived := now.Seconds() * rate
	transit := arrived - float64(timestamp)
	if !s.began {
		s.began, s.first, s.highest, s.transit = true, index, index, transit
	}
	s.highest = max(s.highest, index)
	s.received++
	d := transit - s.transit
	s.transit = transit
	if d < 0 {
		d = -d
	}
	if d < rate { // else the clock jumped
		s.jitter += (d - s.jitter) / 16
	}
}

// report returns the block about a stream, and how many packets of the interval
// that ends did not come.
func (s *reception) report(ssrc uint32, now time.Duration) (r rtcp.Report, missing uint64) {
	expected := s.highest - s.first + 1
	lost := int64(expected) - int64(s.received)
	span := expected - s.toldExpected
	missed := int64(span) - int64(s.received-s.toldReceived)
	s.toldExpected, s.toldReceived = expected, s.received
	r = rtcp.Report{
		SSRC: ssrc, Lost: int32(min(max(lost, -1<<23), 1<<23-1)), Highest: uint32(s.highest),
		Jitter: uint32(s.jitter), LastSR: s.lastSR,
	}
	if span > 0 && missed > 0 {
		r.Fraction = uint8(min(missed<<8/int64(span), 255))
	}
	if s.lastSR != 0 {
		r.Delay = uint32((now - s.srAt) * 65536 / time.Second)
	}
	return r, uint64(max(missed, 0))
}
