package sfu

import (
	"time"

	"parley/internal/media/rtcp"
	"parley/internal/media/srtp"
	"parley/internal/media/udp"
)

const (
	maxRefresh  = 32   // streams of one FIR that are looked at
	mostAllowed = 10e6 // bits per second
	// clockEvery is how often what a sender says of its clock goes on, to each who
	// gets the stream; engines say it once in 1 to 5 s, and a datagram has room
	// for 50 times.
	clockEvery = 100 * time.Millisecond
)

// rtcp takes in what a client reports. Sender reports go on to those who get
// the stream: times are the sender's, which keeps lips and voice together.
func (sh *shard) rtcp(c *conn, b []byte, from udp.Peer) {
	if c.in == nil {
		sh.count.Drops.Early++
		return
	}
	plain, err := c.in.OpenRTCP(b)
	if err != nil {
		sh.count.Drops.Auth++
		return
	}
	sh.follow(c, from)
	sh.count.RTCPIn++
	for p, rest, ok := rtcp.Next(plain); ok; p, rest, ok = rtcp.Next(rest) {
		switch p.Type {
		case rtcp.TypeSender:
			if report, ok := p.Sender(); ok {
				sh.senderReport(c, report)
			}
			sh.reports(c, p)
		case rtcp.TypeReceiver:
			sh.reports(c, p)
		case rtcp.TypePayload:
			sh.payloadFeedback(c, p)
		case rtcp.TypeTransport:
			if f, ok := p.Feedback(); ok {
				sh.fed(c, f)
			} else if missing, ok := p.Missing(); ok {
				if w := c.viewOf(p); w != nil {
					sh.resend(w, missing)
				}
			}
		}
	}
}

// viewOf returns the view that feedback of a connection is about, or nil:
// receivers know only the SSRC of the lowest layer.
func (c *conn) viewOf(p rtcp.Packet) *view {
	ssrc, ok := p.Media()
	if !ok {
		return nil
	}
	return c.viewBy(ssrc)
}

func (c *conn) viewBy(ssrc uint32) *view {
	for _, w := range c.views {
		if w != nil && w.video.ssrc == ssrc && !w.video.waits {
			return w
		}
	}
	return nil
}

// payloadFeedback passes on that somebody lost a picture.
func (sh *shard) payloadFeedback(c *conn, p rtcp.Packet) {
	if ssrc, ok := p.PLI(); ok {
		sh.refresh(c.viewBy(ssrc))
	}
	if rate, ok := p.REMB(); ok {
		sh.remb(c, rate)
	}
	for i := range maxRefresh {
		ssrc, _, ok := p.FIR(i)
		if !ok {
			return
		}
		sh.refresh(c.viewBy(ssrc))
	}
}

// refresh asks for a key frame of the layer that a view shows, or is to show.
func (sh *shard) refresh(w *view) {
	if w == nil {
		return
	}
	sh.count.KeysIn++
	w.conn.room.count.KeysIn++
	l := w.target
	if w.layer != nil {
		l = w.layer
	}
	if l != nil {
		sh.askKey(l)
	}
}

// senderReport takes what a sender says of its clock.
func (sh *shard) senderReport(c *conn, report rtcp.Sender) {
	st := c.stream(report.SSRC)
	if st == nil {
		return
	}
	st.stats.lastSR, st.stats.srAt = uint32(report.NTP>>16), sh.came
	if st.stats.passedAt != 0 && sh.now-st.stats.passedAt < clockEvery {
		return
	}
	st.stats.passedAt = sh.now
	switch {
	case st.source != nil:
		sh.pass(st.source, report)
	case st.layer != nil && !st.repair:
		sh.passVideo(st.layer, report)
	}
}

// passVideo tells those who see a layer about its sender's clock.
func (sh *shard) passVideo(l *layer, report rtcp.Sender) {
	l.report, l.reported = report, true
	for _, w := range l.viewers {
		if w.layer != l {
			continue
		}
		if out, ok := w.sender(); ok {
			sh.sendReport(w, out)
		}
	}
}

func (sh *shard) sendReport(w *view, report rtcp.Sender) {
	w.passed.note(report.NTP, sh.now)
	sh.send(w.conn, rtcp.AppendSender(sh.scratch[:0], report))
}

// pass sends a sender report to everyone who gets the source.
func (sh *shard) pass(s *source, report rtcp.Sender) {
	s.passed.note(report.NTP, sh.now)
	packet := rtcp.AppendSender(sh.scratch[:0], report)
	for _, c := range s.conn.room.receivers {
		if sub := c.sub(s); sub != nil && c.wanted(s) && sub.epoch == s.epoch {
			sh.send(c, packet)
		}
	}
}

// send protects an RTCP packet and queues it.
func (sh *shard) send(c *conn, packet []byte) {
	n, err := c.out.SealRTCP(sh.socket.Space(len(packet)+srtp.Overhead), packet)
	if err != nil {
		sh.count.SealErrors++
		return
	}
	sh.socket.Send(n, c.addr)
	sh.count.RTCPOut++
}

// report sends a receiver report about all streams that came.
func (sh *shard) report(c *conn) {
	if c.out == nil {
		return
	}
	var blocks [maxStreams]rtcp.Report
	n, lost := 0, uint64(0)
	for i := range c.streams {
		if st := &c.streams[i]; st.stats.began {
			block, missing := st.stats.report(st.ssrc, sh.now)
			blocks[n], lost = block, lost+missing
			n++
		}
	}
	sh.count.LostIn += lost
	c.room.count.LostIn += lost
	if n == 0 {
		return
	}
	sh.send(c, rtcp.AppendReceiver(sh.scratch[:0], c.ssrc, blocks[:n]))
	if c.video != nil && (c.arrivals == nil || c.allowed != 0) {
		sh.allow(c, blocks[:n])
	}
}

// allow tells a sender whose packets have no transport-wide numbers, as
// Firefox, how much it may send: more while little gets lost. When they get some
// later, feedback tells, but libwebrtc stays below what it was told here last.
func (sh *shard) allow(c *conn, blocks []rtcp.Report) {
	worst := 0
	for _, b := range blocks {
		worst = max(worst, int(b.Fraction))
	}
	switch {
	case c.arrivals != nil:
		c.allowed = mostAllowed
	case c.allowed == 0:
		c.allowed = startRate
	case worst > 256/10:
		c.allowed -= c.allowed * worst / 512
	case worst < 256/50:
		c.allowed += c.allowed / 12
	}
	c.allowed = min(max(c.allowed, leastRate), mostAllowed)
	var streams [maxLayers]uint32
	n := 0
	for i, l := range c.video.layers {
		streams[i] = l.stream.ssrc
		n++
	}
	sh.send(c, rtcp.AppendREMB(sh.scratch[:0], c.ssrc, uint64(c.allowed), streams[:n]...))
}

// feedback tells senders when their packets came: without it they stay at the
// rate they begin with (media.md 7.1).
func (sh *shard) feedback() {
	for i, c := range sh.reporting {
		sh.reporting[i] = nil
		c.queued = false
		for c.out != nil && c.arrivals.Pending() > 0 {
			packet := c.arrivals.Append(sh.scratch[:0], c.ssrc, c.media)
			if len(packet) == 0 {
				break
			}
			sh.send(c, packet)
		}
	}
	sh.reporting = sh.reporting[:0]
}
