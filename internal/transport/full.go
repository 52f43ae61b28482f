package transport

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// full counts and numbers frames and ends each with a checksum.
type full struct {
	received uint32 // owned by the reader
	sent     uint32 // owned by the writer
}

const (
	fullHeader  = 8 // length of all, number
	fullTrailer = 4 // CRC-32 of what precedes
)

func (f *full) read(in *buffer) (Frame, error) {
	head, err := in.peek(fullHeader)
	if err != nil {
		return Frame{}, err
	}
	n, number := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[4:])
	switch {
	case n > MaxRead+fullHeader+fullTrailer:
		return Frame{}, ErrTooLarge
	case n <= fullHeader+fullTrailer || n%4 != 0 || number != f.received:
		return Frame{}, ErrMalformed
	}
	b, err := in.peek(int(n))
	if err != nil {
		return Frame{}, err
	}
	end := len(b) - fullTrailer
	if crc32.ChecksumIEEE(b[:end]) != binary.LittleEndian.Uint32(b[end:]) {
		return Frame{}, ErrMalformed
	}
	in.take(len(b))
	f.received++
	return Frame{Payload: b[fullHeader:end]}, nil
}

func (f *full) frame(dst, p []byte) []byte {
	n := fullHeader + len(p) + fullTrailer
	dst = slices.Grow(dst, n)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
	dst = binary.LittleEndian.AppendUint32(dst, f.sent)
	dst = append(dst, p...)
	f.sent++
	return binary.LittleEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst))
}

func (*full) quickAck(dst []byte, _ uint32) []byte { return dst[:0] }
