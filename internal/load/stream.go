package load

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"

	"parley/internal/colibri"
)

const (
	audioEvery  = 20 * time.Millisecond
	audioStep   = 960 // of the timestamp, per packet
	videoRate   = 30  // frames a second
	videoStep   = 90_000 / videoRate
	videoSize   = 1188           // bytes of a video payload
	keyEvery    = 10 * videoRate // frames
	levelExt    = 1              // voice, loud
	sendTimeExt = 2
	loudVoice   = 0x80 | 20 // V bit, -20 dBov
)

// stream is one SSRC of a publisher; the pump owns all but key.
type stream struct {
	client *client
	ssrc   uint32
	video  bool
	size   int     // bytes of an audio payload
	per    float64 // video packets per frame
	height int

	key  atomic.Bool // somebody needs a key frame
	debt float64     // packets owed to the next frame
	seq  uint16
	ts   uint32
	tick int // frames sent
	sent int64
	buf  []byte
}

// publish gives a client what it publishes in a scenario, and the sources it
// announces.
func (c *client) publish(s Scenario) {
	if !s.Video {
		c.streams = []*stream{{client: c, ssrc: c.ssrc, size: s.Size}}
		return
	}
	var layers []int32
	heights := []int{180, 360, 720}[3-s.Layers:]
	for i := range s.Layers {
		ssrc := c.ssrc + 1 + 2*uint32(i)
		kbps := s.Kbps >> (2 * (s.Layers - 1 - i)) // a quarter of the next layer's
		c.streams = append(c.streams, &stream{
			client: c, ssrc: ssrc, video: true, per: float64(kbps) * 1000 / 8 / videoSize / videoRate, height: heights[i],
		})
		layers = append(layers, int32(ssrc))
	}
	if len(layers) > 1 {
		c.groups = append(c.groups, colibri.SourceGroup{Semantics: "SIM", Sources: layers})
	}
	for _, ssrc := range layers {
		c.groups = append(c.groups, colibri.SourceGroup{Semantics: "FID", Sources: []int32{ssrc, ssrc + 1}})
	}
}

// interval is the time between two packets, or two frames.
func (s *stream) interval() time.Duration {
	if s.video {
		return time.Second / videoRate
	}
	return audioEvery
}

// send sends one packet of sound, or one frame.
func (s *stream) send() error {
	defer func() { s.tick++ }()
	if !s.video {
		payload := make([]byte, s.size)
		payload[0] = 0x78 // TOC: CELT, 20 ms
		s.ts += audioStep
		return s.packet(payload, false)
	}
	s.debt += s.per
	n := int(s.debt)
	s.debt -= float64(n)
	if n == 0 {
		return nil
	}
	s.ts += videoStep
	key := s.key.Swap(false) || s.tick%keyEvery == 0
	for i := range n {
		if err := s.packet(s.vp8(i == 0, key), i == n-1); err != nil {
			return err
		}
	}
	return nil
}

// vp8 returns a payload with a true descriptor (RFC 7741 4.2), and a frame
// header if it is a frame's first.
func (s *stream) vp8(first, key bool) []byte {
	b := make([]byte, videoSize)
	b[0] = 0x80 // X
	b[1] = 0xe0 // I, L, T
	binary.BigEndian.PutUint16(b[2:], uint16(s.tick)|0x8000)
	b[4] = uint8(s.tick) // TL0PICIDX
	b[5] = uint8(s.tick/keyEvery) & 0x1f
	if !first {
		return b
	}
	b[0] |= 0x10 // S
	b[6] = 0x10  // shown
	if !key {
		b[6] |= 1
		return b
	}
	copy(b[9:], []byte{0x9d, 0x01, 0x2a})
	binary.LittleEndian.PutUint16(b[12:], uint16(s.height*16/9))
	binary.LittleEndian.PutUint16(b[14:], uint16(s.height))
	return b
}

// packet protects and sends one payload, with the extensions engines use.
func (s *stream) packet(payload []byte, marker bool) error {
	c := s.client
	now := c.clock()
	putStamp(payload, now)
	h := rtp.Header{
		Version: 2, PayloadType: opusType, SequenceNumber: s.seq, Timestamp: s.ts, SSRC: s.ssrc,
		Extension: true, ExtensionProfile: rtp.ExtensionProfileOneByte,
	}
	abs := uint32(now.Seconds() * (1 << 18)) // 6.18 fixed point seconds
	err := h.SetExtension(sendTimeExt, []byte{byte(abs >> 16), byte(abs >> 8), byte(abs)})
	if s.video {
		h.PayloadType, h.Marker = vp8Type, marker
	} else if err == nil {
		err = h.SetExtension(levelExt, []byte{loudVoice})
	}
	if err == nil {
		err = h.SetExtension(transportExt, binary.BigEndian.AppendUint16(nil, c.nextTransport()))
	}
	if err != nil {
		return fmt.Errorf("write header: %w", err)
	}
	s.seq++
	if s.buf, err = h.Marshal(); err != nil {
		return fmt.Errorf("write header: %w", err)
	}
	b, err := c.out.EncryptRTP(nil, append(s.buf, payload...), &h)
	if err != nil {
		return fmt.Errorf("protect packet: %w", err)
	}
	if err := c.write(b); err != nil {
		return err
	}
	s.sent++
	return nil
}
