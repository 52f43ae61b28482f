package tg

import "parley/internal/tl"

// putRequired writes an object that must be there; instead writes other if
// there is none, or none that the layer knows.
func putRequired(b *tl.Buffer, o, other Object, layer int) {
	if b.Err() != nil {
		return
	}
	if o == nil {
		o = other
	}
	if o == nil {
		b.Fail(errNil)
		return
	}
	mark := b.Len()
	if o.Encode(b, layer) != nil && other != nil && b.Recover(mark) {
		_ = other.Encode(b, layer) // b keeps the error
	}
}

// putOptional writes an object that may be missing in the layer: then its bit
// is cleared in the word of flags at position at.
func putOptional(b *tl.Buffer, at int, bit uint32, o Object, layer int) {
	if b.Err() != nil {
		return
	}
	mark := b.Len()
	if o.Encode(b, layer) != nil && b.Recover(mark) {
		b.ClearBits(at, bit)
	}
}

// putItem writes one more element of the vector whose count is at position
// at, unless the layer does not know it.
func putItem(b *tl.Buffer, at int, o Object, layer int) {
	if b.Err() != nil {
		return
	}
	if o == nil {
		b.Fail(errNil)
		return
	}
	mark := b.Len()
	if o.Encode(b, layer) == nil {
		b.Grow(at)
		return
	}
	b.Recover(mark)
}

// getObject reads any boxed object but a request; nil after an error.
func getObject(d *tl.Decoder) Object {
	v, ok := find(d.ID())
	if !ok || constructors[v.index].method {
		d.Fail(ErrUnknown)
		return nil
	}
	defer d.Leave()
	if !d.Enter() {
		return nil
	}
	o := constructors[v.index].make()
	o.decode(d, int(v.layer))
	return o
}

// getClass reads an object of the class T.
func getClass[T Object](d *tl.Decoder) T {
	o := getObject(d)
	t, ok := o.(T)
	if ok {
		return t
	}
	for _, other := range alternatives(o) {
		if t, ok = other.(T); ok {
			return t
		}
	}
	d.Fail(tl.ErrInvalid)
	return t
}

// getStruct reads an object of the only constructor of its class.
func getStruct(d *tl.Decoder, o node) {
	v, ok := find(d.ID())
	if !ok || constructors[v.index].name != o.TypeName() || constructors[v.index].method {
		d.Fail(tl.ErrInvalid)
		return
	}
	defer d.Leave()
	if d.Enter() {
		o.decode(d, int(v.layer))
	}
}

// orZero returns p, or a zero value when it is nil.
func orZero[T any](p *T) *T {
	if p == nil {
		return new(T)
	}
	return p
}
