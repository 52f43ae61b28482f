// Package h264 finds the packets where a decoder can begin, and the size of the
// picture, in H.264 over RTP: single units, STAP-A and FU-A (RFC 6184). Nothing
// here allocates, and nothing keeps what it is given.
//
// Parameter sets and the start of slices stay clear under end-to-end
// encryption (media.md 9).
package h264

import "encoding/binary"

// Types of units (RFC 6184 5.2, ITU-T H.264 table 7-1).
const (
	typeIDR  = 5
	typeSPS  = 7
	typeSTAP = 24
	typeFU   = 28

	typeMask = 0x1f
	startBit = 0x80 // of the header of a fragment
)

// Key tells whether a key frame or its parameters begin with a payload.
// Parameters come first where there are any, so the first payload that Key
// finds is where a receiver can be switched to the stream.
func Key(b []byte) bool { return has(b, typeIDR) || has(b, typeSPS) }

// Parameters tells whether a payload holds a sequence parameter set.
func Parameters(b []byte) bool { return has(b, typeSPS) }

// has tells whether a unit of a type begins in a payload.
func has(b []byte, wanted uint8) (found bool) {
	each(b, func(kind uint8, _ []byte) bool {
		found = kind == wanted
		return !found
	})
	return found
}

// Dimensions returns the size of the picture when a payload holds a sequence
// parameter set.
func Dimensions(b []byte) (width, height int, ok bool) {
	each(b, func(kind uint8, unit []byte) bool {
		if kind == typeSPS {
			width, height, ok = size(unit)
		}
		return !ok
	})
	return width, height, ok
}

// each gives all units that begin in a payload to f, without their first byte,
// until f returns false.
func each(b []byte, f func(kind uint8, unit []byte) bool) {
	if len(b) < 2 {
		return
	}
	switch kind := b[0] & typeMask; kind {
	case typeSTAP:
		for b = b[1:]; len(b) > 2; {
			n := int(binary.BigEndian.Uint16(b))
			if n == 0 || 2+n > len(b) || !f(b[2]&typeMask, b[3:2+n]) {
				return
			}
			b = b[2+n:]
		}
	case typeFU:
		if b[1]&startBit != 0 {
			f(b[1]&typeMask, b[2:])
		}
	default:
		f(kind, b[1:])
	}
}
