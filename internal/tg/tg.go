// Package tg holds the types of Telegram's API that are served here, with
// their binary form in every layer from MinLayer to Layer and their JSON form.
//
// The types are generated from the schema; they look like layer Layer. An
// object is encoded for the layer of whoever reads it: with the ids and fields
// of that layer, without what it does not know. Requests of any layer are
// decoded into the types of layer Layer.
package tg

//go:generate go run -C ../../tools ./tlgen ../schema ../internal/tg

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"parley/internal/tl"
)

// The newest and the oldest layer that clients can have.
const (
	Layer    = 229
	MinLayer = 127
)

// Object is any type, request or result of the API.
type Object interface {
	// TypeID returns the constructor's id in the newest layer.
	TypeID() uint32
	// TypeName returns the name in the schema: "phone.joinGroupCall".
	TypeName() string
	// Encode writes the boxed object as clients of the layer know it.
	Encode(b *tl.Buffer, layer int) error
	// MarshalJSON returns the object with the schema's names and "_".
	MarshalJSON() ([]byte, error)
}

// Errors of decoding.
var (
	// ErrUnknown says that an id or a name is of nothing served here.
	ErrUnknown = errors.New("tg: unknown constructor")
	// errUnserved says that a field is set whose class is not served here.
	errUnserved = errors.New("tg: field of a class that is not served")
	// errNil says that a required object was not set.
	errNil = errors.New("tg: required object is nil")
	// errTrailing says that there is more than one object.
	errTrailing = errors.New("tg: bytes after the object")
)

// node is an Object that can read itself.
type node interface {
	Object
	decode(d *tl.Decoder, layer int)
}

// constructor is one type or method.
type constructor struct {
	name   string
	method bool
	make   func() node
}

// variant is one id of a constructor.
type variant struct {
	id    uint32
	layer uint8 // one in which the id is valid
	index uint16
}

// Clamp returns the layer that a client of the given layer is answered in.
func Clamp(layer int) int { return min(max(layer, MinLayer), Layer) }

// Encode returns the boxed object as clients of the layer know it.
func Encode(o Object, layer int) ([]byte, error) {
	if o == nil {
		return nil, fmt.Errorf("encode: %w", errNil)
	}
	b := tl.NewBuffer(make([]byte, 0, 256))
	err := o.Encode(b, Clamp(layer))
	if short, ok := o.(*UpdateShort); ok && b.Recover(0) {
		err = (&Updates{Date: short.Date}).Encode(b, Clamp(layer)) // nothing that the layer knows
	}
	if err != nil {
		return nil, fmt.Errorf("encode %s for layer %d: %w", o.TypeName(), layer, err)
	}
	return b.Bytes(), nil
}

// Decode reads a boxed object of any layer.
func Decode(b []byte) (Object, error) {
	d := tl.NewDecoder(b)
	if id := d.Peek(); id == tl.BoolTrue || id == tl.BoolFalse {
		return finish(d, Bool(d.Bool()))
	}
	return finish(d, getObject(d))
}

// DecodeMethod reads a request of any layer. The error is ErrUnknown if there
// is no such method here. The request may refer to b.
func DecodeMethod(b []byte) (Object, error) {
	d := tl.NewDecoder(b)
	v, ok := find(d.ID())
	if !ok || !constructors[v.index].method {
		if d.Err() == nil {
			d.Fail(ErrUnknown)
		}
		return nil, fmt.Errorf("decode method: %w", d.Err())
	}
	o := constructors[v.index].make()
	o.decode(d, int(v.layer))
	return finish(d, o)
}

// Names returns the names of all methods, or of all other constructors.
func Names(methods bool) []string {
	var all []string
	for _, c := range constructors {
		if c.method == methods {
			all = append(all, c.name)
		}
	}
	return all
}

// MethodName returns the name of the method with an id of any layer, "" if
// there is none.
func MethodName(id uint32) string {
	if v, ok := find(id); ok && constructors[v.index].method {
		return constructors[v.index].name
	}
	return ""
}

// New returns the zero object of a method or another constructor; nil if
// there is none of that name.
func New(name string) Object {
	if i, ok := lookup(name); ok {
		return constructors[i].make()
	}
	return nil
}

// finish returns o if nothing went wrong and nothing is left.
func finish(d *tl.Decoder, o Object) (Object, error) {
	if d.Err() == nil && d.Len() > 0 {
		d.Fail(errTrailing)
	}
	if err := d.Err(); err != nil {
		name := "object"
		if o != nil {
			name = o.TypeName()
		}
		return nil, fmt.Errorf("decode %s: %w", name, err)
	}
	return o, nil
}

// find returns the variant that has an id.
func find(id uint32) (variant, bool) {
	i, ok := slices.BinarySearchFunc(variants[:], id, func(v variant, id uint32) int { return cmp.Compare(v.id, id) })
	if !ok {
		return variant{}, false
	}
	return variants[i], true
}

// lookup returns the index of a constructor by name.
func lookup(name string) (int, bool) {
	return slices.BinarySearchFunc(constructors[:], name, func(c constructor, name string) int { return cmp.Compare(c.name, name) })
}
