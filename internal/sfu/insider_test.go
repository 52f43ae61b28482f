package sfu

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/pion/rtcp"

	ours "parley/internal/media/rtp"
	"parley/internal/media/srtp"
)

// insider takes part in the call that it attacks: all it sends proves right.
type insider struct {
	*siege
	c       *client
	channel *channel
	out     srtp.Context
	index   map[uint32]uint64 // of its sources
	layer   cameraLayer
	last    []byte
}

func newInsider(s *siege, c *client) *insider {
	s.t.Helper()
	state, _ := c.dtls.ConnectionState()
	material, err := state.ExportKeyingMaterial(srtp.Label, nil, srtp.GCM128.Material())
	if err != nil {
		s.t.Fatal(err)
	}
	_, out, err := srtp.Pair(srtp.GCM128, material, false)
	if err != nil {
		s.t.Fatal(err)
	}
	i := &insider{siege: s, c: c, out: out, index: map[uint32]uint64{}, channel: c.channel(), layer: cameraLayer{height: 720, filling: 100}}
	i.channel.want(s.t, 720, endpoint(s.a))
	go drain(s.t, c.rtp)
	go drain(s.t, c.rtcp)
	go drain(s.t, i.channel.messages)
	return i
}

// inside are attacks of a participant.
func (s *siege) inside() []attack {
	i := s.insider
	const all = "Malformed Source Type Unwatched Replay Auth Muted"
	return []attack{
		{6, func() { i.rtp(s.rng.IntN(3) > 0) }, all},
		{1, func() { i.c.write(i.last) }, all},
		{3, i.rtcp, "Malformed Auth"},
		{1, i.colibri, "Malformed Queue"},
		{1, i.junk, "Malformed Queue"},
	}
}

// rtp sends a packet with a strange header and a strange picture, or just a
// strange picture.
func (i *insider) rtp(plain bool) {
	ssrc := i.c.ssrc + uint32(i.rng.IntN(9)) // two of them are not announced
	if i.rng.IntN(30) == 0 {
		ssrc = i.a.ssrc + uint32(i.rng.IntN(3))
	}
	i.index[ssrc]++
	if i.rng.IntN(100) == 0 {
		i.index[ssrc] += uint64(i.rng.IntN(1 << 15))
	}
	kinds := []byte{111, 100, 101, 102, 103, 104, 105, byte(i.rng.IntN(72))}
	header := []byte{0x80, kinds[i.rng.IntN(len(kinds))]}
	header = binary.BigEndian.AppendUint16(header, uint16(i.index[ssrc]))
	header = binary.BigEndian.AppendUint32(header, i.rng.Uint32())
	header = binary.BigEndian.AppendUint32(header, ssrc)
	if !plain {
		header[0] |= byte(i.rng.IntN(64)) // padding, extension, sources
		header[1] |= byte(i.rng.IntN(2)) << 7
		header = append(header, i.random(0, 60)...)
		at := ours.HeaderSize + 4*int(header[0]&15)
		if header[0]&0x10 != 0 && at+4 <= len(header) {
			profiles := []uint16{0xbede, 0x1000, uint16(i.rng.Uint32())}
			binary.BigEndian.PutUint16(header[at:], profiles[i.rng.IntN(3)])
			binary.BigEndian.PutUint16(header[at+2:], uint16(i.rng.IntN(16)))
		}
	}
	packet := append(header, i.picture()...)
	var h ours.Header
	size := ours.HeaderSize
	if h.Parse(packet) {
		size = h.Size
	}
	sealed := make([]byte, len(packet)+srtp.Overhead)
	copy(sealed, packet[:size])
	n, err := i.out.SealRTP(sealed, size, packet[size:], i.index[ssrc])
	if err != nil {
		i.t.Fatal(err)
	}
	i.last = sealed[:n]
	i.c.write(i.last)
}

// picture returns a payload that is something, almost.
func (i *insider) picture() []byte {
	i.layer.picture++
	switch i.rng.IntN(4) {
	case 0:
		return i.random(0, 200)
	case 1: // H264: packets of several, and pieces
		return i.random(1, 60, byte(24+i.rng.IntN(6)), byte(i.rng.Uint32()), 0, 10, 0x67, 0x42)
	case 2:
		return i.bent(vp8Payload(&i.layer, true, true))
	}
	return vp8Payload(&i.layer, true, i.rng.IntN(2) == 0)
}

