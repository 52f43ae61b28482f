package sfu

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"parley/internal/colibri"
	"parley/internal/media/rtcp"
	"parley/internal/media/rtp"
	"parley/internal/media/udp"
)

// stage is a bench whose packets are not protected: one connection shows a
// video of three layers to another one.
type stage struct {
	*bench
	t        *testing.T
	from, to *conn
	seq      [3]uint16
	sent     []egress // to the viewer
	asked    map[uint32]int
}

// egress is a packet that was forwarded.
type egress struct {
	rtp.Header
	payload []byte
}

const stageSSRC = 1000

func newStage(t *testing.T, change ...func(*conn)) *stage {
	t.Helper()
	s := &stage{bench: newBench(t, 2, 0), t: t, asked: map[uint32]int{}, seq: [3]uint16{100, 65530, 300}}
	s.from, s.to = s.senders[0], s.senders[1]
	s.from.in, s.from.out, s.to.in, s.to.out = plain{}, plain{}, plain{}, plain{}
	s.socket.keep = s.keep
	s.from.client.Groups = []colibri.SourceGroup{{Semantics: "SIM", Sources: []int32{1000, 1002, 1004}}}
	for i := range uint32(3) {
		s.from.client.Groups = append(s.from.client.Groups, colibri.SourceGroup{
			Semantics: "FID", Sources: []int32{int32(stageSSRC + 2*i), int32(stageSSRC + 2*i + 1)},
		})
		s.from.streams = append(s.from.streams, stream{ssrc: stageSSRC + 2*i, video: true}, stream{ssrc: stageSSRC + 2*i + 1, video: true, repair: true})
	}
	for _, f := range change {
		f(s.from)
	}
	s.from.video = newVideo(s.from, "stage", true)
	s.addVideo(s.from.room, s.from.video)
	s.now = time.Minute
	return s
}

func (s *stage) keep(b []byte, to udp.Peer) {
	if rtp.IsRTCP(b) {
		for p, rest, ok := rtcp.Next(b); ok; p, rest, ok = rtcp.Next(rest) {
			if media, ok := p.PLI(); ok && to == s.from.addr {
				s.asked[media]++
			}
		}
		return
	}
	var h rtp.Header
	if to != s.to.addr || !h.Parse(b) {
		return
	}
	s.sent = append(s.sent, egress{h, bytes.Clone(b[h.Size:])})
}

// show makes the viewer want a height.
func (s *stage) show(height int) {
	s.want(s.to, colibri.Wants{Default: colibri.Heights{Max: height}})
	s.runPlans()
}

// take lets a packet of a layer come, and returns what was forwarded.
func (s *stage) take(layer int, kind uint8, timestamp uint32, payload []byte) []egress {
	s.seq[layer]++
	return s.come(rtp.Header{SSRC: uint32(stageSSRC + 2*layer), Type: kind, Sequence: s.seq[layer], Timestamp: timestamp}, payload)
}

func (s *stage) come(h rtp.Header, payload []byte) []egress {
	s.t.Helper()
	var d udp.Datagram
	size := h.Write(d.Slot[:])
	d.N, d.From = size+copy(d.Slot[size:], payload), s.from.addr
	s.sent = nil
	s.receive(&d)
	s.forward()
	s.runPlans()
	return s.sent
}

// slim makes a VP8 picture of a layer with a number of seven bits.
func slim(layer int, key bool, id uint8) []byte {
	height := 180 << layer
	b := []byte{0x90, 0x80, id & 0x7f, 1, 0, 0, 0x9d, 0x01, 0x2a, byte(2 * height), byte(2 * height >> 8), byte(height), byte(height >> 8)}
	if key {
		b[3] = 0
	}
	return b
}

// TestSlimPictures numbers pictures in seven bits where the sender does.
func TestSlimPictures(t *testing.T) {
	s := newStage(t)
	s.show(180)
	last := -1
	for i := range 300 {
		s.now += 33 * time.Millisecond
		if i == 150 {
			s.show(360)
		}
		for layer := range 2 {
			for _, p := range s.take(layer, typeVP8, uint32(3000*i), slim(layer, i%10 == 0, uint8(50*layer+i))) {
				if p.SSRC != stageSSRC {
					continue
				}
				if id := int(p.payload[2]); last >= 0 && id != (last+1)&0x7f {
					t.Fatalf("picture %d after %d", id, last)
				}
				last = int(p.payload[2])
			}
		}
	}
	if w := s.to.view(s.from.video); w.layer.rank != 1 {
		t.Errorf("layer %d", w.layer.rank)
	}
}

