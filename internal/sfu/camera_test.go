package sfu

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/datachannel"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sctp"
)

// camera sends VP8 in simulcast layers, each with numbers of its own.
type camera struct {
	c      *client
	layers []*cameraLayer
	at     time.Duration // of the next picture
	drop   func(layer int, seq uint16) bool

	mu     sync.Mutex
	plis   map[uint32]int // guarded by mu
	wanted map[uint32]bool
	nacked map[uint32][]uint16
}

type cameraLayer struct {
	ssrc, rtx uint32
	height    int
	seq       uint16
	rtxSeq    uint16
	offset    uint32 // of timestamps
	picture   uint16
	tl0       uint8
	sent      map[uint16]*rtp.Packet
	filling   int // bytes in each packet
}

const (
	perPicture   = 3 // packets
	pictureEvery = 33 * time.Millisecond
)

// simulcast returns the groups of three layers as tgcalls announces them.
func simulcast(ssrc uint32, layers int) string {
	sim, fid := "", ""
	for i := range uint32(layers) {
		sim += fmt.Sprintf(",%d", int32(ssrc+1+2*i))
		fid += fmt.Sprintf(`,{"semantics":"FID","sources":[%d,%d]}`, int32(ssrc+1+2*i), int32(ssrc+2+2*i))
	}
	if layers == 1 {
		return "[" + fid[1:] + "]"
	}
	return fmt.Sprintf(`[{"semantics":"SIM","sources":[%s]}%s]`, sim[1:], fid)
}

// film makes a client a camera whose layers have these heights.
func film(c *client, heights ...int) *camera {
	k := &camera{c: c, plis: map[uint32]int{}, wanted: map[uint32]bool{}, nacked: map[uint32][]uint16{}}
	for i, h := range heights {
		n := uint32(i)
		k.layers = append(k.layers, &cameraLayer{
			ssrc: c.ssrc + 1 + 2*n, rtx: c.ssrc + 2 + 2*n, height: h, seq: uint16(65000 + 100*i), offset: n * 0x51234567,
			picture: uint16(0x7ff0 + i*77), tl0: uint8(i * 31), filling: 40, sent: map[uint16]*rtp.Packet{},
		})
	}
	go k.listen()
	return k
}

// listen notes which key frames and packets the server asks for.
func (k *camera) listen() {
	for {
		select {
		case <-k.c.t.Context().Done():
			return
		case all := <-k.c.rtcp:
			k.mu.Lock()
			for _, p := range all {
				switch p := p.(type) {
				case *rtcp.PictureLossIndication:
					k.plis[p.MediaSSRC]++
					k.wanted[p.MediaSSRC] = true
				case *rtcp.TransportLayerNack:
					for _, n := range p.Nacks {
						k.nacked[p.MediaSSRC] = append(k.nacked[p.MediaSSRC], n.PacketList()...)
					}
				}
			}
			k.mu.Unlock()
		}
	}
}

// asked tells whether a key frame of a layer is wanted, and forgets it.
func (k *camera) asked(l *cameraLayer) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer delete(k.wanted, l.ssrc)
	return k.wanted[l.ssrc]
}

func (k *camera) askedTimes(l *cameraLayer) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.plis[l.ssrc]
}

// shoot sends a picture of each layer; those asked for are key frames.
func (k *camera) shoot(key bool) {
	for i, l := range k.layers {
		if l.height > 0 {
			k.picture(i, l, k.asked(l) || key)
		}
	}
	k.at += pictureEvery
}

func (k *camera) picture(i int, l *cameraLayer, key bool) {
	l.picture++
	l.tl0++
	for n := range perPicture {
		p := &rtp.Packet{
			Header: rtp.Header{
				Version: 2, PayloadType: 100, SequenceNumber: l.seq, SSRC: l.ssrc, Marker: n == perPicture-1,
				Timestamp: l.offset + uint32(k.at*90000/time.Second),
			},
			Payload: vp8Payload(l, n == 0, key),
		}
		l.seq++
		l.sent[p.SequenceNumber] = p
		if k.drop == nil || !k.drop(i, p.SequenceNumber) {
			k.send(p)
		}
	}
}