// rtcp reports nonsense of all sources, one's own and others'.
func (i *insider) rtcp() {
	sources := []uint32{i.a.ssrc, i.a.ssrc + 1, i.a.ssrc + 2, i.b.ssrc, i.c.ssrc, i.c.ssrc + 1, i.rng.Uint32()}
	of, from := sources[i.rng.IntN(len(sources))], sources[i.rng.IntN(len(sources))]
	word := i.rng.Uint32()
	all := []rtcp.Packet{
		&rtcp.PictureLossIndication{SenderSSRC: from, MediaSSRC: of},
		&rtcp.FullIntraRequest{SenderSSRC: from, MediaSSRC: of, FIR: []rtcp.FIREntry{{SSRC: of}, {SSRC: from}}},
		&rtcp.TransportLayerNack{SenderSSRC: from, MediaSSRC: of, Nacks: []rtcp.NackPair{{PacketID: uint16(word), LostPackets: 0xffff}, {PacketID: uint16(word >> 16)}}},
		&rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: from, Bitrate: float32(word), SSRCs: []uint32{of}},
		&rtcp.SenderReport{SSRC: of, NTPTime: i.rng.Uint64(), RTPTime: word, Reports: []rtcp.ReceptionReport{{SSRC: from, FractionLost: byte(word), LastSequenceNumber: word}}},
		&rtcp.ReceiverReport{SSRC: of, Reports: []rtcp.ReceptionReport{{SSRC: from, FractionLost: 255, TotalLost: word >> 8, LastSequenceNumber: word}}},
		&rtcp.Goodbye{Sources: sources},
		&rtcp.TransportLayerCC{
			Header:     rtcp.Header{Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback, Length: 5},
			SenderSSRC: from, MediaSSRC: of, BaseSequenceNumber: uint16(word), PacketStatusCount: uint16(word >> 16), ReferenceTime: word >> 8,
			PacketChunks: []rtcp.PacketStatusChunk{&rtcp.RunLengthChunk{PacketStatusSymbol: uint16(word & 3), RunLength: uint16(word>>8) & 0x1fff}},
		},
	}
	b, err := rtcp.Marshal([]rtcp.Packet{all[i.rng.IntN(len(all))], all[i.rng.IntN(len(all))]})
	if err != nil {
		b = nil // too much nonsense
	}
	switch i.rng.IntN(3) {
	case 0:
		b = i.random(8, 300, byte(0x80+i.rng.IntN(64)), byte(200+i.rng.IntN(8)), 0, byte(i.rng.IntN(80)))
	case 1:
		b = append(b, i.random(4, 40)...)
		b[len(b)-1-i.rng.IntN(len(b)-2)] ^= 1 << i.rng.IntN(8)
	}
	if len(b) < 8 {
		b = i.random(8, 8)
	}
	b[0], b[1] = b[0]&0x3f|0x80, b[1]%32+192
	sealed := make([]byte, len(b)+srtp.Overhead)
	n, err := i.out.SealRTCP(sealed, b)
	if err != nil {
		i.t.Fatal(err)
	}
	i.c.write(sealed[:n])
}

// colibri writes nonsense to the data channel.
func (i *insider) colibri() {
	if i.channel.BufferedAmount() > 0 {
		return
	}
	wants := `{"colibriClass":"ReceiverVideoConstraints","constraints":{%s},"defaultConstraints":{"maxHeight":%d},"onStageEndpoints":["%s"]}`
	height := []int{-1, 0, 90, 180, 360, 720, 1 << 40}[i.rng.IntN(7)]
	messages := []string{
		fmt.Sprintf(wants, fmt.Sprintf(`%q:{"minHeight":0,"maxHeight":%d}`, endpoint(i.a), height), height, endpoint(i.a)),
		fmt.Sprintf(wants, strings.Repeat(fmt.Sprintf(`"%x":{},`, i.rng.Uint32()), 300)+`"e":{}`, height, endpoint(i.b)),
		fmt.Sprintf(wants, `"":{"maxHeight":1e309}`, height, ""), fmt.Sprintf(wants, "", height, strings.Repeat("x", 20000)),
		strings.Repeat("[", 20000), `{"colibriClass":`, `{"colibriClass":{}}`, "", "null", string(i.random(0, 300)),
	}
	_, _ = i.channel.WriteDataChannel([]byte(messages[i.rng.IntN(len(messages))]), i.rng.IntN(8) > 0)
}

// junk is something with the ports and the checksum of SCTP.
func (i *insider) junk() {
	begin := []byte{0x13, 0x88, 0x13, 0x88, 0, 0, 0, 0, 0, 0, 0, 0, byte(i.rng.IntN(16)), byte(i.rng.IntN(8)), 0, byte(i.rng.IntN(64))}
	b := i.random(1, 400, begin...)
	if len(b) > 12 {
		binary.LittleEndian.PutUint32(b[8:], 0)
		binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	}
	if _, err := i.digger.dtls.Write(b); err != nil {
		i.t.Fatal(err)
	}
}
