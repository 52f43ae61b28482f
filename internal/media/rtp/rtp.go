// Package rtp reads RTP headers by offset and writes the few headers the
// media server sends. Nothing here allocates, and nothing keeps what it is given.
//
// Header extensions have the ids the whole network uses (media.md 5.1).
package rtp

import (
	"encoding/binary"
	"math/bits"
	"time"
)

// Sizes and bits of RFC 3550 5.1 and RFC 8285.
const (
	HeaderSize = 12
	// EgressSize is the most a header takes that Header.Write wrote.
	EgressSize = HeaderSize + 16

	extensionBit   = 0x10
	paddingBit     = 0x20
	profileOneByte = 0xBEDE
	profileTwoByte = 0x1000 // the low four bits are free

	idLevel       = 1
	idSendTime    = 2
	idTransport   = 3
	idOrientation = 13
	idStop        = 15

	// Where Header.Write puts what differs between receivers.
	extensionAt = HeaderSize
	transportAt = extensionAt + 5
	sendTimeAt  = transportAt + 3
	lastAt      = sendTimeAt + 3 // level or orientation
)

// Header is what the server reads of a packet's header.
type Header struct {
	SSRC      uint32
	Timestamp uint32
	Sequence  uint16
	Transport uint16 // transport-wide sequence number
	Type      uint8
	Level     uint8 // -dBov, 0 is loudest; 127 when absent
	// Orientation is how a camera is held (3GPP TS 26.114 7.4.5).
	Orientation uint8
	Size        int // of the header with its extensions: where the payload starts

	Marker         bool
	Voice          bool // the V bit of the level
	HasLevel       bool
	HasOrientation bool
	HasTransport   bool
	Padded         bool
}

// IsRTCP tells RTCP from RTP by the second byte (RFC 5761 4).
func IsRTCP(b []byte) bool { return len(b) > 1 && b[1] >= 192 && b[1] <= 223 }

// Parse reads the header of a packet into h and tells whether it is sound.
func (h *Header) Parse(b []byte) bool {
	if len(b) < HeaderSize || b[0]>>6 != 2 {
		return false
	}
	*h = Header{
		SSRC: binary.BigEndian.Uint32(b[8:]), Timestamp: binary.BigEndian.Uint32(b[4:]),
		Sequence: binary.BigEndian.Uint16(b[2:]), Type: b[1] & 0x7f, Marker: b[1]&0x80 != 0,
		Padded: b[0]&paddingBit != 0, Level: 127, Size: HeaderSize + 4*int(b[0]&0x0f),
	}
	if b[0]&extensionBit == 0 {
		return h.Size <= len(b)
	}
	if h.Size+4 > len(b) {
		return false
	}
	profile := binary.BigEndian.Uint16(b[h.Size:])
	start := h.Size + 4
	h.Size = start + 4*int(binary.BigEndian.Uint16(b[start-2:]))
	if h.Size > len(b) {
		return false
	}
	switch {
	case profile == profileOneByte:
		h.oneByte(b[start:h.Size])
	case profile&0xfff0 == profileTwoByte:
		h.twoByte(b[start:h.Size])
	}
	return true
}

// oneByte reads elements of RFC 8285 4.2; a broken one ends the reading.
func (h *Header) oneByte(b []byte) {
	for len(b) > 0 {
		if b[0] == 0 { // padding
			b = b[1:]
			continue
		}
		id, n := b[0]>>4, int(b[0]&0x0f)+1
		if id == idStop || 1+n > len(b) {
			return
		}
		h.element(id, b[1:1+n])
		b = b[1+n:]
	}
}

// twoByte reads elements of RFC 8285 4.3.
func (h *Header) twoByte(b []byte) {
	for len(b) > 1 {
		if b[0] == 0 {
			b = b[1:]
			continue
		}
		n := int(b[1])
		if 2+n > len(b) {
			return
		}
		h.element(b[0], b[2:2+n])
		b = b[2+n:]
	}
}

