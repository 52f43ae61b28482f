package sfu

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// endpointOf is the endpoint that join gives a connection.
func endpointOf(conn int64) string { return fmt.Sprintf("e%015x", conn) }

// TestLayers shows a camera of three layers to receivers that want different
// heights.
func TestLayers(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 100, groups: simulcast(100, 3)})
	k := film(a, 180, 360, 720)
	ready(t, s, 1)
	defer k.roll()()
	for layer, height := range []int{180, 360, 720} {
		t.Run(fmt.Sprint(height), func(t *testing.T) {
			b := connect(t, s, options{conn: int64(2 + layer), ssrc: uint32(200 + 10*layer)})
			b.channel().want(t, height, endpointOf(1))
			w := watch(b, 101)
			w.until(layer)
			for range 10 * perPicture {
				w.see()
			}
			if w.layer != layer {
				t.Errorf("layer %d for %d", w.layer, height)
			}
		})
	}
}

// TestSwitch changes layers up and down; nobody sees a seam.
func TestSwitch(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 100, groups: simulcast(100, 3)})
	b := connect(t, s, options{conn: 2, ssrc: 200})
	ready(t, s, 2)
	k := film(a, 180, 360, 720)
	ch, w := b.channel(), watch(b, 101)
	k.report()
	for n := range 50 {
		layer := []int{2, 0, 1}[n%3]
		ch.want(t, 180<<layer, endpointOf(1))
		for limit := time.Now().Add(patience); w.layer != layer; {
			k.shoot(true)
			w.drain()
			if <-time.After(time.Millisecond); time.Now().After(limit) {
				t.Fatalf("switch %d: layer %d, want %d", n, w.layer, layer)
			}
		}
	}
	if w.switches < 50 {
		t.Errorf("%d switches", w.switches)
	}
	_ = gets(b, func(p *rtcp.SenderReport) bool { return p.SSRC == 101 })
}

// TestWebK joins with the groups in the order and the signs that Web K has.
func TestWebK(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	const ssrc = 0xfffffff0
	var l [7]int32
	for i := range l {
		l[i] = int32(ssrc - 0xffffffff - 1 + int64(i))
	}
	groups := fmt.Sprintf(`[{"semantics":"FID","sources":[%d,%d]},{"semantics":"SIM","sources":[%d,%d,%d]},
		{"semantics":"FID","sources":[%d,%d]},{"semantics":"FID","sources":[%d,%d]}]`, l[1], l[2], l[1], l[3], l[5], l[3], l[4], l[5], l[6])
	a := connect(t, s, options{conn: 1, ssrc: ssrc, groups: groups})
	b := connect(t, s, options{conn: 2, ssrc: 20})
	k := film(a, 180, 360, 720)
	b.channel().want(t, 720, endpointOf(1))
	ready(t, s, 2)
	defer k.roll()()
	watch(b, ssrc+1).until(2)
}

// TestNobodySeesThemselves sends a camera, a screen and its sound over two
// connections of one user.
func TestNobodySeesThemselves(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 100, user: 7, groups: simulcast(100, 3)})
	screen := connect(t, s, options{conn: 2, ssrc: 200, user: 7, groups: simulcast(200, 2), screen: true})
	b := connect(t, s, options{conn: 3, ssrc: 300, user: 8})
	ready(t, s, 3)
	for _, c := range []*client{a, b} {
		c.channel().want(t, 720, endpointOf(1), endpointOf(2))
	}
	camera, other := film(a, 180, 360, 720), film(screen, 540, 1080)
	defer camera.roll()()
	defer other.roll()()
	layers := map[uint32]byte{}
	eventually(t, func() string {
		for len(b.rtp) > 0 {
			p := <-b.rtp
			layers[p.SSRC] = p.Payload[len(p.Payload)-1]
		}
		if layers[101] != 2 || layers[201] != 1 {
			return fmt.Sprintf("sees %v", layers)
		}
		return ""
	})
	screen.say("film")
	b.hears(200, "film")
	if len(a.rtp) > 0 || len(screen.rtp) > 0 {
		t.Errorf("%d packets came back, %d to the screen", len(a.rtp), len(screen.rtp))
	}
}

// TestVideoGate keeps a camera back, on packets.
func TestVideoGate(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 100, groups: simulcast(100, 3), unseen: true})
	b := connect(t, s, options{conn: 2, ssrc: 200})
	ready(t, s, 2)
	b.channel().want(t, 180, endpointOf(1))
	k, w := film(a, 180, 360, 720), watch(b, 101)
	k.shoot(true)
	a.say("after the picture")
	b.hears(100, "after the picture")
	stop := k.roll()
	s.Gate(1, 1, true, true)
	w.until(0)
	s.Gate(1, 1, true, false)
	ready(t, s, 2) // the gate's order came before
	for n := len(b.rtp); n > 0; n-- {
		<-b.rtp
	}
	<-time.After(5 * pictureEvery)
	if len(b.rtp) > perPicture {
		t.Errorf("%d packets of a closed camera", len(b.rtp))
	}
	for n := len(b.rtp); n > 0; n-- {
		<-b.rtp
	}
	s.Gate(1, 1, true, true)
	w.last = nil // begins anew, with a key frame
	w.until(0)
	w.see()
	stop()
}