// TestVP9 rewrites the numbers of VP9, and takes its key frames as such.
func TestVP9(t *testing.T) {
	frame := func(key bool, id uint16, tl0 uint8) []byte {
		b := []byte{0x80 | 0x40 | 0x20 | 0x08 | 0x04, 0x80 | byte(id>>8&0x7f), byte(id), 0, tl0, 1, 2, 3}
		if key {
			b[0] &^= 0x40
		}
		return b
	}
	s := newStage(t)
	s.show(180)
	var last *egress
	for i := range 200 {
		s.now += 33 * time.Millisecond
		if i == 100 {
			s.show(720)
		}
		for layer := range 3 {
			key := i%10 == 0
			for _, p := range s.take(layer, typeVP9, uint32(3000*i), frame(key, uint16(0x7ff0+5000*layer+i), uint8(i+9*layer))) {
				if p.SSRC != stageSSRC {
					continue
				}
				if p.Type != typeVP9 || last == nil != key && last == nil {
					t.Fatalf("begins with %+v", p)
				}
				if last != nil {
					id, before := binary.BigEndian.Uint16(p.payload[1:]), binary.BigEndian.Uint16(last.payload[1:])
					if id != (before+1)|0x8000 || p.payload[4] != last.payload[4]+1 || p.Sequence != last.Sequence+1 {
						t.Fatalf("%x after %x", p.payload, last.payload)
					}
				}
				last = &p
			}
		}
	}
	if w := s.to.view(s.from.video); w.layer.rank != 2 {
		t.Errorf("layer %d", w.layer.rank)
	}
}

// TestH264 begins with the parameters of a key frame, and in the middle of no
// picture.
func TestH264(t *testing.T) {
	parameters := []byte{24, 0, 4, 0x67, 0x42, 0xe0, 0x1f, 0, 2, 0x68, 0xce} // STAP-A
	slice := []byte{28, 0x85, 1, 2, 3}                                       // FU-A of a key frame
	inter := []byte{0x41, 1, 2, 3}
	s := newStage(t)
	s.take(0, typeH264, 0, inter)
	s.take(0, typeH264, 3000, parameters)
	s.show(180)
	for _, b := range [][]byte{slice, slice, inter} {
		if got := s.take(0, typeH264, 3000, b); len(got) > 0 {
			t.Fatalf("begins in the middle: %+v", got)
		}
	}
	if s.asked[stageSSRC] != 1 {
		t.Errorf("asked %v", s.asked)
	}
	if got := s.take(0, typeH264, 6000, parameters); len(got) != 1 || !bytes.Equal(got[0].payload, parameters) {
		t.Fatalf("parameters: %+v", got)
	}
	if got := s.take(0, typeH264, 6000, slice); len(got) != 1 || got[0].Type != typeH264 {
		t.Fatalf("slice: %+v", got)
	}
}

// TestH264Parameters begins with the parameters, wherever they come: after other
// units of their picture, late, or as a repetition. Without them nothing begins.
func TestH264Parameters(t *testing.T) {
	sps, aud, idr := []byte{0x67, 0x42, 0xe0, 0x1f}, []byte{9, 0xf0}, []byte{0x65, 1, 2, 3}
	inter := []byte{0x41, 1, 2, 3}
	s := newStage(t)
	s.show(180)
	s.take(0, typeH264, 0, inter)
	s.take(0, typeH264, 3000, aud)
	if got := s.take(0, typeH264, 3000, sps); len(got) != 1 {
		t.Fatalf("after a delimiter: %+v", got)
	}
	if got := s.take(0, typeH264, 3000, idr); len(got) != 1 {
		t.Fatalf("slice: %+v", got)
	}
	s = newStage(t)
	s.show(180)
	s.take(0, typeH264, 0, inter)
	s.seq[0]++ // the parameters are late
	if got := s.take(0, typeH264, 3000, idr); len(got) > 0 {
		t.Fatalf("begins without parameters: %+v", got)
	}
	late := rtp.Header{SSRC: stageSSRC, Type: typeH264, Sequence: s.seq[0] - 1, Timestamp: 3000}
	if got := s.come(late, sps); len(got) != 1 || !bytes.Equal(got[0].payload, sps) {
		t.Fatalf("late parameters: %+v", got)
	}
	if got := s.take(0, typeH264, 6000, inter); len(got) != 1 || got[0].Sequence != 102 && got[0].Sequence-2 != late.Sequence {
		t.Fatalf("what follows: %+v", got)
	}
	s = newStage(t)
	s.show(180)
	s.take(0, typeH264, 0, inter)
	if got := s.take(0, typeH264, 3000, idr); len(got) != 1 {
		t.Fatalf("a key frame of a sender that gave its parameters before: %+v", got)
	}
}

