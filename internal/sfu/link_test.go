package sfu

import (
	"encoding/binary"
	"testing"
	"time"

	"parley/internal/colibri"
	"parley/internal/media/bwe"
	"parley/internal/media/rtcp"
	"parley/internal/media/rtp"
	"parley/internal/media/srtp"
	"parley/internal/media/udp"
)

// link is the way from a bench to one viewer: a bottleneck with a queue. What
// comes through is told by transport-wide feedback, or by the receiver's own
// estimate of its video, which grows as libwebrtc's does: never beyond half again
// of what comes, and not while repairs come at other times than they are of.
type link struct {
	*bench
	film   *reel
	higher []*reel // of the same video
	viewer *conn
	rate   int64 // bits per second; 0: nothing comes through
	remb   bool
	voice  time.Duration // between two packets of sound; 0: nobody speaks
	each   int           // packets of video in 10 ms
	alone  bool          // it sends receiver reports, once a second, and nothing else

	busy     time.Duration // until then
	fly      []carried
	arrivals rtcp.Arrivals
	own      int64 // the receiver's own estimate
	bytes    int   // of video and repairs, since it was made
	repaired carried
	astray   bool // of the repairs since
	pictures int  // packets of video that came
	highest  uint16
	reported struct {
		highest  uint16
		pictures int
	}
	seq uint16
}

type carried struct {
	seq       uint16
	number    uint16
	size      int
	ssrc      uint32
	timestamp uint32
	at        time.Duration
}

// newLink lets one camera of so many bytes per packet, 100 packets a second,
// be seen by one viewer.
func newLink(t *testing.T, size int) *link {
	t.Helper()
	l := &link{bench: newBench(t, 1, 1), rate: 5e6, each: 1}
	l.film = l.bench.film(t, size)[0]
	return l.open()
}

// newLayers lets one camera of layers with so many bytes per packet be seen by
// one viewer.
func newLayers(t *testing.T, sizes ...int32) *link {
	t.Helper()
	l := &link{bench: newBench(t, 1, 1), rate: 5e6, each: 1}
	c, sim := l.senders[0], colibri.SourceGroup{Semantics: "SIM"}
	for i := range sizes {
		ssrc := 10000 + 2*int32(i)
		sim.Sources = append(sim.Sources, ssrc)
		c.client.Groups = append(c.client.Groups, colibri.SourceGroup{Semantics: "FID", Sources: []int32{ssrc, ssrc + 1}})
		c.streams = append(c.streams, stream{ssrc: uint32(ssrc), video: true}, stream{ssrc: uint32(ssrc + 1), video: true, repair: true})
	}
	c.client.Groups = append(c.client.Groups, sim)
	c.video = newVideo(c, endpointOf(c.id), true)
	l.addVideo(c.room, c.video)
	for i, layer := range c.video.layers {
		l.higher = append(l.higher, &reel{
			video: c.video, layer: layer, payload: make([]byte, sizes[i]), header: rtp.Header{SSRC: layer.stream.ssrc, Type: typeVP8},
		})
	}
	l.film, l.higher = l.higher[0], l.higher[1:]
	l.want(l.order[1], colibri.Wants{Default: colibri.Heights{Max: 720}})
	return l.open()
}

func (l *link) open() *link {
	l.server.timeout = time.Hour
	l.viewer = l.order[len(l.order)-1]
	l.now = time.Second
	l.socket.keep = l.carry
	return l
}

// carry takes a packet that leaves.
func (l *link) carry(b []byte, to udp.Peer) {
	l.busy = max(l.busy, l.now)
	if to != l.viewer.addr || rtp.IsRTCP(b) || l.rate == 0 || l.busy-l.now > 300*time.Millisecond {
		return
	}
	l.busy += time.Duration(int64(8*(len(b)+lowerLayers)) * int64(time.Second) / l.rate)
	l.fly = append(l.fly, carried{
		binary.BigEndian.Uint16(b[17:]), binary.BigEndian.Uint16(b[2:]), len(b), binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[4:]), l.busy + 20*time.Millisecond,
	})
}

// run lets time pass and returns how many packets of video came meanwhile.
func (l *link) run(t *testing.T, d time.Duration, films bool) int {
	t.Helper()
	before := l.pictures
	for end := l.now + d; l.now < end; {
		l.now += 5 * time.Millisecond
		l.came, l.sendTime = l.now, rtp.SendTime(l.now)
		if films && l.now%(10*time.Millisecond) == 0 {
			for range l.each {
				l.film.next(l.shard)
			}
			for _, f := range l.higher {
				f.next(l.shard)
			}
		}
		if l.voice > 0 && l.now%l.voice == 0 {
			l.seq++
			l.take(0, l.packet(t, 0, l.seq, 0x80|20))
		}
		l.forward()
		if l.now >= l.next() {
			l.timers()
		}
		l.runPlans()
		l.answer()
	}
	return l.pictures - before
}

