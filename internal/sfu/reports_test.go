package sfu

import (
	"context"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"parley/internal/colibri"
	"parley/internal/media/rtcp"
	"parley/internal/media/rtp"
	"parley/internal/media/udp"
)

const middle = 0x1234567890abcdef >> 16 & 0xffffffff // of the NTP time that says sends

// says sends a report of the stage's sender about a stream's clock.
func (s *stage) says(ssrc uint32, later uint64) {
	s.hears(s.from, rtcp.AppendSender(nil, rtcp.Sender{SSRC: ssrc, NTP: 0x1234567890abcdef + later<<32}))
}

// hears lets RTCP of a connection come.
func (s *stage) hears(c *conn, b []byte) {
	var d udp.Datagram
	d.N, d.From = copy(d.Slot[:], b), c.addr
	s.receive(&d)
}

// tells lets the viewer report of streams.
func (s *stage) tells(reports ...rtcp.Report) { s.hears(s.to, rtcp.AppendReceiver(nil, 1, reports)) }

// sounds sends sound from the stage's sender.
func (s *stage) sounds(n uint16) {
	s.come(rtp.Header{SSRC: 1, Type: colibri.OpusType, Sequence: n}, []byte("sound"))
}

// TestRoundTrip measures it by reports about sound and pictures, for sender
// reports that keep the sender's time.
func TestRoundTrip(t *testing.T) {
	s := newStage(t)
	s.show(180)
	s.sounds(1)
	s.take(0, typeVP8, 0, slim(0, true, 1))
	for _, ssrc := range []uint32{1, stageSSRC} {
		s.to.rtt = 0
		s.says(ssrc, 0)
		s.now += 1080 * time.Millisecond
		s.says(ssrc, 1)
		s.tells(rtcp.Report{SSRC: ssrc, LastSR: middle, Delay: 1 << 16})
		if s.to.rtt != 80*time.Millisecond {
			t.Fatalf("source %d: round trip %v", ssrc, s.to.rtt)
		}
		s.now += time.Second
		s.tells(rtcp.Report{SSRC: ssrc, LastSR: middle + 1<<16, Delay: 54067})
		if off := s.to.rtt - (80+(175-80)/8)*time.Millisecond; off.Abs() > time.Millisecond {
			t.Errorf("source %d: round trip %v", ssrc, s.to.rtt)
		}
		before := s.to.rtt
		for _, r := range []rtcp.Report{
			{SSRC: ssrc}, {SSRC: ssrc, LastSR: 77}, {SSRC: ssrc, LastSR: middle, Delay: 1 << 31}, {SSRC: 99, LastSR: middle},
		} {
			if s.tells(r); s.to.rtt != before {
				t.Errorf("round trip %v after %+v", s.to.rtt, r)
			}
		}
		s.now += maxTrip
		if s.tells(rtcp.Report{SSRC: ssrc, LastSR: middle}); s.to.rtt != before {
			t.Errorf("round trip %v", s.to.rtt)
		}
		if trip := s.to.path.estimate.RTT(); trip > time.Second {
			t.Errorf("the estimate's round trip %v", trip)
		}
	}
	want := RTTs{Sum: 2*80*time.Millisecond + 350*time.Millisecond}
	want.Counts[4], want.Counts[5] = 2, 2
	if got := s.count.RTT; got.Counts != want.Counts || (got.Sum-want.Sum).Abs() > time.Millisecond {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	s.to.rtt = 90 * time.Millisecond
	if m := s.calls(1); len(m) != 1 || m[0].RTT != s.to.rtt || m[0].Conns != 2 || m[0].Ready != 2 {
		t.Errorf("call %+v", m)
	}
}

// TestRoundTripOfOldPath: what went to another address says nothing of this one.
func TestRoundTripOfOldPath(t *testing.T) {
	s := newStage(t)
	s.show(180)
	s.take(0, typeVP8, 0, slim(0, true, 1))
	s.says(stageSSRC, 0)
	s.now += 80 * time.Millisecond
	other := udp.Peer{AddrPort: netip.MustParseAddrPort("192.0.2.77:7")}
	s.claim(s.to, other)
	s.move(s.to, other)
	s.now += 80 * time.Millisecond
	if s.tells(rtcp.Report{SSRC: stageSSRC, LastSR: middle}); s.to.rtt != 0 {
		t.Errorf("round trip %v", s.to.rtt)
	}
	s.says(stageSSRC, 1)
	s.now += 90 * time.Millisecond
	if s.tells(rtcp.Report{SSRC: stageSSRC, LastSR: middle + 1<<16}); s.to.rtt != 90*time.Millisecond {
		t.Errorf("round trip %v on the new path", s.to.rtt)
	}
}

// TestFeedbackOfWhatComes: engines drop feedback that speaks of a stream that
// they do not send any more, as that of a camera that was switched off.
func TestFeedbackOfWhatComes(t *testing.T) {
	s := newStage(t)
	c, number := s.from, uint16(0)
	for i, tt := range []struct {
		came []uint32
		want uint32
	}{
		{[]uint32{1}, 1},
		{[]uint32{stageSSRC + 1}, 1},
		{[]uint32{1, stageSSRC + 1, stageSSRC, 1}, stageSSRC},
		{[]uint32{stageSSRC + 1}, stageSSRC},
		{[]uint32{stageSSRC + 2, 1}, stageSSRC + 2},
		{[]uint32{1, stageSSRC + 3, 1}, 1},
	} {
		for _, ssrc := range tt.came {
			s.arrived(c, c.stream(ssrc), number)
			number++
		}
		if s.feedback(); c.media != tt.want {
			t.Errorf("step %d: feedback speaks of %d, want %d", i, c.media, tt.want)
		}
	}
}

// TestReportsAreBounded: of many reports about one clock, one goes on to all who
// get the stream, and later ones do again.
func TestReportsAreBounded(t *testing.T) {
	s := newStage(t)
	s.show(180)
	s.sounds(1)
	s.take(0, typeVP8, 0, slim(0, true, 1))
	for _, ssrc := range []uint32{1, stageSSRC} {
		for round := range uint64(3) {
			var many []byte
			for i := range uint64(50) {
				many = rtcp.AppendSender(many, rtcp.Sender{SSRC: ssrc, NTP: round<<40 + i<<32})
			}
			before := s.count.RTCPOut
			if s.hears(s.from, many); s.count.RTCPOut != before+1 {
				t.Errorf("source %d, round %d: %d reports sent", ssrc, round, s.count.RTCPOut-before)
			}
			s.now += clockEvery
		}
	}
}

// TestReportedLoss counts what receivers say they lack, by how many packets
// they speak of.
func TestReportedLoss(t *testing.T) {
	s := newStage(t)
	s.show(180)
	s.sounds(1)
	s.take(0, typeVP8, 0, slim(0, true, 1))
	for _, ssrc := range []uint32{1, stageSSRC} {
		for _, highest := range []uint32{65000, 65100, 65100, 65636, 65000, 65010} {
			s.tells(rtcp.Report{SSRC: ssrc, Highest: highest, Fraction: 64})
		}
	}
	s.tells(rtcp.Report{SSRC: 99, Highest: 1}, rtcp.Report{SSRC: 99, Highest: 1000})
	for _, got := range []Traffic{s.count.Traffic, s.from.room.count} {
		if got.Reported != 2*646 || got.LostOut != 2*(25+134+3) {
			t.Errorf("%d packets, %d lost", got.Reported, got.LostOut)
		}
	}
}

// TestLossOnTheWayIn counts what senders' packets lack.
func TestLossOnTheWayIn(t *testing.T) {
	s := newStage(t)
	for _, n := range []uint16{1, 2, 5, 7} {
		s.sounds(n)
	}
	s.report(s.from)
	s.sounds(6) // late
	s.sounds(8)
	s.report(s.from)
	if node, call := s.count, s.from.room.count; node.LostIn != 3 || call.LostIn != 3 || call.PacketsIn != 6 || node.PacketsIn != 6 || call.BytesIn == 0 {
		t.Errorf("node %+v, call %+v", node, call)
	}
}

// TestRepeatedOnce sends a packet again only when its receiver can know that
// it was, and it did not come.
func TestRepeatedOnce(t *testing.T) {
	s := newStage(t)
	s.show(180)
	s.take(0, typeVP8, 0, slim(0, true, 1))
	for i := range 200 {
		s.take(0, typeVP8, uint32(i)*3000, slim(0, false, 2))
	}
	w := s.to.view(s.from.video)
	lacks := func(after time.Duration, back ...uint16) {
		s.now += after
		numbers := make([]uint16, len(back))
		for i, n := range back {
			numbers[i] = uint16(w.last) - n
		}
		s.hears(s.to, rtcp.AppendNack(nil, 1, stageSSRC, numbers))
	}
	for i, tt := range []struct {
		rtt, after     time.Duration
		back           []uint16
		repeated, soon uint64
	}{
		{0, 0, []uint16{3}, 1, 0},
		{0, 20 * time.Millisecond, []uint16{3, 2}, 2, 1},
		{0, 29 * time.Millisecond, []uint16{3, 2}, 2, 3},
		{0, time.Millisecond, []uint16{3, 2}, 3, 4},
		{200 * time.Millisecond, 199 * time.Millisecond, []uint16{3, 2}, 4, 5},
		{200 * time.Millisecond, time.Millisecond, []uint16{3, 2}, 5, 6},
		{10 * time.Millisecond, 9 * time.Millisecond, []uint16{3, 2, 3 + maxAnswers}, 7, 7},
	} {
		s.to.rtt = tt.rtt
		if lacks(tt.after, tt.back...); s.count.Repeated != tt.repeated || s.count.NacksSoon != tt.soon || s.count.NacksLost != 0 {
			t.Fatalf("step %d: %d sent again, %d too soon, %d lost", i, s.count.Repeated, s.count.NacksSoon, s.count.NacksLost)
		}
	}
	if got := s.from.room.count; got.Repeated != s.count.Repeated || got.NacksIn != s.count.NacksIn {
		t.Errorf("call %+v", got)
	}
}

// TestAnotherPath forgets what it knew of the way to an address, and only then.
func TestAnotherPath(t *testing.T) {
	s := newStage(t)
	s.show(180)
	p, other := s.to.path, udp.Peer{AddrPort: netip.MustParseAddrPort("10.1.2.3:4000")}
	for _, tt := range []struct {
		to   udp.Peer
		rate int64
		rtt  time.Duration
	}{{s.to.addr, 5e6, time.Second}, {other, startRate, 0}, {other, 5e6, time.Second}} {
		p.estimate.REMB(5e6, s.now)
		s.to.rtt = time.Second
		if s.move(s.to, tt.to); p.estimate.Rate() != tt.rate || s.to.rtt != tt.rtt {
			t.Errorf("at %v: %d bit/s, round trip %v", tt.to, p.estimate.Rate(), s.to.rtt)
		}
	}
}

// TestCalls names the largest calls of a server, and what was done for them.
func TestCalls(t *testing.T) {
	s, _ := start(t)
	var all []*client
	for i, call := range []int64{7, 8, 8, 8, 9, 9} {
		all = append(all, connect(t, s, options{call: call, conn: int64(i), ssrc: uint32(100 * (i + 1))}))
	}
	ready(t, s, len(all))
	all[1].say("one")
	all[2].hears(200, "one")
	all[3].hears(200, "one")
	got, err := s.Calls(t.Context(), 2)
	if err != nil || len(got) != 2 || got[0].ID != 8 || got[1].ID != 9 || got[0].Conns != 3 || got[0].Ready != 3 {
		t.Fatalf("calls %+v, %v", got, err)
	}
	if c := got[0]; c.PacketsIn != 1 || c.Forwarded != 2 || c.BytesOut == 0 || got[1].PacketsIn != 0 {
		t.Errorf("calls %+v", got)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	s.Close()
	if _, err := s.Calls(ctx, 2); err == nil {
		t.Error("a closed server has calls")
	}
}

// TestAddMetrics adds every number there is.
func TestAddMetrics(t *testing.T) {
	var one, got Metrics
	fill(reflect.ValueOf(&one).Elem())
	got.add(&one)
	if got != one {
		t.Errorf("nothing and %+v are %+v", one, got)
	}
	got.add(&one)
	if got.Conns != 2 || got.LostIn != 2 || got.Drops.Muted != 2 || got.RTT.Counts[3] != 2 || got.RTT.Sum != 2 || got.Sent.Bytes != 2 {
		t.Errorf("twice %+v are %+v", one, got)
	}
}

// fill sets every number of a value to one.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for _, f := range v.Fields() {
			fill(f)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i))
		}
	default:
		v.Set(reflect.ValueOf(1).Convert(v.Type()))
	}
}
