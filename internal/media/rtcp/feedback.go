package rtcp

import (
	"encoding/binary"
	"math/bits"
	"time"
)

const (
	aboutSize   = 8 // sender and media SSRC before what feedback says
	firSize     = 8
	nackSize    = 4
	nackSpan    = 16 // numbers in the mask after the first
	maxNacks    = 256
	rembID      = 0x52454d42 // "REMB"
	rembSize    = 16
	mantissaLen = 18
	maxSources  = 255
	ccSize      = 16
	maxStatuses = 1 << 11 // of one feedback; more are not looked at
)

// PLI returns the SSRC of the stream whose picture was lost.
func (p Packet) PLI() (media uint32, ok bool) {
	if p.Type != TypePayload || p.Format != FormatPLI {
		return 0, false
	}
	return p.Media()
}

// FIR returns the i-th stream that a key frame is wanted of, and the number of
// the request: a repeated number is the same request (RFC 5104 4.3.1).
func (p Packet) FIR(i int) (media uint32, number uint8, ok bool) {
	at := aboutSize + i*firSize
	if p.Type != TypePayload || p.Format != FormatFIR || at+firSize > len(p.Body) {
		return 0, 0, false
	}
	return binary.BigEndian.Uint32(p.Body[at:]), p.Body[at+4], true
}

// Missing are the sequence numbers of one negative acknowledgement, yet to be
// read.
type Missing struct {
	pairs []byte
	first uint16
	mask  uint32 // bit 0 is first
}

// Missing returns the sequence numbers that a negative acknowledgement names
// (RFC 4585 6.2.1).
func (p Packet) Missing() (m Missing, ok bool) {
	if p.Type != TypeTransport || p.Format != FormatNack || len(p.Body) < aboutSize {
		return m, false
	}
	return Missing{pairs: p.Body[aboutSize:]}, true
}

// Next returns the next number; ok is false when there is none.
func (m *Missing) Next() (seq uint16, ok bool) {
	if m.mask == 0 {
		if len(m.pairs) < nackSize {
			return 0, false
		}
		m.first = binary.BigEndian.Uint16(m.pairs)
		m.mask = uint32(binary.BigEndian.Uint16(m.pairs[2:]))<<1 | 1
		m.pairs = m.pairs[nackSize:]
	}
	n := bits.TrailingZeros32(m.mask)
	m.mask &= m.mask - 1
	return m.first + uint16(n), true
}

// REMB returns the bits per second that a receiver thinks it can get
// (draft-alvestrand-rmcat-remb-03).
func (p Packet) REMB() (rate uint64, ok bool) {
	b := p.Body
	if p.Type != TypePayload || p.Format != FormatREMB || len(b) < rembSize || binary.BigEndian.Uint32(b[8:]) != rembID {
		return 0, false
	}
	word := binary.BigEndian.Uint32(b[12:])
	shift, mantissa := word>>mantissaLen&0x3f, uint64(word&(1<<mantissaLen-1))
	if mantissa != 0 && int(shift) > bits.LeadingZeros64(mantissa) {
		return 1<<64 - 1, true
	}
	return mantissa << shift, true
}

// Arrival says what became of one packet.
type Arrival struct {
	Sequence uint16 // transport-wide
	Received bool
	// Delta is the time since the last packet that was received, or since the
	// feedback's Reference.
	Delta time.Duration
}

// Feedback is transport-wide feedback, yet to be read. It is read without
// trust: what is cut off is not there.
type Feedback struct {
	Reference time.Duration // of the receiver's clock, a multiple of 64 ms; wraps after 2^24 of them
	Base      uint16        // first sequence number
	Number    uint8         // of the feedback

	chunks, deltas []byte
	left           int    // numbers to come
	chunk          uint16 // being read
	unread         int    // numbers in it
}

