package sfu

import (
	"encoding/binary"

	"parley/internal/media/udp"
)

const (
	recordHeader = 13 // of a DTLS record (RFC 6347 4.1)

	contentCipherSpec = 20
	contentHandshake  = 22

	// maxPlain is how many bytes without a cipher one connection takes: its
	// handshake, with what is lost and sent again. Pion keeps every message
	// until the handshake's end.
	maxPlain = 64 << 10
)

// record hands DTLS records to their connection.
func (sh *shard) record(c *conn, b []byte, from udp.Peer) {
	switch {
	case !c.admits(b):
		sh.count.Drops.Malformed++
	case !c.session.push(b, from):
		sh.count.Drops.Queue++
	}
}

// admits tells whether a datagram of DTLS records may go on. What has no cipher
// may come from anybody who writes the client's address on a datagram; of that,
// pion believes even alerts. So once there are keys, only the client's last
// flight, which it repeats when ours was lost, is let through.
func (c *conn) admits(b []byte) bool {
	plain := 0
	for rest := b; len(rest) > 0; {
		if len(rest) < recordHeader {
			return false
		}
		n := recordHeader + int(binary.BigEndian.Uint16(rest[recordHeader-2:]))
		if n > len(rest) {
			return false
		}
		if epoch := binary.BigEndian.Uint16(rest[3:]); epoch == 0 {
			if c.in != nil && !lastFlight(rest[0], rest[recordHeader:n]) {
				return false
			}
			plain += n
		}
		rest = rest[n:]
	}
	c.plain += plain
	return c.plain <= maxPlain || plain == 0
}

// lastFlight tells whether a record without a cipher may be of a handshake's end.
func lastFlight(kind byte, body []byte) bool {
	return kind == contentHandshake || kind == contentCipherSpec && len(body) == 1 && body[0] == 1
}