// answer tells what came.
func (l *link) answer() {
	for len(l.fly) > 0 && l.fly[0].at <= l.now {
		f := l.fly[0]
		l.fly = l.fly[1:]
		l.arrivals.Note(f.seq, f.at)
		switch f.ssrc {
		case l.film.header.SSRC:
			l.pictures++
			l.highest = f.number
			l.bytes += f.size
		case l.film.video.repair:
			passed := time.Duration(int32(f.timestamp-l.repaired.timestamp)) * time.Second / videoClock
			l.astray = l.astray || l.repaired.ssrc != 0 && (passed-(f.at-l.repaired.at)).Abs() > 30*time.Millisecond
			l.repaired = f
			l.bytes += f.size
		}
	}
	switch {
	case l.remb && l.now%time.Second == 0 && l.bytes > 0:
		if !l.astray {
			l.own += l.own / 12
		}
		l.own = min(l.own, int64(12*l.bytes)+10e3)
		l.bytes, l.astray = 0, false
		l.shard.remb(l.viewer, uint64(l.own))
	case l.alone:
		if l.now%time.Second == 0 {
			l.report()
		}
	case !l.remb && l.now%(50*time.Millisecond) == 0:
		for b := l.arrivals.Append(nil, 1, 2); len(b) > 0; b = l.arrivals.Append(nil, 1, 2) {
			p, _, _ := rtcp.Next(b)
			f, _ := p.Feedback()
			l.fed(l.viewer, f)
		}
	}
	l.runPlans()
}

// report tells what share of the video was lost.
func (l *link) report() {
	span, came := int(l.highest-l.reported.highest), l.pictures-l.reported.pictures
	l.reported.highest, l.reported.pictures = l.highest, l.pictures
	if span == 0 {
		return
	}
	r := rtcp.Report{SSRC: l.film.header.SSRC, Highest: uint32(l.highest), Fraction: uint8(min(max(span-came, 0)*256/span, 255))}
	p, _, _ := rtcp.Next(rtcp.AppendReceiver(nil, 1, []rtcp.Report{r}))
	l.reports(l.viewer, p)
}

// TestReportsAlone checks that a receiver that tells nothing but what it lacks
// gets what its path holds, and more when that holds more.
func TestReportsAlone(t *testing.T) {
	for _, rate := range []int64{300e3, 150e3, 0} {
		l := newLayers(t, 60, 240, 1050) // 100, 240, 900 kbit/s
		l.alone = true
		full := func() bool {
			w := l.viewer.view(l.film.video)
			return w.layer == l.higher[1].layer && l.run(t, time.Second, true) >= 95
		}
		l.run(t, 10*time.Second, true)
		if !full() {
			t.Fatalf("not all is seen where there is room; estimate %d", l.viewer.path.estimate.Rate())
		}
		l.rate = rate
		l.run(t, 15*time.Second, true)
		came := l.run(t, 20*time.Second, true)
		if rate > 0 && came < 1500 {
			t.Errorf("%d bit/s: %d packets came of 2000; estimate %d", rate, came, l.viewer.path.estimate.Rate())
		}
		l.rate = 5e6
		l.run(t, 30*time.Second, true)
		if !full() {
			t.Errorf("after %d bit/s: not all is seen again; estimate %d", rate, l.viewer.path.estimate.Rate())
		}
	}
}