// TestPLI passes on that a receiver lost the picture: to the layer it sees,
// and not too often.
func TestPLI(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 100, groups: simulcast(100, 3)})
	b := connect(t, s, options{conn: 2, ssrc: 200})
	ready(t, s, 2)
	k, w := film(a, 180, 360, 720), watch(b, 101)
	b.channel().want(t, 720, endpointOf(1))
	defer k.roll()()
	w.until(2)
	for end := time.Now().Add(2 * askEvery); time.Now().Before(end); {
		w.see() // until what was asked for at first has come
	}
	before := k.askedTimes(k.layers[2])
	began := time.Now()
	for range 20 {
		b.tell(&rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: 101})
		b.tell(&rtcp.FullIntraRequest{SenderSSRC: 1, MediaSSRC: 101, FIR: []rtcp.FIREntry{{SSRC: 101, SequenceNumber: 1}}})
	}
	eventually(t, func() string {
		if k.askedTimes(k.layers[2]) == before {
			return "the sender heard nothing"
		}
		return ""
	})
	most := before + 1 + int(time.Since(began)/askAgain)
	if n := k.askedTimes(k.layers[2]); n > most || k.askedTimes(k.layers[0]) > 3 {
		t.Errorf("asked %d times, of the lowest layer %d", n, k.askedTimes(k.layers[0]))
	}
}

// TestRepair loses packets on both ways.
func TestRepair(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 100, groups: simulcast(100, 3)})
	b := connect(t, s, options{conn: 2, ssrc: 200})
	ready(t, s, 2)
	k := film(a, 180, 360, 720)
	b.channel().want(t, 720, endpointOf(1))
	var lost uint16
	k.drop = func(layer int, seq uint16) bool {
		if layer == 2 && lost == 0 && k.at > time.Second {
			lost = seq
			return true
		}
		return false
	}
	stop := k.roll()
	eventually(t, func() string {
		k.mu.Lock()
		defer k.mu.Unlock()
		if len(k.nacked[105]) == 0 {
			return "the server misses nothing"
		}
		return ""
	})
	stop()
	k.mu.Lock()
	if got := k.nacked[105][0]; got != lost {
		t.Errorf("asked for %d, lost %d", got, lost)
	}
	k.mu.Unlock()
	k.repeat(k.layers[2], lost)
	k.repeat(k.layers[2], lost) // a second time: padding
	var all []*rtp.Packet
	seen := map[uint16]*rtp.Packet{}
	eventually(t, func() string {
		for len(b.rtp) > 0 {
			p := <-b.rtp
			if p.SSRC == 102 {
				continue // to see how much room there is
			}
			if p.SSRC != 101 || seen[p.SequenceNumber] != nil {
				t.Fatalf("packet %v", p)
			}
			seen[p.SequenceNumber] = p
			all = append(all, p)
		}
		last := all[len(all)-1]
		if newest := all[len(all)-2]; seen[last.SequenceNumber-1] == nil || int16(last.SequenceNumber-newest.SequenceNumber) > 0 {
			return "what was lost does not come"
		}
		return ""
	})
	missing := all[len(all)-10]
	b.tell(&rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: 101, Nacks: rtcp.NackPairsFromSequenceNumbers(
		[]uint16{missing.SequenceNumber, missing.SequenceNumber + 1000})})
	var p *rtp.Packet
	eventually(t, func() string {
		if len(b.rtp) > 0 {
			p = <-b.rtp
		}
		if p == nil || p.SSRC != 102 || binary.BigEndian.Uint16(p.Payload) != missing.SequenceNumber {
			return "nothing is sent again"
		}
		return ""
	})
	if p.PayloadType != 101 || p.Timestamp != missing.Timestamp || p.Marker != missing.Marker {
		t.Fatalf("packet %v for %v", p, missing)
	}
	if want := append([]byte{byte(missing.SequenceNumber >> 8), byte(missing.SequenceNumber)}, missing.Payload...); string(p.Payload) != string(want) {
		t.Errorf("payload %x, want %x", p.Payload, want)
	}
}