// vp8Payload makes a packet of a picture.
func vp8Payload(l *cameraLayer, start, key bool) []byte {
	b := []byte{0x80, 0xe0, 0x80 | byte(l.picture>>8&0x7f), byte(l.picture), l.tl0, 0}
	frame := []byte{1, 0, 0}
	if start {
		b[0] |= 0x10
	}
	if start && key {
		frame = []byte{0, 0, 0, 0x9d, 0x01, 0x2a, 0, 0, 0, 0}
		binary.LittleEndian.PutUint16(frame[6:], uint16(l.height*16/9))
		binary.LittleEndian.PutUint16(frame[8:], uint16(l.height))
	}
	return append(append(b, frame...), make([]byte, l.filling)...)
}

// send sends a packet with the extensions engines send; its last byte is the
// layer.
func (k *camera) send(p *rtp.Packet) {
	k.c.t.Helper()
	q := p.Clone()
	q.Payload = append(q.Payload, byte(k.layerOf(p.SSRC)))
	k.c.number++
	_ = q.SetExtension(2, []byte{1, 2, 3})
	_ = q.SetExtension(3, binary.BigEndian.AppendUint16(nil, k.c.number))
	if q.Marker {
		_ = q.SetExtension(13, []byte{1})
	}
	b, err := q.Marshal()
	if err != nil {
		k.c.t.Error(err)
		return
	}
	k.c.seal(b)
}

func (k *camera) layerOf(ssrc uint32) int {
	for i, l := range k.layers {
		if l.ssrc == ssrc || l.rtx == ssrc {
			return i
		}
	}
	return -1
}

// repeat sends a packet again, as RTX.
func (k *camera) repeat(l *cameraLayer, seq uint16) {
	p := l.sent[seq].Clone()
	p.SSRC, p.PayloadType, p.SequenceNumber = l.rtx, 101, l.rtxSeq
	p.Payload = append(binary.BigEndian.AppendUint16(nil, seq), p.Payload...)
	l.rtxSeq++
	k.send(p)
}

// report sends sender reports: all layers were shot at the same time.
func (k *camera) report() {
	for _, l := range k.layers {
		k.c.tell(&rtcp.SenderReport{
			SSRC: l.ssrc, NTPTime: 0xe0000000<<32 + uint64(float64(k.at)/float64(time.Second)*(1<<32)),
			RTPTime: l.offset + uint32(k.at*90000/time.Second),
		})
	}
}

// roll films until stop, in real time.
func (k *camera) roll() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case <-time.After(pictureEvery):
			}
			if n%30 == 0 {
				k.report()
			}
			k.shoot(n == 0)
		}
	}()
	return sync.OnceFunc(func() { close(done); <-ended })
}

// screen follows a video as one receiver gets it and finds every fault.
type screen struct {
	c        *client
	ssrc     uint32
	last     *rtp.Packet
	picture  uint16
	tl0      uint8
	layer    int
	pictures int
	switches int
}

func watch(c *client, ssrc uint32) *screen { return &screen{c: c, ssrc: ssrc, layer: -1} }

// see takes the next packet of the video.
func (s *screen) see() *rtp.Packet {
	s.c.t.Helper()
	for limit := time.After(patience); ; {
		select {
		case p := <-s.c.rtp:
			if p.SSRC == s.ssrc {
				s.check(p)
				return p
			}
		case <-limit:
			s.c.t.Fatalf("conn %d sees nothing of %d", s.c.conn, s.ssrc)
		}
	}
}

// drain takes what has come.
func (s *screen) drain() {
	s.c.t.Helper()
	for len(s.c.rtp) > 0 {
		if p := <-s.c.rtp; p.SSRC == s.ssrc {
			s.check(p)
		}
	}
}