// TestComesBack checks that video that was stopped for lack of room comes back
// once there is room, whether or not anybody speaks meanwhile.
func TestComesBack(t *testing.T) {
	tests := []struct {
		name  string
		size  int
		worse func(t *testing.T, l *link)
	}{
		{"after 300 kbit/s", 1100, func(t *testing.T, l *link) { l.rate = 300e3; l.run(t, 30*time.Second, true) }},
		{"after 100 kbit/s", 400, func(t *testing.T, l *link) { l.rate = 100e3; l.run(t, 30*time.Second, true) }},
		{"after 8 s of 100 kbit/s", 900, func(t *testing.T, l *link) { l.rate = 100e3; l.run(t, 8*time.Second, true) }},
		{"after 4 s without a path", 1000, func(t *testing.T, l *link) { l.rate = 0; l.run(t, 4*time.Second, true) }},
		{"after 10 s without a path", 400, func(t *testing.T, l *link) { l.rate = 0; l.run(t, 10*time.Second, true) }},
		{"after a minute without a path", 110, func(t *testing.T, l *link) { l.rate = 0; l.run(t, time.Minute, true) }},
		{"after a still picture whose end got lost", 400, func(t *testing.T, l *link) {
			l.run(t, time.Second, false)
			l.rate = 0
			l.run(t, 20*time.Millisecond, true)
			l.rate = 5e6
			l.run(t, 20*time.Second, false)
		}},
	}
	for _, tt := range tests {
		for _, voice := range []time.Duration{0, 20 * time.Millisecond, 120 * time.Millisecond} {
			l := newLink(t, tt.size)
			l.voice = voice
			l.run(t, 10*time.Second, true)
			if n := l.run(t, time.Second, true); n < 95 {
				t.Errorf("%s: at first %d packets come in a second", tt.name, n)
			}
			tt.worse(t, l)
			l.rate = 5e6
			l.run(t, 14*time.Second, true)
			if n := l.run(t, time.Second, true); n < 95 {
				t.Errorf("%s, sound each %v: 15 s later %d packets come in a second; estimate %d", tt.name, voice, n, l.viewer.path.estimate.Rate())
			}
		}
	}
}

// TestComesBackFromTheLeast checks that a path of which the least is believed is
// probed with success: the probe takes longer than most.
func TestComesBackFromTheLeast(t *testing.T) {
	for _, gone := range []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute} {
		l := newLink(t, 110)
		l.run(t, 10*time.Second, true)
		l.rate = 0
		l.run(t, gone, true)
		if rate := l.viewer.path.estimate.Rate(); rate != leastRate {
			t.Fatalf("estimate %d without a path", rate)
		}
		l.rate = 5e6
		l.run(t, 5*time.Second, true)
		if n := l.run(t, time.Second, true); n < 95 {
			t.Errorf("5 s after %v without a path %d packets come in a second; estimate %d", gone, n, l.viewer.path.estimate.Rate())
		}
	}
}

// TestFullPathIsLeftAlone checks that a path with room for the lowest layer and
// little more is not probed all the time for the next one: what a probe fills it
// with takes long to drain, and sound waits behind it.
func TestFullPathIsLeftAlone(t *testing.T) {
	l := newLayers(t, 60, 240, 1050)
	l.rate, l.voice = 150e3, 60*time.Millisecond
	l.run(t, 30*time.Second, true)
	queue, came := time.Duration(0), 0
	for range 300 {
		came += l.run(t, 100*time.Millisecond, true)
		queue += max(l.busy-l.now, 0) / 300
	}
	if queue > 100*time.Millisecond || came < 2900 {
		t.Errorf("packets wait for %v, %d of video came in 30 s", queue, came)
	}
}

// TestNoRoomForTheFirst checks that a picture that a path has no room for, though
// for half of it, is tried again more and more seldom: meanwhile sound has the
// path. Once there is room it is seen.
func TestNoRoomForTheFirst(t *testing.T) {
	for _, rate := range []int64{600e3, 800e3} {
		l := newLink(t, 1100)
		l.rate, l.voice = rate, 60*time.Millisecond
		l.run(t, 20*time.Second, true)
		late, came := 0, 0
		for range 1200 {
			came += l.run(t, 100*time.Millisecond, true)
			if l.busy-l.now > 100*time.Millisecond {
				late++
			}
		}
		if late > 200 || came == 0 {
			t.Errorf("%d bit/s: in 120 s sound comes late for %d ms; %d packets of video came", rate, 100*late, came)
		}
		l.rate = 2e6
		l.run(t, 10*time.Second, true)
		if n := l.run(t, time.Second, true); n < 95 {
			t.Errorf("%d bit/s: %d packets come in a second where there is room", rate, n)
		}
	}
}

// TestTooMuchForTheStart checks that a picture that needs more than every path
// is believed to hold at first is seen on one that holds it.
func TestTooMuchForTheStart(t *testing.T) {
	l := newLink(t, 1150)
	l.rate, l.each = 50e6, 3
	l.run(t, 5*time.Second, true)
	c := l.conn(t, 77, make([]byte, srtp.GCM128.Material()))
	wants := l.viewer.wants
	l.viewer, l.fly, l.arrivals = c, nil, rtcp.Arrivals{}
	l.want(c, wants)
	l.runPlans()
	if c.path == nil || c.view(l.film.video).target != nil {
		t.Fatal("it is believed to hold all of it at once")
	}
	if n := l.run(t, 10*time.Second, true); n < 2500 {
		t.Errorf("%d packets came in 10 s", n)
	}
}

