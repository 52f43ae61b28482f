package sfu

import (
	"testing"
	"time"

	"parley/internal/colibri"
	"parley/internal/media/rtcp"
	"parley/internal/media/rtp"
	"parley/internal/media/udp"
)

// plain is a protection that protects nothing, so that tests can say what
// comes and read what goes.
type plain struct{}

func (plain) SealRTP(packet []byte, header int, payload []byte, _ uint64) (int, error) {
	return header + copy(packet[header:], payload), nil
}
func (plain) OpenRTP(packet []byte, _ int, _ uint64) ([]byte, error) { return packet, nil }
func (plain) SealRTCP(dst, packet []byte) (int, error)               { return copy(dst, packet), nil }
func (plain) OpenRTCP(packet []byte) ([]byte, error)                 { return packet, nil }

// reel is a camera in a bench: pictures of five packets in one layer.
type reel struct {
	video   *video
	layer   *layer
	header  rtp.Header
	index   uint64
	payload []byte
	picture uint16
}

// film gives the bench's senders cameras that everyone sees.
func (b *bench) film(tb testing.TB, size int) (films []*reel) {
	tb.Helper()
	for i, c := range b.senders {
		ssrc := uint32(10000 + 10*i)
		c.client.Groups = []colibri.SourceGroup{{Semantics: "FID", Sources: []int32{int32(ssrc), int32(ssrc + 1)}}}
		c.streams = append(c.streams, stream{ssrc: ssrc, video: true}, stream{ssrc: ssrc + 1, video: true, repair: true})
		c.video = newVideo(c, endpointOf(c.id), true)
		b.addVideo(c.room, c.video)
		films = append(films, &reel{
			video: c.video, layer: c.video.layers[0], payload: make([]byte, size), header: rtp.Header{SSRC: ssrc, Type: typeVP8},
		})
	}
	for _, c := range b.order {
		b.want(c, colibri.Wants{Default: colibri.Heights{Max: 720}})
	}
	for _, f := range films { // everyone begins with a key frame
		for range 5 {
			f.next(b.shard)
		}
	}
	b.forward()
	return films
}

// next offers the next packet.
func (f *reel) next(sh *shard) {
	first := f.index%5 == 0
	key := first && (f.index == 0 || f.layer.wantKey)
	if first {
		f.picture++
		f.header.Timestamp += 3000
	}
	p := append(f.payload[:0], 0x80, 0x80, 0x80|byte(f.picture>>8), byte(f.picture), 1, 0, 0, 0x9d, 0x01, 0x2a, 0, 5, 0xd0, 2)
	if first {
		p[0] |= 0x10
	}
	if key {
		p[4] = 0
	}
	h := f.header
	h.Sequence, h.Marker = uint16(f.index), f.index%5 == 4
	sh.video(f.layer.stream, f.index, &h, f.payload)
	f.index++
}

// TestVideoNoAllocation counts what a packet of video allocates on its way,
// what feedback about it does, and what a packet costs that is sent again.
func TestVideoNoAllocation(t *testing.T) {
	b := newBench(t, 2, 20)
	films := b.film(t, 100)
	for range 2000 { // caches and histories grow to their bounds
		b.now += 4 * time.Millisecond
		for _, f := range films {
			f.next(b.shard)
		}
		b.forward()
	}
	c := b.order[len(b.order)-1]
	var arrivals rtcp.Arrivals
	n := 0
	from := b.count.Forwarded
	one := func() {
		b.now += 4 * time.Millisecond
		for _, f := range films {
			f.next(b.shard)
		}
		before := c.transport
		b.forward()
		for ; before != c.transport; before++ {
			arrivals.Note(before, b.now)
		}
		if n++; n%10 == 0 {
			p, _, _ := rtcp.Next(arrivals.Append(b.scratch[:0], 1, 2))
			f, _ := p.Feedback()
			b.fed(c, f)
			w := c.view(films[0].video)
			p, _, _ = rtcp.Next(rtcp.AppendNack(b.scratch[:0], 1, w.video.ssrc, []uint16{uint16(w.last - 3), uint16(w.last - 1)}))
			missing, _ := p.Missing()
			b.resend(w, missing)
			b.runPlans()
			b.askMissing()
			b.lookAfter(c.room)
			b.sendProbes()
		}
	}
	one()
	if n := testing.AllocsPerRun(300, one); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
	if b.count.Repeated == 0 || c.path == nil || !c.path.fed {
		t.Errorf("sent again %d packets, path %+v", b.count.Repeated, c.path)
	}
	if got, least := b.count.Forwarded-from, uint64(n*(2*20+2)); got < least {
		t.Errorf("%d packets forwarded of %d", got, least)
	}
}

// FuzzPlain lets clients with keys send anything: media, reports and feedback.
func FuzzPlain(f *testing.F) {
	b := newBench(f, 2, 2)
	films := b.film(f, 100)
	for _, c := range b.order {
		c.in, c.out = plain{}, plain{}
	}
	for _, film := range films {
		film.next(b.shard)
	}
	b.forward()
	h := rtp.Header{SSRC: films[0].header.SSRC, Type: typeVP8, Sequence: 100}
	packet := make([]byte, rtp.EgressSize)
	packet = append(packet[:h.Write(packet)], 0x90, 0xe0, 0x80, 1, 2, 3, 0, 0, 0, 0x9d, 1, 0x2a, 0, 5, 0xd0, 2)
	f.Add(packet, uint8(0))
	packet = append([]byte(nil), packet...)
	rtp.Address(packet, films[0].header.SSRC+1, typeVP8+1)
	f.Add(packet, uint8(0))
	f.Add(rtcp.AppendNack(nil, 1, films[0].header.SSRC, []uint16{1, 2, 3}), uint8(3))
	f.Add(rtcp.AppendPLI(nil, 1, films[0].header.SSRC), uint8(3))
	f.Add(rtcp.AppendREMB(nil, 1, 1e6, 7), uint8(3))
	f.Add(rtcp.AppendSender(nil, rtcp.Sender{SSRC: films[0].header.SSRC, NTP: 1 << 40}), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, from uint8) {
		var d udp.Datagram
		d.N = copy(d.Slot[:], data)
		d.From = b.order[int(from)%len(b.order)].addr
		b.now += 5 * time.Millisecond
		b.receive(&d)
		b.forward()
		b.runPlans()
		b.askMissing()
		b.sendProbes()
		if b.now >= b.due {
			b.timers()
		}
		for _, c := range b.order {
			for _, w := range c.views {
				if w != nil && w.layer != nil && w.runs[w.now].from > w.last {
					t.Fatalf("view %+v", w)
				}
			}
		}
	})
}
