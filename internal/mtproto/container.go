package mtproto

import (
	"encoding/binary"
	"errors"
)

// errMalformed is what a message gets that cannot be read.
var errMalformed = errors.New("malformed message")

// incoming is a message from a client, alone or out of a container.
type incoming struct {
	id    int64
	seqno int32
	body  []byte
}

// partHeader is the size of msg_id, seqno and length of a message in a container.
const partHeader = 8 + 4 + 4

// unpack returns the messages of a container:
//
//	msg_container#73f1f8dc messages:vector<%Message> = MessageContainer;
//
// They share memory with it. Whatever breaks the rules breaks the whole container.
func unpack(container incoming) ([]incoming, error) {
	b := container.body
	if len(b) < 8 {
		return nil, errMalformed
	}
	n := binary.LittleEndian.Uint32(b[4:])
	b = b[8:]
	if n == 0 || n > maxContainer || int(n) > len(b)/partHeader {
		return nil, errMalformed
	}
	parts := make([]incoming, n)
	for i := range parts {
		if len(b) < partHeader {
			return nil, errMalformed
		}
		m := incoming{
			id:    int64(binary.LittleEndian.Uint64(b)),
			seqno: int32(binary.LittleEndian.Uint32(b[8:])),
		}
		size := int64(binary.LittleEndian.Uint32(b[12:]))
		b = b[partHeader:]
		if size < 4 || size%4 != 0 || size > int64(len(b)) {
			return nil, errMalformed
		}
		m.body, b = b[:size:size], b[size:]
		if m.id%4 != kindClient || m.id >= container.id || m.seqno > container.seqno || constructor(m.body) == idContainer {
			return nil, errMalformed
		}
		parts[i] = m
	}
	if len(b) != 0 {
		return nil, errMalformed
	}
	return parts, nil
}

// appendBatch appends what the batch holds to dst, as the body of one message.
func appendBatch(dst []byte, b batch) []byte {
	if len(b.parts) == 1 {
		return append(dst, b.parts[0].body...)
	}
	dst = binary.LittleEndian.AppendUint32(dst, idContainer)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b.parts)))
	for _, p := range b.parts {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(p.id))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(p.seqno))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(p.body)))
		dst = append(dst, p.body...)
	}
	return dst
}