// TestAlign keeps lips and voice together: what the sender's reports say of a
// layer's clock holds for what the receiver gets, before and after a switch.
func TestAlign(t *testing.T) {
	offsets := [3]uint32{0, 0xf0000000, 12345}
	s := newStage(t)
	reports := map[uint32]uint64{} // timestamp as told to the viewer -> NTP
	keep := s.socket.keep
	s.socket.keep = func(b []byte, to udp.Peer) {
		keep(b, to)
		if p, _, ok := rtcp.Next(b); ok && to == s.to.addr && rtp.IsRTCP(b) {
			if r, ok := p.Sender(); ok {
				reports[r.Timestamp] = r.NTP
			}
		}
	}
	clock := func(at time.Duration, layer int) uint32 { return offsets[layer] + uint32(at*videoClock/time.Second) }
	ntp := func(at time.Duration) uint64 { return 0xe5<<56 + uint64(at)*(1<<32)/uint64(time.Second) }
	tell := func() {
		for layer := range 3 {
			b := rtcp.AppendSender(nil, rtcp.Sender{SSRC: uint32(stageSSRC + 2*layer), NTP: ntp(s.now), Timestamp: clock(s.now, layer)})
			var d udp.Datagram
			d.N, d.From = copy(d.Slot[:], b), s.from.addr
			s.receive(&d)
		}
	}
	tell()
	s.show(180)
	worst, switches := time.Duration(0), 0
	for i := range 600 {
		s.now += 33 * time.Millisecond
		if i%30 == 15 {
			s.show([]int{720, 180, 360}[i/30%3])
		}
		if i%50 == 0 {
			tell()
		}
		at := s.now
		for _, layer := range rand.Perm(3) {
			shot := at - time.Duration(i%3*layer)*10*time.Millisecond // not all layers come with each picture
			for _, p := range s.take(layer, typeVP8, clock(shot, layer), slim(layer, i%7 == 0, uint8(i))) {
				if p.SSRC != stageSSRC {
					continue
				}
				w := s.to.view(s.from.video)
				if r, ok := w.sender(); ok {
					said := int64(r.NTP) + int64(float64(int32(p.Timestamp-r.Timestamp))*(1<<32)/videoClock)
					off := time.Duration((said - int64(ntp(shot))) * int64(time.Second) >> 32)
					worst = max(worst, off.Abs())
				}
			}
		}
		switches = int(s.count.Switches)
	}
	if worst > time.Millisecond || switches < 15 || len(reports) < 10 {
		t.Errorf("off by %v at worst, %d switches, %d reports", worst, switches, len(reports))
	}
}

// TestArrivalsAlign switches between layers of a sender that reports nothing.
func TestArrivalsAlign(t *testing.T) {
	s := newStage(t)
	s.show(180)
	began, first, last := s.now, uint32(0), uint32(0)
	for i := range 900 {
		s.now += 33 * time.Millisecond
		if i%30 == 15 {
			s.show([]int{720, 180, 360}[i/30%3])
		}
		for layer := range 3 {
			ts := uint32(layer)*0x40000000 + uint32((s.now-began)*videoClock/time.Second)
			for _, p := range s.take(layer, typeVP8, ts, slim(layer, i%7 == 0, uint8(i))) {
				if p.SSRC != stageSSRC {
					continue
				}
				if first == 0 {
					first = p.Timestamp - uint32((s.now-began)*videoClock/time.Second)
				} else if int32(p.Timestamp-last) <= 0 {
					t.Fatalf("timestamp %d after %d", p.Timestamp, last)
				}
				last = p.Timestamp
			}
		}
	}
	if s.count.Switches < 25 {
		t.Errorf("%d switches", s.count.Switches)
	}
	if off := int32(last - first - uint32((s.now-began)*videoClock/time.Second)); off > 9000 || off < -9000 {
		t.Errorf("after %d switches timestamps are %d off", s.count.Switches, off)
	}
}

// TestViewNeverRepeats tries random ways: a number used twice under one key
// would break the cipher, and each number has to be found again.
func TestViewNeverRepeats(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 40 {
		v := &video{conn: &conn{}}
		var index [3]uint64
		var late [3][]uint64
		for i := range 3 {
			v.layers = append(v.layers, &layer{video: v, rank: i})
			index[i] = uint64(rng.IntN(1 << 18))
		}
		w := &view{conn: &conn{}, video: v}
		type origin struct {
			layer *layer
			index uint64
		}
		used := map[uint64]origin{}
		for step := range 4000 {
			at := time.Duration(step) * time.Millisecond
			switch rng.IntN(100) {
			case 0:
				w.stop()
			case 1, 2, 3:
				w.aim(v.layers[rng.IntN(3)], at)
			case 4:
				index[rng.IntN(3)] += uint64(rng.IntN(6000))
			}
			i := rng.IntN(3)
			index[i]++
			n := index[i]
			switch {
			case rng.IntN(20) == 0:
				late[i] = append(late[i], n) // comes later, or never
				continue
			case len(late[i]) > 0 && rng.IntN(10) == 0:
				k := rng.IntN(len(late[i]))
				n, late[i][k] = late[i][k], n
				late[i] = late[i][:k]
				index[i]-- // the newest was not sent after all
				if n > index[i] {
					continue
				}
			}
			p := packet{layer: v.layers[i], index: n, timestamp: uint32(step * 90), picture: picture{key: rng.IntN(10) == 0}}
			out, r := w.next(&p, at)
			if r == nil {
				continue
			}
			if before, ok := used[out]; ok && before != (origin{p.layer, n}) {
				t.Fatalf("number %d twice: %v and %d", out, before.index, n)
			}
			used[out] = origin{p.layer, n}
			if found := w.find(out); found == nil || found.layer != p.layer || out+found.base != n {
				t.Fatalf("number %d is not found again", out)
			}
		}
		if len(used) < 500 {
			t.Errorf("only %d packets", len(used))
		}
		viewers := 0
		for _, l := range v.layers {
			viewers += len(l.viewers)
		}
		if w.stop(); viewers > 2 {
			t.Errorf("%d entries for one viewer", viewers)
		}
		if w.aim(nil, 0); len(v.layers[0].viewers)+len(v.layers[1].viewers)+len(v.layers[2].viewers) > 0 {
			t.Error("still a viewer")
		}
	}
}

