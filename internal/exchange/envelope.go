package exchange

import (
	"crypto/subtle"
	"encoding/binary"
	"time"

	"github.com/gotd/td/bin"
)

// maxBody bounds a query of the exchange: the longest has some 340 bytes, to
// which TDLib adds up to 256 random ones.
const maxBody = 2048

// openEnvelope returns the body of an unencrypted message: key id 0, message
// id, length, body. Client clocks are set by this exchange, so the message id
// is not looked at.
func openEnvelope(frame []byte) ([]byte, error) {
	const header = 8 + 8 + 4
	if len(frame) < header || binary.LittleEndian.Uint64(frame) != 0 {
		return nil, ErrQuery
	}
	n := binary.LittleEndian.Uint32(frame[header-4:])
	if n > maxBody || int(n) > len(frame)-header {
		return nil, ErrQuery
	}
	return frame[header : header+int(n)], nil
}

// envelope wraps body as an unencrypted message with a new id.
func (x *Exchange) envelope(body []byte) []byte {
	now := time.Now()
	id := now.Unix()<<32 | int64(now.Nanosecond())<<32/int64(time.Second)
	id = id&^3 | 1 // of an answer
	x.lastID = max(id, x.lastID+4)

	b := make([]byte, 0, 8+8+4+len(body))
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(x.lastID))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	return append(b, body...)
}

// ours tells whether a query belongs to this exchange.
func (x *Exchange) ours(nonce, serverNonce bin.Int128) bool {
	return subtle.ConstantTimeCompare(nonce[:], x.nonce[:])&
		subtle.ConstantTimeCompare(serverNonce[:], x.serverNonce[:]) == 1
}

// sameNumber tells whether b is n, big-endian with or without leading zeros.
func sameNumber(b []byte, n uint64) bool {
	var got, want [8]byte
	if len(b) > len(got) {
		return false
	}
	copy(got[len(got)-len(b):], b)
	binary.BigEndian.PutUint64(want[:], n)
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// plainDC returns the data center that a client means: media data centers are
// negative, those of the test servers are 10000 higher.
func plainDC(has bool, dc int) (int, bool) {
	if !has {
		return 0, true
	}
	if dc < 0 {
		dc = -dc
	}
	if dc > 10_000 {
		dc -= 10_000
	}
	return dc, 1 <= dc && dc <= 5
}
