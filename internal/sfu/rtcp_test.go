package sfu

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"parley/internal/calls"
)

func joinOf(c *client) calls.MediaJoin { return calls.MediaJoin{Call: c.call, Conn: c.conn + 100} }

// gets waits for an RTCP packet that pleases f.
func gets[P rtcp.Packet](c *client, f func(P) bool) P {
	c.t.Helper()
	for limit := time.After(patience); ; {
		select {
		case all := <-c.rtcp:
			for _, p := range all {
				if got, ok := p.(P); ok && f(got) {
					return got
				}
			}
		case <-limit:
			c.t.Fatalf("no %T", *new(P))
		}
	}
}

func (c *client) tell(p ...rtcp.Packet) {
	c.t.Helper()
	b, err := rtcp.Marshal(p)
	if err != nil {
		c.t.Fatal(err)
	}
	c.protect(b)
}

func TestReports(t *testing.T) {
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 10})
	b := connect(t, s, options{conn: 2, ssrc: 20})
	ready(t, s, 2)
	a.say("one")
	a.seq++ // lost
	a.say("two")
	b.hears(10, "two")
	a.tell(&rtcp.SenderReport{SSRC: 10, NTPTime: 0x1234567890abcdef, RTPTime: 77, PacketCount: 2, OctetCount: 6})
	sr := gets(b, func(p *rtcp.SenderReport) bool { return p.SSRC == 10 })
	if sr.NTPTime != 0x1234567890abcdef || sr.RTPTime != 77 {
		t.Errorf("passed on %+v", sr)
	}
	rr := gets(a, func(p *rtcp.ReceiverReport) bool { return len(p.Reports) > 0 && p.Reports[0].LastSenderReport != 0 })
	if r := rr.Reports[0]; r.SSRC != 10 || r.TotalLost != 1 || r.LastSequenceNumber != 1002 || r.LastSenderReport != 0x567890ab {
		t.Errorf("report %+v", rr)
	}
}

// TestTransportFeedback covers all SSRCs of the connection, muted or not, and
// speaks of one the client sends.
func TestTransportFeedback(t *testing.T) {
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 10, muted: true})
	ready(t, s, 1)
	seq := a.seq
	a.say("one")
	a.say("two", func(p *rtp.Packet) { p.SSRC, p.PayloadType = 11, 100 })
	a.say("three", func(p *rtp.Packet) { p.SSRC, p.PayloadType = 12, 101 })
	told := 0
	gets(a, func(p *rtcp.TransportLayerCC) bool {
		if p.MediaSSRC != 10 && p.MediaSSRC != 11 || p.BaseSequenceNumber != seq+uint16(told) {
			t.Errorf("feedback %+v", p)
		}
		told += int(p.PacketStatusCount)
		return told >= 3
	})
}
