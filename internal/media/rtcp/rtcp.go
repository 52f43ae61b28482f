// Package rtcp reads compound RTCP packets by offset and writes the reports a
// media server sends: receiver reports, sender reports, transport-wide
// feedback, picture loss and negative acknowledgements (RFC 3550 6, RFC 4585).
// What comes from outside is bounded and never trusted to be whole.
//
// Writers append to the given slice, so that a caller with room allocates nothing.
package rtcp

import "encoding/binary"

// Packet types and the formats of feedback (RFC 3550 12.1, RFC 4585 6.1).
const (
	TypeSender      = 200
	TypeReceiver    = 201
	TypeDescription = 202
	TypeBye         = 203
	TypeTransport   = 205 // feedback about transport
	TypePayload     = 206 // feedback about payload

	FormatNack        = 1  // of TypeTransport
	FormatTransportCC = 15 // of TypeTransport
	FormatPLI         = 1  // of TypePayload
	FormatFIR         = 4
	FormatREMB        = 15

	paddingBit  = 0x20
	headerSize  = 4
	blockSize   = 24
	maxReports  = 31
	minFeedback = 12
)

// Packet is one packet of a compound.
type Packet struct {
	Type   uint8
	Format uint8  // report count or feedback format
	Body   []byte // after the four bytes of the header, without padding
}

// Next splits the first packet from a compound; ok is false when none is left
// or the rest makes no sense.
func Next(b []byte) (p Packet, rest []byte, ok bool) {
	if len(b) < headerSize || b[0]>>6 != 2 {
		return p, nil, false
	}
	end := headerSize + 4*int(binary.BigEndian.Uint16(b[2:]))
	if end > len(b) {
		return p, nil, false
	}
	body := b[headerSize:end]
	if b[0]&paddingBit != 0 {
		if len(body) == 0 || int(body[len(body)-1]) > len(body) {
			return p, nil, false
		}
		body = body[:len(body)-int(body[len(body)-1])]
	}
	return Packet{Type: b[1], Format: b[0] & 0x1f, Body: body}, b[end:], true
}

// Sender is what a sender report says of one stream.
type Sender struct {
	SSRC      uint32
	NTP       uint64
	Timestamp uint32
	Packets   uint32
	Octets    uint32
}

// Sender reads a sender report.
func (p Packet) Sender() (s Sender, ok bool) {
	if p.Type != TypeSender || len(p.Body) < 24 {
		return s, false
	}
	b := p.Body
	return Sender{
		SSRC: binary.BigEndian.Uint32(b), NTP: binary.BigEndian.Uint64(b[4:]), Timestamp: binary.BigEndian.Uint32(b[12:]),
		Packets: binary.BigEndian.Uint32(b[16:]), Octets: binary.BigEndian.Uint32(b[20:]),
	}, true
}

// Report is what a receiver says of one stream.
type Report struct {
	SSRC     uint32
	Fraction uint8  // lost since the last report, of 256
	Lost     int32  // lost in all, 24 bits
	Highest  uint32 // extended sequence number
	Jitter   uint32 // in units of the stream's clock
	LastSR   uint32 // middle of the NTP time of the last sender report
	Delay    uint32 // since then, in 1/65536 s
}

// Reports returns the i-th report block of a sender or receiver report.
func (p Packet) Reports(i int) (r Report, ok bool) {
	at := 4
	if p.Type == TypeSender {
		at = 24
	} else if p.Type != TypeReceiver {
		return r, false
	}
	at += i * blockSize
	if i >= int(p.Format) || at+blockSize > len(p.Body) {
		return r, false
	}
	b := p.Body[at:]
	return Report{
		SSRC: binary.BigEndian.Uint32(b), Fraction: b[4], Lost: int32(binary.BigEndian.Uint32(b[4:])<<8) >> 8,
		Highest: binary.BigEndian.Uint32(b[8:]), Jitter: binary.BigEndian.Uint32(b[12:]),
		LastSR: binary.BigEndian.Uint32(b[16:]), Delay: binary.BigEndian.Uint32(b[20:]),
	}, true
}

// Media returns the SSRC that a feedback packet is about.
func (p Packet) Media() (ssrc uint32, ok bool) {
	if (p.Type != TypeTransport && p.Type != TypePayload) || len(p.Body) < minFeedback-headerSize {
		return 0, false
	}
	return binary.BigEndian.Uint32(p.Body[4:]), true
}

// header appends a header whose length is set by finish.
func header(b []byte, kind, format uint8) []byte { return append(b, 2<<6|format, kind, 0, 0) }

// finish sets the length of the packet that starts at start.
func finish(b []byte, start int) []byte {
	binary.BigEndian.PutUint16(b[start+2:], uint16((len(b)-start)/4-1))
	return b
}

// AppendSender appends a sender report without report blocks.
func AppendSender(b []byte, s Sender) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(header(b, TypeSender, 0), s.SSRC)
	b = binary.BigEndian.AppendUint64(b, s.NTP)
	b = binary.BigEndian.AppendUint32(b, s.Timestamp)
	b = binary.BigEndian.AppendUint32(b, s.Packets)
	b = binary.BigEndian.AppendUint32(b, s.Octets)
	return finish(b, start)
}

// AppendReceiver appends a receiver report; of more than 31 blocks the rest is
// left for the next one.
func AppendReceiver(b []byte, ssrc uint32, reports []Report) []byte {
	start := len(b)
	reports = reports[:min(len(reports), maxReports)]
	b = binary.BigEndian.AppendUint32(header(b, TypeReceiver, uint8(len(reports))), ssrc)
	for _, r := range reports {
		b = binary.BigEndian.AppendUint32(b, r.SSRC)
		b = binary.BigEndian.AppendUint32(b, uint32(r.Fraction)<<24|uint32(r.Lost)&0xffffff)
		b = binary.BigEndian.AppendUint32(b, r.Highest)
		b = binary.BigEndian.AppendUint32(b, r.Jitter)
		b = binary.BigEndian.AppendUint32(b, r.LastSR)
		b = binary.BigEndian.AppendUint32(b, r.Delay)
	}
	return finish(b, start)
}

// AppendPLI appends a picture loss indication: a request for a key frame.
func AppendPLI(b []byte, ssrc, media uint32) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(header(b, TypePayload, FormatPLI), ssrc)
	return finish(binary.BigEndian.AppendUint32(b, media), start)
}