// TestLayersOf reads groups in every order clients have.
func TestLayersOf(t *testing.T) {
	g := func(semantics string, sources ...int32) colibri.SourceGroup {
		return colibri.SourceGroup{Semantics: semantics, Sources: sources}
	}
	for name, tt := range map[string]struct {
		groups []colibri.SourceGroup
		want   [][2]uint32
	}{
		"tgcalls":       {[]colibri.SourceGroup{g("SIM", 1, 3, 5), g("FID", 1, 2), g("FID", 3, 4), g("FID", 5, 6)}, [][2]uint32{{1, 2}, {3, 4}, {5, 6}}},
		"Web K":         {[]colibri.SourceGroup{g("FID", 1, 2), g("SIM", 1, -3, 5), g("FID", -3, 4), g("FID", 5, 6)}, [][2]uint32{{1, 2}, {0xfffffffd, 4}, {5, 6}}},
		"Web A":         {[]colibri.SourceGroup{g("FID", -5, 9)}, [][2]uint32{{0xfffffffb, 9}}},
		"screen":        {[]colibri.SourceGroup{g("SIM", 1, 3), g("FID", 3, 4), g("FID", 1, 2)}, [][2]uint32{{1, 2}, {3, 4}}},
		"no repair":     {[]colibri.SourceGroup{g("SIM", 1, 3)}, [][2]uint32{{1, 0}, {3, 0}}},
		"too many":      {[]colibri.SourceGroup{g("SIM", 1, 2, 3, 4, 5, 6)}, [][2]uint32{{1, 0}, {2, 0}, {3, 0}, {4, 0}}},
		"nothing":       {nil, nil},
		"other meaning": {[]colibri.SourceGroup{g("XYZ", 7, 8)}, [][2]uint32{{7, 0}}},
	} {
		got := layersOf(tt.groups)
		if len(got) != len(tt.want) {
			t.Errorf("%s: %v", name, got)
			continue
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("%s: %v, want %v", name, got, tt.want)
			}
		}
	}
}

// TestNumbersOfARepairStream goes on where the SSRC ended, whatever it was
// before: no number is used twice with one key.
func TestNumbersOfARepairStream(t *testing.T) {
	s := newStage(t)
	s.to.retire(stageSSRC+1, 1234)
	s.show(180)
	w := s.to.view(s.from.video)
	if n := w.repair(); n != 1235 {
		t.Errorf("goes on with %d", n)
	}
	s.to.unview(s.from.video)
	if last := s.to.retired[stageSSRC+1]; last != 1235 {
		t.Errorf("ended with %d", last)
	}
}

// TestNoRepairStream: a video without one takes over no numbers for it, not even
// those of a sound that had the SSRC 0.
func TestNoRepairStream(t *testing.T) {
	s := newStage(t, func(c *conn) { c.client.Groups = c.client.Groups[:1] })
	s.to.retire(0, 1234)
	s.show(180)
	s.take(0, typeVP8, 3000, slim(0, true, 1))
	if w := s.to.view(s.from.video); w.rtx != 0 || s.to.retired[0] != 1234 {
		t.Errorf("sent again from %d on; %d is remembered", w.rtx, s.to.retired[0])
	}
}

// TestNumbersThatEndLate goes on where an SSRC ended while its view waited for
// a key frame.
func TestNumbersThatEndLate(t *testing.T) {
	s := newStage(t)
	s.show(180)
	s.to.retire(stageSSRC, 1234)
	got := s.take(0, typeVP8, 3000, slim(0, true, 1))
	if len(got) != 1 || got[0].Sequence != 1235 {
		t.Errorf("goes on with %+v", got)
	}
}
