// Package rtp reads RTP headers by offset and writes the few headers the
// media server sends. Nothing here allocates, and nothing keeps what it is given.
//
// Header extensions have the ids the whole network uses (media.md 5.1).
package rtp

import "encoding/binary"

// Sizes and bits of RFC 3550 5.1 and RFC 8285.
const (
	HeaderSize = 12
	// EgressSize is the size of a header written by Header.Write with a level.
	EgressSize = HeaderSize + 8

	extensionBit   = 0x10
	paddingBit     = 0x20
	profileOneByte = 0xBEDE
	profileTwoByte = 0x1000 // the low four bits are free

	idLevel     = 1
	idTransport = 3
	idStop      = 15
)

// Header is what the server reads of a packet's header.
type Header struct {
	SSRC      uint32
	Timestamp uint32
	Sequence  uint16
	Transport uint16 // transport-wide sequence number
	Type      uint8
	Level     uint8 // -dBov, 0 is loudest; 127 when absent
	Size      int   // of the header with its extensions: where the payload starts

	Marker       bool
	Voice        bool // the V bit of the level
	HasLevel     bool
	HasTransport bool
	Padded       bool
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
// EgressSize bytes, and returns its size. Of the extensions only the level
// stays: other values belong to the sender's own path.
func (h *Header) Write(b []byte) int {
	b[0] = 2 << 6
	b[1] = h.Type
	if h.Marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], h.Sequence)
	binary.BigEndian.PutUint32(b[4:], h.Timestamp)
	binary.BigEndian.PutUint32(b[8:], h.SSRC)
	if !h.HasLevel {
		return HeaderSize
	}
	b[0] |= extensionBit
	binary.BigEndian.PutUint32(b[12:], profileOneByte<<16|1)
	level := h.Level
	if h.Voice {
		level |= 0x80
	}
	b[16], b[17], b[18], b[19] = idLevel<<4, level, 0, 0
	return EgressSize
}

// SetSequence changes the sequence number of a written header.
func SetSequence(b []byte, seq uint16) { binary.BigEndian.PutUint16(b[2:], seq) }
