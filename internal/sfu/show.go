package sfu

import (
	"time"

	"parley/internal/media/cache"
	"parley/internal/media/h264"
	"parley/internal/media/rtp"
)

const (
	cachePackets = 512   // of one layer
	cacheBytes   = 512e3 // of the highest; each lower one has half
)

// video takes in a packet of a layer, or of its RTX, that proved right.
func (sh *shard) video(st *stream, index uint64, h *rtp.Header, payload []byte) {
	l := st.layer
	if st.repair {
		if index, payload = sh.unwrap(l, h, payload); payload == nil {
			return
		}
	}
	if !codec(h.Type) {
		sh.drop(st.layer.video.conn, func(d *Drops) { d.Type++ })
		return
	}
	v := l.video
	var pic picture
	pic.read(h.Type, payload)
	if pic.key && h.Type == typeH264 && l.live && !h264.Parameters(payload) &&
		(h.Timestamp == l.timestamp || l.stream.window.Fresh(index-1)) {
		pic.key = false // each slice looks like a beginning, and parameters before it may be lost or late
	}
	if index == l.stream.window.Top() {
		l.timestamp = h.Timestamp
	}
	if l.note(len(payload), h.Marker, sh.now) || l.learn(pic.size, sh.now) {
		sh.planAll(v)
		sh.runPlans()
	}
	if !v.open || v.waits {
		sh.drop(v.conn, func(d *Drops) { d.Muted++ })
		return
	}
	if pic.key {
		l.gotKey(sh.now)
	}
	if len(l.viewers) == 0 {
		sh.drop(v.conn, func(d *Drops) { d.Unwatched++ })
		l.gaps.began = false
		return
	}
	sh.missed(l, index, pic.key)
	if !v.meter.bears(sh.now, int64(len(payload)+packetCost), videoRate) {
		sh.drop(v.conn, func(d *Drops) { d.Excess++ })
		return
	}
	h.SSRC, h.Padded = v.ssrc, false
	sh.pictures++
	sh.first = min(sh.first, sh.came)
	p := sh.queue(v.conn.room, h)
	p.layer, p.index, p.payload, p.picture = l, index, payload, pic
	l.keep(index, p.header[:p.size], payload, sh.now)
}

// keep keeps a packet for receivers that miss it.
func (l *layer) keep(index uint64, header, payload []byte, now time.Duration) {
	if l.cache == nil {
		below := len(l.video.layers) - 1 - l.rank
		l.cache = cache.New(cachePackets, cacheBytes>>below)
	}
	l.cache.Put(index, header, payload, now)
}

// unwrap turns an RTX packet into the one it repeats (RFC 4588 4); payload is
// nil for one that came already, and for padding.
func (sh *shard) unwrap(l *layer, h *rtp.Header, payload []byte) (index uint64, original []byte) {
	seq, original, ok := rtp.Original(payload)
	if !ok || !codec(h.Type-1) || !l.stream.window.Started() {
		return 0, nil
	}
	h.Sequence = seq
	index = l.stream.window.Index(h.Sequence)
	if !l.stream.window.Fresh(index) {
		return 0, nil
	}
	l.stream.window.Accept(index)
	h.Type--
	h.SSRC = l.stream.ssrc
	sh.count.Recovered++
	return index, original
}

// show forwards a packet of video to a connection that has a view of it, if it
// sees that layer.
func (sh *shard) show(w *view, p *packet) {
	if w == nil {
		return
	}
	c, was := w.conn, w.layer
	index, r := w.next(p, sh.now)
	if r == nil {
		return
	}
	if w.layer != was {
		sh.count.Switches++
		c.room.count.Switches++
		if report, ok := w.sender(); ok {
			sh.sendReport(w, report)
		}
	}
	switch {
	case w.holding && index >= w.held:
		return // leaves in its turn
	case !w.holding && index == w.last && !c.path.may(sh.now):
		sh.hold(w, index)
		return
	}
	p.picture.renumber(p.payload, r)
	sh.seal(c, head{&p.header, p.size, p.timestamp + r.time}, p.payload, index)
	w.packets++
	w.octets += uint32(len(p.payload))
}
