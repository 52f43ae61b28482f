package record

import "encoding/binary"

const (
	helloOfClient = 1
	helloOfServer = 2

	messageHeader = 12
	randomAt      = messageHeader + 2 // after the version
	randomSize    = 32
)

// Secrets is what a handshake leaves behind.
type Secrets struct {
	Master []byte
	Client [randomSize]byte
	Server [randomSize]byte
	Next   uint64 // number of the next record to send

	client, server bool // is known
}

// Heard takes the random from what the client or the server of a handshake
// sent, if it has its hello: from the first one, like the handshake itself.
func (s *Secrets) Heard(b []byte, client bool) {
	hello, random, known := byte(helloOfServer), &s.Server, &s.server
	if client {
		hello, random, known = helloOfClient, &s.Client, &s.client
	}
	for len(b) > headerSize && !*known {
		kind, at := Kind(b[0]), binary.BigEndian.Uint16(b[3:])
		var body []byte
		body, b = cut(b)
		if kind == Handshake && at == 0 && len(body) >= randomAt+randomSize && body[0] == hello &&
			body[6]|body[7]|body[8] == 0 { // is where the message begins
			copy(random[:], body[randomAt:])
			*known = true
		}
	}
}

// Said takes note of what we, as the client or the server, sent.
func (s *Secrets) Said(b []byte, client bool) {
	s.Heard(b, client)
	for len(b) > headerSize {
		if number := binary.BigEndian.Uint64(b[3:]); number>>48 == epoch {
			s.Next = number&(1<<48-1) + 1
		}
		_, b = cut(b)
	}
}

// cut returns what the first record of a datagram holds, and what comes after
// it; nothing of one that is too short.
func cut(b []byte) (body, rest []byte) {
	size := headerSize + int(binary.BigEndian.Uint16(b[headerSize-2:]))
	if size > len(b) {
		return nil, nil
	}
	return b[headerSize:size], b[size:]
}