// check finds what is wrong with a packet.
func (s *screen) check(p *rtp.Packet) {
	s.c.t.Helper()
	b, layer := p.Payload, int(p.Payload[len(p.Payload)-1])
	picture, tl0 := binary.BigEndian.Uint16(b[2:])&0x7fff, b[4]
	start, key := b[0]&0x10 != 0, b[0]&0x10 != 0 && b[6]&1 == 0
	switch old := s.last; {
	case p.PayloadType != 100:
		s.c.t.Fatalf("payload type %d", p.PayloadType)
	case old == nil:
		if !key {
			s.c.t.Fatal("first packet begins no key frame")
		}
		s.pictures++
	case p.SequenceNumber != old.SequenceNumber+1:
		s.c.t.Fatalf("number %d after %d", p.SequenceNumber, old.SequenceNumber)
	case !start:
		if p.Timestamp != old.Timestamp || picture != s.picture || tl0 != s.tl0 || layer != s.layer {
			s.c.t.Fatalf("packet of picture %d at %d, layer %d; picture is %d at %d, layer %d",
				picture, p.Timestamp, layer, s.picture, old.Timestamp, s.layer)
		}
	default:
		if d := int32(p.Timestamp - old.Timestamp); d <= 0 || d > 90000 {
			s.c.t.Fatalf("timestamp %d after %d", p.Timestamp, old.Timestamp)
		}
		if !old.Marker || picture != (s.picture+1)&0x7fff || tl0 != s.tl0+1 {
			s.c.t.Fatalf("picture %d, %d after %d, %d; complete: %v", picture, tl0, s.picture, s.tl0, old.Marker)
		}
		if layer != s.layer && !key {
			s.c.t.Fatalf("from layer %d to %d without a key frame", s.layer, layer)
		}
		s.pictures++
	}
	if s.layer != layer {
		s.switches++
	}
	if orientation := p.GetExtension(13); p.Marker != (len(orientation) == 1 && orientation[0] == 1) {
		s.c.t.Fatalf("orientation %x", orientation)
	}
	s.last, s.picture, s.tl0, s.layer = p, picture, tl0, layer
}

// until sees packets until they are of a layer.
func (s *screen) until(layer int) {
	s.c.t.Helper()
	for limit := time.Now().Add(patience); s.layer != layer; {
		if s.see(); time.Now().After(limit) {
			s.c.t.Fatalf("conn %d sees layer %d, not %d", s.c.conn, s.layer, layer)
		}
	}
}

// channel is a data channel of a client.
type channel struct {
	*datachannel.DataChannel
	association *sctp.Association
	current     *atomic.Pointer[association]
	messages    chan string
}

// channel opens the client's data channel.
func (c *client) channel() *channel {
	c.t.Helper()
	var current atomic.Pointer[association]
	current.Store(newAssociation(c.dtls))
	go func() {
		b := make([]byte, recordSize)
		for n, err := c.dtls.Read(b); err == nil; n, err = c.dtls.Read(b) {
			_, _ = current.Load().packets.Write(b[:n])
		}
	}()
	quiet := logging.NewDefaultLoggerFactory()
	a, err := sctp.ClientWithOptions(sctp.WithNetConn(current.Load()), sctp.WithLoggerFactory(quiet))
	if err != nil {
		c.t.Fatal(err)
	}
	ch, err := datachannel.Dial(a, 0, &datachannel.Config{Label: "data", LoggerFactory: quiet})
	if err != nil {
		c.t.Fatal(err)
	}
	out := &channel{DataChannel: ch, association: a, current: &current, messages: make(chan string, 100)}
	c.t.Cleanup(func() { _ = current.Load().Close() })
	go func() {
		b := make([]byte, maxMessage)
		for {
			n, _, err := ch.ReadDataChannel(b)
			if err != nil {
				return
			}
			out.messages <- string(b[:n])
		}
	}()
	return out
}

// want asks for a height of endpoints.
func (ch *channel) want(t *testing.T, height int, endpoints ...string) {
	t.Helper()
	list := ""
	for _, e := range endpoints {
		list += fmt.Sprintf(`,%q:{"minHeight":180,"maxHeight":%d}`, e, height)
	}
	if list != "" {
		list = list[1:]
	}
	m := fmt.Sprintf(`{"colibriClass":"ReceiverVideoConstraints","constraints":{%s},"defaultConstraints":{"maxHeight":0}}`, list)
	if _, err := ch.WriteDataChannel([]byte(m), true); err != nil {
		t.Fatal(err)
	}
}