// Feedback returns the transport-wide feedback of a packet
// (draft-holmer-rmcat-transport-wide-cc-extensions-01).
func (p Packet) Feedback() (f Feedback, ok bool) {
	b := p.Body
	if p.Type != TypeTransport || p.Format != FormatTransportCC || len(b) < ccSize {
		return f, false
	}
	word := binary.BigEndian.Uint32(b[12:])
	f = Feedback{
		Base: binary.BigEndian.Uint16(b[8:]), Number: uint8(word), Reference: time.Duration(int32(word)>>8) * referenceTick,
	}
	count := int(binary.BigEndian.Uint16(b[10:]))
	f.left = min(count, maxStatuses)
	b = b[ccSize:]
	end := 0
	for count > 0 {
		if end+2 > len(b) {
			return Feedback{}, false
		}
		count -= span(binary.BigEndian.Uint16(b[end:]))
		end += 2
	}
	f.chunks, f.deltas = b[:end], b[end:]
	return f, true
}

// span returns how many numbers a chunk speaks of.
func span(chunk uint16) int {
	switch chunk >> 14 {
	case 2:
		return 2 * perVector
	case 3:
		return perVector
	}
	return int(chunk & maxRunChunk)
}

// Next returns what became of the next packet; ok is false when nothing more
// is said.
func (f *Feedback) Next() (a Arrival, ok bool) {
	if f.left == 0 {
		return a, false
	}
	for f.unread == 0 {
		if len(f.chunks) == 0 {
			return a, false
		}
		f.chunk, f.chunks = binary.BigEndian.Uint16(f.chunks), f.chunks[2:]
		f.unread = span(f.chunk)
	}
	a.Sequence = f.Base
	switch f.status() {
	case statusSmall:
		if len(f.deltas) < 1 {
			return a, f.end()
		}
		a.Received, a.Delta, f.deltas = true, time.Duration(f.deltas[0])*tick, f.deltas[1:]
	case statusLarge:
		if len(f.deltas) < 2 {
			return a, f.end()
		}
		a.Received, a.Delta = true, time.Duration(int16(binary.BigEndian.Uint16(f.deltas)))*tick
		f.deltas = f.deltas[2:]
	}
	f.Base++
	f.left--
	return a, true
}

// status returns the status of the next number of the chunk.
func (f *Feedback) status() uint16 {
	f.unread--
	switch f.chunk >> 14 {
	case 2: // one bit each
		return f.chunk >> f.unread & 1
	case 3: // two
		return f.chunk >> (2 * f.unread) & 3
	}
	return f.chunk >> 13
}

// end ends the reading.
func (f *Feedback) end() bool {
	f.left = 0
	return false
}

// AppendNack appends a negative acknowledgement of sequence numbers in rising
// order; nothing when there are none. Of very many the rest is left out.
func AppendNack(b []byte, ssrc, media uint32, missing []uint16) []byte {
	if len(missing) == 0 {
		return b
	}
	start := len(b)
	b = binary.BigEndian.AppendUint32(header(b, TypeTransport, FormatNack), ssrc)
	b = binary.BigEndian.AppendUint32(b, media)
	for n := 0; len(missing) > 0 && n < maxNacks; n++ {
		first, mask := missing[0], uint16(0)
		for missing = missing[1:]; len(missing) > 0; missing = missing[1:] {
			distance := missing[0] - first
			if distance > nackSpan {
				break
			}
			mask |= uint16(uint32(1) << distance >> 1)
		}
		b = binary.BigEndian.AppendUint16(b, first)
		b = binary.BigEndian.AppendUint16(b, mask)
	}
	return finish(b, start)
}

// AppendREMB appends an estimate of the bits per second that streams may have
// together. The rate is rounded down to 18 bits.
func AppendREMB(b []byte, ssrc uint32, rate uint64, streams ...uint32) []byte {
	start := len(b)
	streams = streams[:min(len(streams), maxSources)]
	b = binary.BigEndian.AppendUint32(header(b, TypePayload, FormatREMB), ssrc)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, rembID)
	shift := max(bits.Len64(rate)-mantissaLen, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(streams))<<24|uint32(shift)<<mantissaLen|uint32(rate>>shift))
	for _, s := range streams {
		b = binary.BigEndian.AppendUint32(b, s)
	}
	return finish(b, start)
}
