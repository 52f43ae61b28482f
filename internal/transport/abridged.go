package transport

import (
	"encoding/binary"
	"slices"
)

const (
	abridgedLong = 0x7f // the length follows in three bytes
	abridgedAck  = 0x80 // a quick ack is wanted
)

// abridged counts words in one byte, or in three behind 0x7f.
type abridged struct{}

func (abridged) read(in *buffer) (Frame, error) {
	head, err := in.peek(1)
	if err != nil {
		return Frame{}, err
	}
	ack, words, skip := head[0]&abridgedAck != 0, int(head[0]&^abridgedAck), 1
	if words == abridgedLong {
		if head, err = in.peek(4); err != nil {
			return Frame{}, err
		}
		words, skip = int(binary.LittleEndian.Uint32(head)>>8), 4
	}
	payload, err := readPayload(in, skip, 4*words)
	if err != nil {
		return Frame{}, err
	}
	return Frame{Payload: payload, QuickAck: ack}, nil
}

// readPayload takes a header of skip bytes and n bytes behind it, which it returns.
func readPayload(in *buffer, skip, n int) ([]byte, error) {
	switch {
	case n <= 0:
		return nil, ErrMalformed
	case n > MaxRead:
		return nil, ErrTooLarge
	}
	b, err := in.peek(skip + n)
	if err != nil {
		return nil, err
	}
	in.take(skip + n)
	return b[skip:], nil
}

func (abridged) frame(dst, p []byte) []byte {
	dst = slices.Grow(dst, len(p)+4)
	if words := len(p) / 4; words < abridgedLong {
		dst = append(dst, byte(words))
	} else {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(words)<<8|abridgedLong)
	}
	return append(dst, p...)
}

// quickAck sends the token's highest byte first: its top bit is what tells it
// from a length.
func (abridged) quickAck(dst []byte, token uint32) []byte {
	return binary.BigEndian.AppendUint32(dst, token|quickAckBit)
}