// TestSenderConstraints tells a sender what is wanted of it, when it listens
// and when a receiver leaves.
func TestSenderConstraints(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 100, groups: simulcast(100, 3)})
	b := connect(t, s, options{conn: 2, ssrc: 200})
	c := connect(t, s, options{conn: 3, ssrc: 300})
	ready(t, s, 3)
	b.channel().want(t, 360, endpointOf(1))
	eventually(t, func() string {
		if w, err := s.Wants(t.Context(), 1, 2); err != nil || w.Of(endpointOf(1)).Max != 360 {
			return fmt.Sprint("wants ", w, err)
		}
		return ""
	})
	ch := a.channel()
	told := func(height int) {
		t.Helper()
		wait(t, ch.messages, fmt.Sprintf(`{"colibriClass":"SenderVideoConstraints","videoConstraints":{"idealHeight":%d}}`, height))
	}
	told(360)
	c.channel().want(t, 720, endpointOf(1))
	told(720)
	s.Leave(1, 3)
	told(360)
	s.Leave(1, 2)
	told(0)
}

// TestPick: 720 is the most that clients ask for, so that it stands for all
// there is: ReferenceImpl shares a screen in three layers, Web K a camera of
// 1080 if there is no other.
func TestPick(t *testing.T) {
	for _, tt := range []struct {
		name   string
		sizes  []int
		height int
		want   int
	}{
		{"camera", []int{180, 360, 720}, 720, 2},
		{"camera, medium", []int{180, 360, 720}, 360, 1},
		{"camera, less than anything", []int{180, 360, 720}, 90, 0},
		{"screen of ReferenceImpl", []int{270, 540, 1080}, 720, 2},
		{"screen of ReferenceImpl, thumbnail", []int{270, 540, 1080}, 180, 0},
		{"large camera, medium", []int{270, 540, 1080}, 360, 0},
		{"screen of tgcalls", []int{540, 1080}, 720, 1},
		{"screen of tgcalls, medium", []int{540, 1080}, 360, 0},
		{"the highest is off", []int{270, 540, 0}, 720, 1},
	} {
		v := &video{open: true}
		for rank, size := range tt.sizes {
			v.layers = append(v.layers, &layer{video: v, rank: rank, size: size, live: size > 0})
		}
		if l := v.pick(tt.height); l.rank != tt.want {
			t.Errorf("%s: layer %d, want %d", tt.name, l.rank, tt.want)
		}
	}
}

// TestSmallThumbnail: ReferenceImpl asks for thumbnails of 90; Web K sends
// nothing at all to one who wants less than 180.
func TestSmallThumbnail(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 100, groups: simulcast(100, 3)})
	b := connect(t, s, options{conn: 2, ssrc: 200})
	ready(t, s, 2)
	ch := a.channel()
	b.channel().want(t, 90, endpointOf(1))
	wait(t, ch.messages, `{"colibriClass":"SenderVideoConstraints","videoConstraints":{"idealHeight":180}}`)
	k := film(a, 180, 360, 720)
	defer k.roll()()
	watch(b, 101).until(0)
}

// TestDefault shows something to receivers that never say what they want.
func TestDefault(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	var cameras []*camera
	for i := range int64(6) {
		c := connect(t, s, options{conn: 10 + i, ssrc: uint32(1000 + 100*i), groups: simulcast(uint32(1000+100*i), 3)})
		cameras = append(cameras, film(c, 180, 360, 720))
	}
	b := connect(t, s, options{conn: 1, ssrc: 20})
	ready(t, s, 7)
	for _, k := range cameras {
		defer k.roll()()
	}
	<-time.After(defaultAfter / 2)
	if len(b.rtp) > 0 {
		t.Error("video before anyone asked")
	}
	layers := map[uint32]int{}
	eventually(t, func() string {
		for len(b.rtp) > 0 {
			p := <-b.rtp
			layers[p.SSRC] = int(p.Payload[len(p.Payload)-1])
		}
		if len(layers) < defaultMost {
			return fmt.Sprintf("sees %d", len(layers))
		}
		return ""
	})
	<-time.After(10 * pictureEvery)
	for len(b.rtp) > 0 {
		p := <-b.rtp
		layers[p.SSRC] = int(p.Payload[len(p.Payload)-1])
	}
	if len(layers) != defaultMost {
		t.Errorf("sees %v", layers)
	}
	for ssrc, layer := range layers {
		if layer != 1 {
			t.Errorf("layer %d of %d", layer, ssrc)
		}
	}
}

// TestFewerLayers serves cameras of one and two layers.
func TestFewerLayers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ layers, height, want int }{{1, 180, 0}, {1, 720, 0}, {2, 720, 1}, {2, 360, 0}} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			t.Parallel()
			s, _ := start(t)
			a := connect(t, s, options{conn: 1, ssrc: 100, groups: simulcast(100, tt.layers)})
			b := connect(t, s, options{conn: 2, ssrc: 200})
			ready(t, s, 2)
			b.channel().want(t, tt.height, endpointOf(1))
			k, w := film(a, []int{540, 1080}[:tt.layers]...), watch(b, 101)
			defer k.roll()()
			w.until(tt.want)
			for range 20 {
				w.see()
			}
			if w.layer != tt.want {
				t.Errorf("layer %d, want %d", w.layer, tt.want)
			}
		})
	}
}

