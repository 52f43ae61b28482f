package load

import (
	"encoding/binary"
	"time"
)

// The payload types every client has (media.md 5.1).
const (
	opusType = 111
	vp8Type  = 100
)

// isMedia tells whether a datagram is one of the packets that are counted: RTP
// of a codec, without padding. It is what the kernel's filter decides, too.
func isMedia(b []byte) bool {
	return len(b) >= 12 && b[0]&0xe0 == 0x80 && (b[1]&0x7f == opusType || b[1]&0x7f == vp8Type)
}

// A packet's payload carries when it was sent, at a place where neither Opus
// nor VP8 headers are.
const (
	stampAt   = 16
	stampSize = 16
	stampMark = "PARLEYTS"
)

// putStamp notes the time in a payload.
func putStamp(payload []byte, at time.Duration) {
	copy(payload[stampAt:], stampMark)
	binary.BigEndian.PutUint64(payload[stampAt+len(stampMark):], uint64(at))
}

// stamp returns the time in a payload.
func stamp(payload []byte) (at time.Duration, ok bool) {
	if len(payload) < stampAt+stampSize || string(payload[stampAt:stampAt+len(stampMark)]) != stampMark {
		return 0, false
	}
	return time.Duration(binary.BigEndian.Uint64(payload[stampAt+len(stampMark):])), true
}