// TestOwnEstimate checks that a receiver that sends no transport-wide feedback
// is sent enough for its own estimate to rise, and what lets it.
func TestOwnEstimate(t *testing.T) {
	l := newLink(t, 1100)
	l.remb, l.voice = true, 20*time.Millisecond
	l.own = 80e3
	l.shard.remb(l.viewer, uint64(l.own))
	l.runPlans()
	l.run(t, 45*time.Second, true)
	if n := l.run(t, time.Second, true); n < 95 {
		t.Errorf("%d packets come in a second; estimate %d", n, l.viewer.path.estimate.Rate())
	}
	if p := l.viewer.path; p.soundRate < 50e3 || p.budget(l.now) != int(p.estimate.Rate()) {
		t.Errorf("of %d for video, and %d of sound, it may have %d", p.estimate.Rate(), p.soundRate, p.budget(l.now))
	}
	padding := l.count.Padding
	l.run(t, 5*time.Second, true)
	if l.count.Padding != padding {
		t.Errorf("%d packets of padding where there is room", l.count.Padding-padding)
	}
}

// TestMediaProbes: what is sent anyway is part of a probe, which is no faster
// for it; what cannot be sent does not keep the shard.
func TestMediaProbes(t *testing.T) {
	l := newLink(t, 1000)
	l.run(t, 10*time.Second, true)
	for _, tt := range []struct {
		rate int64 // of the probe; the camera sends 0.84 Mbit/s
		most uint64
		min  uint64
	}{{500e3, 1, 0}, {840e3, 2, 0}, {1680e3, 12, 4}} {
		p := l.viewer.path
		for p.queued {
			l.run(t, 100*time.Millisecond, true)
		}
		before := l.count.Padding
		p.probe, p.left, p.next, p.until, p.queued = bwe.Probe{ID: 99, Rate: tt.rate, Bytes: 1 << 20}, 1<<20, l.now, l.now+100*time.Millisecond, true
		l.probing, l.probeDue = append(l.probing, l.viewer), l.now
		l.run(t, 90*time.Millisecond, true)
		if n := l.count.Padding - before; n > tt.most || n < tt.min {
			t.Errorf("%d packets of padding for %d bit/s", n, tt.rate)
		}
	}
	l.viewer.out = refusing{}
	l.viewer.path.probe = bwe.Probe{ID: 99, Rate: 1e6, Bytes: 1 << 20}
	l.viewer.path.next, l.viewer.path.until = l.now, l.now+time.Second
	l.probing, l.probeDue = append(l.probing[:0], l.viewer), l.now
	if l.sendProbes(); l.count.SealErrors == 0 {
		t.Error("nothing was tried")
	}
}

// refusing protects nothing, and sends nothing.
type refusing struct{ plain }

func (refusing) SealRTP([]byte, int, []byte, uint64) (int, error) { return 0, srtp.ErrAuth }

// TestSlowLayer checks that a layer of few pictures a second is not taken for
// one that ended: each change asks for key frames of two layers.
func TestSlowLayer(t *testing.T) {
	for _, every := range []time.Duration{300 * time.Millisecond, 520 * time.Millisecond, time.Second} {
		l := newLayers(t, 100, 400)
		l.want(l.viewer, colibri.Wants{Default: colibri.Heights{Max: 180}})
		picture := func(f *reel) {
			for range 5 {
				f.next(l.shard)
			}
		}
		step := func(slow bool) {
			l.now += 20 * time.Millisecond
			l.came, l.sendTime = l.now, rtp.SendTime(l.now)
			if slow && l.now%every == 0 {
				picture(l.film)
			}
			picture(l.higher[0])
			l.forward()
			if l.now >= l.next() {
				l.timers()
			}
			l.answer()
		}
		for range 500 {
			step(true)
		}
		if switches, came := l.count.Switches, l.pictures; switches > 4 || came > 700+5*int(10*time.Second/every) {
			t.Errorf("a picture each %v: %d changes, %d packets", every, switches, came)
		}
		for range 250 {
			step(false)
		}
		if w := l.viewer.view(l.film.video); w.layer != l.higher[0].layer {
			t.Errorf("a picture each %v: the layer has ended and is not left", every)
		}
	}
}
