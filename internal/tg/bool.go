package tg

import (
	"strconv"

	"parley/internal/tl"
)

// Bool is a result of type Bool.
type Bool bool

// TypeID returns the id of the value's constructor.
func (v Bool) TypeID() uint32 {
	if v {
		return tl.BoolTrue
	}
	return tl.BoolFalse
}

// TypeName returns "boolTrue" or "boolFalse".
func (v Bool) TypeName() string {
	if v {
		return "boolTrue"
	}
	return "boolFalse"
}

// MarshalJSON returns true or false.
func (v Bool) MarshalJSON() ([]byte, error) { return strconv.AppendBool(nil, bool(v)), nil }

// Encode writes the value; it is the same in all layers.
func (v Bool) Encode(b *tl.Buffer, _ int) error {
	b.PutBool(bool(v))
	return b.Err()
}

// EmptyVector is a result of type Vector with no elements, of whatever type.
type EmptyVector struct{}

// TypeID returns the id of vectors.
func (EmptyVector) TypeID() uint32 { return tl.VectorID }

// TypeName returns "vector".
func (EmptyVector) TypeName() string { return "vector" }

// MarshalJSON returns [].
func (EmptyVector) MarshalJSON() ([]byte, error) { return []byte("[]"), nil }

// Encode writes a vector without elements.
func (EmptyVector) Encode(b *tl.Buffer, _ int) error {
	b.BeginVector()
	return b.Err()
}
