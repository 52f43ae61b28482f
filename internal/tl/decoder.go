package tl

import (
	"encoding/binary"
	"math"
)

// A Decoder reads TL. After the first error everything it returns is zero.
type Decoder struct {
	b     []byte
	err   error
	depth int
	nodes int
}

// NewDecoder returns a Decoder of b, which must not change while it is read.
func NewDecoder(b []byte) *Decoder {
	d := &Decoder{b: b}
	if len(b) > MaxSize {
		d.Fail(ErrLimit)
	}
	return d
}

// Err returns the first error.
func (d *Decoder) Err() error { return d.err }

// Fail notes err unless there was an error before.
func (d *Decoder) Fail(err error) {
	if d.err == nil {
		d.err, d.b = err, nil
	}
}

// Len returns how many bytes are left.
func (d *Decoder) Len() int { return len(d.b) }

// Enter counts one more object, inside the ones entered and not left; it
// returns false when it is one too many. Leave follows either way.
func (d *Decoder) Enter() bool {
	d.depth++
	d.nodes++
	if d.depth > MaxDepth || d.nodes > MaxNodes {
		d.Fail(ErrLimit)
	}
	return d.err == nil
}

// Leave ends what Enter began.
func (d *Decoder) Leave() { d.depth-- }

// take returns the next n bytes, or nil.
func (d *Decoder) take(n int) []byte {
	if n > len(d.b) {
		d.Fail(ErrShort)
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

// Rest returns all that is left, not copied.
func (d *Decoder) Rest() []byte { return d.take(len(d.b)) }

// Peek returns the next id without reading it; 0 when there is none.
func (d *Decoder) Peek() uint32 {
	if len(d.b) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(d.b)
}

// ID reads a constructor's id, or a word of flags.
func (d *Decoder) ID() uint32 {
	if v := d.take(4); v != nil {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

// Int reads an int.
func (d *Decoder) Int() int { return int(int32(d.ID())) }

// Long reads a long.
func (d *Decoder) Long() int64 {
	if v := d.take(8); v != nil {
		return int64(binary.LittleEndian.Uint64(v))
	}
	return 0
}

// Double reads a double.
func (d *Decoder) Double() float64 { return math.Float64frombits(uint64(d.Long())) }

// Bool reads a Bool.
func (d *Decoder) Bool() bool {
	switch d.ID() {
	case BoolTrue:
		return true
	case BoolFalse:
	default:
		d.Fail(ErrInvalid)
	}
	return false
}

// Int128 reads an int128.
func (d *Decoder) Int128() (v [16]byte) {
	copy(v[:], d.take(16))
	return v
}

// Int256 reads an int256.
func (d *Decoder) Int256() (v [32]byte) {
	copy(v[:], d.take(32))
	return v
}

// String reads a string.
func (d *Decoder) String() string { return string(d.raw()) }

// Bytes reads bytes into a slice of their own; it is nil only after an error.
func (d *Decoder) Bytes() []byte {
	v := d.raw()
	if d.err != nil {
		return nil
	}
	return append(make([]byte, 0, len(v)), v...)
}

// raw reads a string with its padding and returns it, not copied.
func (d *Decoder) raw() []byte {
	if len(d.b) == 0 {
		d.Fail(ErrShort)
		return nil
	}
	n, head := int(d.b[0]), 1
	switch n {
	case 255:
		d.Fail(ErrInvalid)
		return nil
	case 254:
		if len(d.b) < 4 {
			d.Fail(ErrShort)
			return nil
		}
		n, head = int(d.b[1])|int(d.b[2])<<8|int(d.b[3])<<16, 4
	}
	v := d.take((head + n + 3) &^ 3)
	if v == nil {
		return nil
	}
	return v[head : head+n]
}

// Vector reads a vector's head and returns its count, which is no more than
// what is left can hold with size bytes or more for each element.
func (d *Decoder) Vector(size int) int {
	if d.ID() != VectorID {
		d.Fail(ErrInvalid)
		return 0
	}
	n := d.Int()
	if n < 0 || n > len(d.b)/size {
		d.Fail(ErrShort)
		return 0
	}
	return n
}

// vector reads a vector of primitives.
func vector[T any](d *Decoder, size int, read func() T) []T {
	v := make([]T, d.Vector(size))
	for i := range v {
		v[i] = read()
	}
	return v
}

// Ints reads a vector of ints.
func (d *Decoder) Ints() []int { return vector(d, 4, d.Int) }

// Longs reads a vector of longs.
func (d *Decoder) Longs() []int64 { return vector(d, 8, d.Long) }

// LongsFromInts reads longs where older layers have a vector of ints.
func (d *Decoder) LongsFromInts() []int64 {
	return vector(d, 4, func() int64 { return int64(d.Int()) })
}

// Strings reads a vector of strings.
func (d *Decoder) Strings() []string { return vector(d, 4, d.String) }

// BytesVector reads a vector of bytes.
func (d *Decoder) BytesVector() [][]byte { return vector(d, 4, d.Bytes) }
