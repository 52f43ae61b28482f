package rtp

import "encoding/binary"

// originalSize is how many bytes longer the payload of a retransmission is: it
// begins with the original sequence number (RFC 4588 4).
const originalSize = 2

// Original returns the sequence number and the payload of the packet that a
// retransmission repeats, from its payload without padding. One that only
// probes the path repeats none.
func Original(payload []byte) (seq uint16, original []byte, ok bool) {
	if len(payload) <= originalSize {
		return 0, nil, false
	}
	return binary.BigEndian.Uint16(payload), payload[originalSize:], true
}

// SetOriginal writes the original sequence number to the first bytes of a
// payload with room for it.
func SetOriginal(payload []byte, seq uint16) { binary.BigEndian.PutUint16(payload, seq) }
