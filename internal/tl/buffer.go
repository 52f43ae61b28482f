package tl

import (
	"encoding/binary"
	"errors"
	"math"
)

// A Buffer is TL being written. The zero Buffer is ready for use.
type Buffer struct {
	b   []byte
	err error
}

// NewBuffer returns a Buffer that appends to b.
func NewBuffer(b []byte) *Buffer { return &Buffer{b: b} }

// Bytes returns what has been written.
func (b *Buffer) Bytes() []byte { return b.b }

// Len returns how much has been written.
func (b *Buffer) Len() int { return len(b.b) }

// Err returns the first error.
func (b *Buffer) Err() error { return b.err }

// Fail notes err unless there was an error before.
func (b *Buffer) Fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// Recover takes back what was written since the Buffer was mark long if it
// could not be written because the layer has no such constructor.
func (b *Buffer) Recover(mark int) bool {
	if !errors.Is(b.err, ErrAbsent) {
		return false
	}
	b.b, b.err = b.b[:mark], nil
	return true
}

// PutRaw writes bytes as they are.
func (b *Buffer) PutRaw(v []byte) { b.b = append(b.b, v...) }

// PutID writes a constructor's id, or a word of flags.
func (b *Buffer) PutID(v uint32) { b.b = binary.LittleEndian.AppendUint32(b.b, v) }

// ClearBits clears bits of the word written at position at.
func (b *Buffer) ClearBits(at int, bits uint32) {
	w := b.b[at:]
	binary.LittleEndian.PutUint32(w, binary.LittleEndian.Uint32(w)&^bits)
}

// PutInt writes an int.
func (b *Buffer) PutInt(v int) {
	if v < math.MinInt32 || v > math.MaxInt32 {
		b.Fail(ErrRange)
	}
	b.PutID(uint32(v))
}

// PutLong writes a long.
func (b *Buffer) PutLong(v int64) { b.b = binary.LittleEndian.AppendUint64(b.b, uint64(v)) }

// PutLongAsInt writes a long where older layers have an int.
func (b *Buffer) PutLongAsInt(v int64) {
	if v < math.MinInt32 || v > math.MaxInt32 {
		b.Fail(ErrRange)
	}
	b.PutID(uint32(v))
}

// PutDouble writes a double.
func (b *Buffer) PutDouble(v float64) {
	b.b = binary.LittleEndian.AppendUint64(b.b, math.Float64bits(v))
}

// PutBool writes a Bool.
func (b *Buffer) PutBool(v bool) {
	if v {
		b.PutID(BoolTrue)
		return
	}
	b.PutID(BoolFalse)
}

// PutInt128 writes an int128.
func (b *Buffer) PutInt128(v [16]byte) { b.b = append(b.b, v[:]...) }

// PutInt256 writes an int256.
func (b *Buffer) PutInt256(v [32]byte) { b.b = append(b.b, v[:]...) }

// PutString writes a string.
func (b *Buffer) PutString(v string) {
	b.b = append(b.length(len(v)), v...)
	b.pad(len(v))
}

// PutBytes writes bytes, which look like a string on the wire.
func (b *Buffer) PutBytes(v []byte) {
	b.b = append(b.length(len(v)), v...)
	b.pad(len(v))
}

// length returns the Buffer's bytes with the prefix of a string of n bytes.
func (b *Buffer) length(n int) []byte {
	switch {
	case n < 254:
		return append(b.b, byte(n))
	case n < 1<<24:
		return append(b.b, 254, byte(n), byte(n>>8), byte(n>>16))
	}
	b.Fail(ErrRange)
	return b.b
}

// pad fills a string of n bytes up to a multiple of 4.
func (b *Buffer) pad(n int) {
	if n < 254 {
		n++
	}
	for ; n%4 != 0; n++ {
		b.b = append(b.b, 0)
	}
}

// BeginVector writes the head of an empty vector and returns the position of
// its count, for Grow.
func (b *Buffer) BeginVector() int {
	b.PutID(VectorID)
	b.PutID(0)
	return len(b.b) - 4
}

// Grow counts one more element in the vector whose count is at position at.
func (b *Buffer) Grow(at int) {
	w := b.b[at:]
	binary.LittleEndian.PutUint32(w, binary.LittleEndian.Uint32(w)+1)
}

func (b *Buffer) vector(n int) {
	b.PutID(VectorID)
	b.PutInt(n)
}

// PutInts writes a vector of ints.
func (b *Buffer) PutInts(v []int) {
	b.vector(len(v))
	for _, e := range v {
		b.PutInt(e)
	}
}

// PutLongs writes a vector of longs.
func (b *Buffer) PutLongs(v []int64) {
	b.vector(len(v))
	for _, e := range v {
		b.PutLong(e)
	}
}

// PutLongsAsInts writes longs where older layers have a vector of ints.
func (b *Buffer) PutLongsAsInts(v []int64) {
	b.vector(len(v))
	for _, e := range v {
		b.PutLongAsInt(e)
	}
}

// PutStrings writes a vector of strings.
func (b *Buffer) PutStrings(v []string) {
	b.vector(len(v))
	for _, e := range v {
		b.PutString(e)
	}
}

// PutBytesVector writes a vector of bytes.
func (b *Buffer) PutBytesVector(v [][]byte) {
	b.vector(len(v))
	for _, e := range v {
		b.PutBytes(e)
	}
}
