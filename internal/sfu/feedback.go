package sfu

import (
	"net/netip"

	"parley/internal/media/rtcp"
	"parley/internal/media/srtp"
)

// rtcp takes in what a client reports. Sender reports go on to those who hear
// the stream: times and timestamps are the sender's, which keeps lips and
// voice together.
func (sh *shard) rtcp(c *conn, b []byte, from netip.AddrPort) {
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
		report, ok := p.Sender()
		if !ok {
			continue
		}
		if st := c.stream(report.SSRC); st != nil {
			st.stats.lastSR, st.stats.srAt = uint32(report.NTP>>16), sh.now
			if st.source != nil {
				sh.pass(st.source, report)
			}
		}
	}
}

// pass sends a sender report to everyone who gets the source.
func (sh *shard) pass(s *source, report rtcp.Sender) {
	packet := rtcp.AppendSender(sh.scratch[:0], report)
	for _, c := range s.conn.room.receivers {
		if c.wanted(s) && c.subs[s.slot].epoch == s.epoch {
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
	n := 0
	for i := range c.streams {
		if st := &c.streams[i]; st.stats.began {
			blocks[n] = st.stats.report(st.ssrc, sh.now)
			n++
		}
	}
	if n > 0 {
		sh.send(c, rtcp.AppendReceiver(sh.scratch[:0], c.ssrc, blocks[:n]))
	}
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