func (h *Header) element(id uint8, v []byte) {
	switch {
	case id == idLevel && len(v) >= 1:
		h.Level, h.Voice, h.HasLevel = v[0]&0x7f, v[0]&0x80 != 0, true
	case id == idTransport && len(v) >= 2:
		h.Transport, h.HasTransport = binary.BigEndian.Uint16(v), true
	case id == idOrientation && len(v) >= 1:
		h.Orientation, h.HasOrientation = v[0], true
	}
}

// Payload returns the decrypted payload of a packet without its padding.
func (h *Header) Payload(b []byte) ([]byte, bool) {
	if h.Size > len(b) {
		return nil, false
	}
	b = b[h.Size:]
	if !h.Padded {
		return b, true
	}
	if len(b) == 0 {
		return nil, false
	}
	n := int(b[len(b)-1])
	if n == 0 || n > len(b) {
		return nil, false
	}
	return b[:len(b)-n], true
}

// Write writes the header a receiver gets into b, which has room for
// EgressSize bytes, and returns its size. Of the extensions level and
// orientation stay; the transport-wide number and the send time are the
// receiver's own and to be set.
func (h *Header) Write(b []byte) int {
	b[0] = 2<<6 | extensionBit
	if h.Padded {
		b[0] |= paddingBit
	}
	b[1] = h.Type
	if h.Marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], h.Sequence)
	binary.BigEndian.PutUint32(b[4:], h.Timestamp)
	binary.BigEndian.PutUint32(b[8:], h.SSRC)
	binary.BigEndian.PutUint32(b[extensionAt:], profileOneByte<<16|2)
	b[transportAt-1], b[transportAt], b[transportAt+1] = idTransport<<4|1, 0, 0
	b[sendTimeAt-1], b[sendTimeAt], b[sendTimeAt+1], b[sendTimeAt+2] = idSendTime<<4|2, 0, 0, 0
	var id, v byte
	switch {
	case h.HasOrientation:
		id, v = idOrientation, h.Orientation
	case h.HasLevel:
		if id, v = idLevel, h.Level; h.Voice {
			v |= 0x80
		}
	default:
		b[lastAt] = 0
		return lastAt + 1
	}
	b[extensionAt+3] = 3
	b[lastAt], b[lastAt+1], b[lastAt+2], b[lastAt+3], b[lastAt+4] = id<<4, v, 0, 0, 0
	return EgressSize
}

// Type returns the payload type of a written header.
func Type(b []byte) uint8 { return b[1] & 0x7f }

// Timestamp returns the timestamp of a written header.
func Timestamp(b []byte) uint32 { return binary.BigEndian.Uint32(b[4:]) }

// Address makes a written header one of another stream.
func Address(b []byte, ssrc uint32, kind uint8) {
	b[1] = b[1]&0x80 | kind
	binary.BigEndian.PutUint32(b[8:], ssrc)
}

// Stamp writes a header that Write wrote to b, with the numbers that are one
// receiver's own: sequence number, timestamp and transport-wide number. All of
// b's first EgressSize bytes are written, in words: what is written in parts is
// slow to read as a whole.
func Stamp(b []byte, header *[EgressSize]byte, seq uint16, timestamp uint32, transport uint16) {
	const first = 8 * (transportAt - 16)
	word := binary.LittleEndian
	_ = b[EgressSize-1]
	word.PutUint64(b, word.Uint64(header[:])&0xffff|uint64(bits.ReverseBytes16(seq))<<16|uint64(bits.ReverseBytes32(timestamp))<<32)
	word.PutUint64(b[8:], word.Uint64(header[8:]))
	word.PutUint64(b[16:], word.Uint64(header[16:])&^(0xffff<<first)|uint64(bits.ReverseBytes16(transport))<<first)
	word.PutUint32(b[24:], word.Uint32(header[24:]))
}

// SetSendTime changes the send time of a header that Write wrote.
func SetSendTime(b []byte, t uint32) {
	b[sendTimeAt], b[sendTimeAt+1], b[sendTimeAt+2] = byte(t>>16), byte(t>>8), byte(t)
}

// SendTime spells a time since any fixed moment as abs-send-time does: seconds
// of 24 bits, of which 18 are the fraction.
func SendTime(at time.Duration) uint32 {
	return uint32(uint64(at/time.Microsecond)<<18/1e6) & 0xffffff
}