// TestLayerFallsSilent goes down to a layer that is still sent, and up again.
func TestLayerFallsSilent(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 100, groups: simulcast(100, 3)})
	b := connect(t, s, options{conn: 2, ssrc: 200})
	ready(t, s, 2)
	b.channel().want(t, 720, endpointOf(1))
	k, w := film(a, 180, 360, 720), watch(b, 101)
	stop := k.roll()
	w.until(2)
	stop()
	k.layers[2].height = 0
	stop = k.roll()
	w.until(1)
	stop()
	k.layers[2].height = 720
	stop = k.roll()
	w.until(2)
	stop()
}

// TestLateViewer gets a key frame soon, whatever the sender does by itself.
func TestLateViewer(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 100, groups: simulcast(100, 3)})
	b := connect(t, s, options{conn: 2, ssrc: 200})
	ready(t, s, 2)
	b.channel().want(t, 720, endpointOf(1))
	k := film(a, 180, 360, 720)
	defer k.roll()()
	watch(b, 101).until(2)
	<-time.After(askEvery)
	late := connect(t, s, options{conn: 3, ssrc: 300})
	ch := late.channel()
	began := time.Now()
	ch.want(t, 720, endpointOf(1))
	watch(late, 101).see()
	if took := time.Since(began); took > time.Second {
		t.Errorf("first picture after %v", took)
	}
}

// TestVideoRejoin joins a new connection with the old SSRCs before the old one
// leaves: receivers see one stream whose numbers, times and pictures go on.
func TestVideoRejoin(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	old := connect(t, s, options{conn: 1, ssrc: 100, groups: simulcast(100, 3)})
	b := connect(t, s, options{conn: 2, ssrc: 200})
	ready(t, s, 2)
	ch, w := b.channel(), watch(b, 101)
	ch.want(t, 180, endpointOf(1), endpointOf(3))
	stop := film(old, 180, 360, 720).roll()
	for range 10 * perPicture {
		w.see()
	}
	again := connect(t, s, options{conn: 3, ssrc: 100, groups: simulcast(100, 3)})
	ready(t, s, 3)
	k := film(again, 180, 360, 720)
	k.at = time.Hour
	for _, l := range k.layers {
		l.seq = 1 // would be old numbers
	}
	defer k.roll()()
	<-time.After(5 * pictureEvery)
	stop()
	for w.drain(); !w.last.Marker; {
		w.see()
	}
	last := w.last.SequenceNumber
	s.Leave(1, 1)
	if p := w.see(); p.SequenceNumber != last+1 {
		t.Errorf("number %d after %d", p.SequenceNumber, last)
	}
	for range 10 * perPicture {
		w.see()
	}
}

// TestNoTransportNumbers lets a sender without transport-wide numbers know how
// much it may send. What it was told must not bound it once it has them: feedback
// says how much then.
func TestNoTransportNumbers(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 100, groups: simulcast(100, 3)})
	ready(t, s, 1)
	a.say("x", func(p *rtp.Packet) { p.SSRC, p.PayloadType, p.Extension, p.Extensions = 101, 100, false, nil })
	p := gets(a, func(*rtcp.ReceiverEstimatedMaximumBitrate) bool { return true })
	if p.Bitrate < startRate || len(p.SSRCs) != 3 || p.SSRCs[0] != 101 || p.SSRCs[2] != 105 {
		t.Errorf("allowed %+v", p)
	}
	a.say("x", func(p *rtp.Packet) { p.SSRC, p.PayloadType = 101, 100 })
	gets(a, func(p *rtcp.ReceiverEstimatedMaximumBitrate) bool { return p.Bitrate == mostAllowed })
}

// TestReportsNothing shows all there is to a receiver that says nothing of
// what it gets, after a while.
func TestReportsNothing(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 100, groups: simulcast(100, 3)})
	screen := connect(t, s, options{conn: 2, ssrc: 200, groups: simulcast(200, 2), screen: true})
	b := connect(t, s, options{conn: 3, ssrc: 300, silent: true})
	ready(t, s, 3)
	b.channel().want(t, 1080, endpointOf(1), endpointOf(2))
	defer film(a, 180, 360, 720).roll()()
	defer film(screen, 540, 1080).roll()()
	layers := map[uint32]byte{}
	eventually(t, func() string {
		for len(b.rtp) > 0 {
			p := <-b.rtp
			layers[p.SSRC] = p.Payload[len(p.Payload)-1]
		}
		if layers[101] != 2 || layers[201] != 1 {
			return fmt.Sprintf("sees %v", layers)
		}
		return ""
	})
}
