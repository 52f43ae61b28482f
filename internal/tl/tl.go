// Package tl writes and reads the primitives of TL, the binary language of
// Telegram's API: little-endian integers, length-prefixed strings, vectors.
//
// Both directions keep their first error, so that generated code states what
// it writes or reads and nothing else. What is read is foreign: a Decoder
// bounds depth, counts and the number of objects.
package tl

import "errors"

// The constructors that are built into the language.
const (
	BoolTrue  uint32 = 0x997275b5
	BoolFalse uint32 = 0xbc799737
	VectorID  uint32 = 0x1cb5c415
)

// Limits of what a Decoder accepts.
const (
	MaxSize  = 1 << 20 // bytes of one object
	MaxDepth = 64      // objects inside objects
	MaxNodes = 1 << 16 // objects in all
)

// Errors of this package.
var (
	// ErrAbsent says that a constructor does not exist in the layer written.
	ErrAbsent = errors.New("tl: no such constructor in this layer")
	// ErrRange says that a number or a string is too large for the wire.
	ErrRange = errors.New("tl: value out of range")
	// ErrShort says that the input ends too early.
	ErrShort = errors.New("tl: unexpected end")
	// ErrLimit says that the input is deeper, longer or fuller than allowed.
	ErrLimit = errors.New("tl: limit exceeded")
	// ErrInvalid says that the input is no TL of the expected type.
	ErrInvalid = errors.New("tl: invalid value")
)

// Bit returns flag number n if set, and 0 otherwise.
func Bit(set bool, n uint) uint32 {
	if set {
		return 1 << n
	}
	return 0
}

// Val returns what p points to, and the zero value for nil.
func Val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
