package transport

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
)

// quickAckBit marks a length that asks for a quick ack, and a quick ack.
const quickAckBit = 1 << 31

// intermediate counts bytes in four.
type intermediate struct{}

func (intermediate) read(in *buffer) (Frame, error) {
	f, err := readIntermediate(in)
	if err == nil && len(f.Payload)%4 != 0 {
		err = ErrMalformed
	}
	return f, err
}

func readIntermediate(in *buffer) (Frame, error) {
	head, err := in.peek(4)
	if err != nil {
		return Frame{}, err
	}
	n := binary.LittleEndian.Uint32(head)
	payload, err := readPayload(in, 4, int(n&^quickAckBit))
	if err != nil {
		return Frame{}, err
	}
	return Frame{Payload: payload, QuickAck: n&quickAckBit != 0}, nil
}

func (intermediate) frame(dst, p []byte) []byte {
	dst = slices.Grow(dst, len(p)+4)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(p)))
	return append(dst, p...)
}

func (intermediate) quickAck(dst []byte, token uint32) []byte {
	return binary.LittleEndian.AppendUint32(dst, token|quickAckBit)
}

// padded is intermediate with random bytes behind each payload.
type padded struct{ intermediate }

func (padded) read(in *buffer) (Frame, error) {
	f, err := readIntermediate(in)
	if err != nil {
		return Frame{}, err
	}
	f.Payload, err = cutPadding(f.Payload)
	return f, err
}

// cutPadding finds the end of an MTProto message in b. The padding's length is
// not sent; it is up to 15 bytes and so smaller than a cipher block.
func cutPadding(b []byte) ([]byte, error) {
	const (
		plainHeader     = 8 + 8 + 4 // no key, message id, length
		encryptedHeader = 8 + 16    // key id, message key
		block           = 16
	)
	if len(b) < plainHeader {
		return nil, ErrMalformed
	}
	if binary.LittleEndian.Uint64(b) == 0 {
		n := uint64(binary.LittleEndian.Uint32(b[plainHeader-4:])) + plainHeader
		if n > uint64(len(b)) {
			return nil, ErrMalformed
		}
		return b[:n], nil
	}
	if len(b) < encryptedHeader+block {
		return nil, ErrMalformed
	}
	return b[:len(b)-(len(b)-encryptedHeader)%block], nil
}

// frame pads with up to 3 bytes: gotd drops the remainder of a division by 4
// and takes more for content (proto/codec of v0.162.0).
func (padded) frame(dst, p []byte) []byte {
	const isError = 4 // a transport error is recognized by its length
	random := rand.Uint32()
	pad := int(random >> 30)
	if len(p) == isError {
		pad = 0
	}
	dst = slices.Grow(dst, 4+len(p)+4)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(p)+pad))
	dst = append(dst, p...)
	return binary.LittleEndian.AppendUint32(dst, random)[:len(dst)+pad]
}
