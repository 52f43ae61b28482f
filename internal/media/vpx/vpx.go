// Package vpx reads the descriptors before VP8 and VP9 payloads and as much of
// the frame as tells a key frame and its size, and renumbers pictures in place,
// so that a receiver sees one stream where the sender's layers change (RFC 7741,
// RFC 6386 9.1, RFC 9628). Nothing here allocates, and nothing keeps what it is
// given.
package vpx

import "encoding/binary"

const (
	wideBit  = 0x80 // of the first byte of an id
	slimMask = 0x7f
	wideMask = 0x7fff // the greatest id; the next one is 0
)

// Numbers is what a descriptor says of its picture's numbers.
type Numbers struct {
	ID   uint16
	TL0  uint8 // running index of the lowest temporal layer
	Wide bool  // the id has 15 bits, not 7

	idAt, tl0At uint8 // where they stand in the payload; 0 = absent
}

// readID reads the id at a place in a payload and returns where what follows
// begins; false for one that is cut off.
func (n *Numbers) readID(b []byte, at int) (next int, ok bool) {
	if at >= len(b) {
		return 0, false
	}
	n.idAt = uint8(at)
	if n.Wide = b[at]&wideBit != 0; !n.Wide {
		n.ID = uint16(b[at])
		return at + 1, true
	}
	if at+1 >= len(b) {
		return 0, false
	}
	n.ID = binary.BigEndian.Uint16(b[at:]) & wideMask
	return at + 2, true
}

// readTL0 reads the index at a place in a payload; false for one that is cut
// off.
func (n *Numbers) readTL0(b []byte, at int) bool {
	if at >= len(b) {
		return false
	}
	n.TL0, n.tl0At = b[at], uint8(at)
	return true
}

// HasID tells whether there is an id.
func (n *Numbers) HasID() bool { return n.idAt != 0 }

// HasTL0 tells whether there is an index of the lowest temporal layer.
func (n *Numbers) HasTL0() bool { return n.tl0At != 0 }

// Rewrite numbers the picture anew in the payload, or a copy of it. Each number
// keeps its width; what is absent stays so. What is right already is not
// written: the payload is read next, and what was written in parts keeps the
// processor waiting.
func (n *Numbers) Rewrite(b []byte, id uint16, tl0 uint8) {
	switch {
	case n.idAt == 0:
	case n.Wide:
		if wide := id | wideBit<<8; binary.BigEndian.Uint16(b[n.idAt:]) != wide {
			binary.BigEndian.PutUint16(b[n.idAt:], wide)
		}
	case b[n.idAt] != uint8(id&slimMask):
		b[n.idAt] = uint8(id & slimMask)
	}
	if n.tl0At != 0 && b[n.tl0At] != tl0 {
		b[n.tl0At] = tl0
	}
}
