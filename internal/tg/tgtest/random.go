// Package tgtest makes random objects of package tg for tests: every field
// may be set, absent or extreme, every class any of its constructors.
package tgtest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"

	"parley/internal/tg"
)

// A Generator makes random objects. It is not safe for concurrent use.
type Generator struct {
	r       *rand.Rand
	classes map[reflect.Type][]reflect.Type // by interface: the structs of its constructors
}

// New returns a Generator of what r says.
func New(r *rand.Rand) *Generator {
	return &Generator{r: r, classes: map[reflect.Type][]reflect.Type{}}
}

// Object returns a random object of the constructor or method with the name.
// Ids fit the 32 bits of old layers, hashes and the like use all 64.
func (g *Generator) Object(name string) tg.Object {
	o := tg.New(name)
	if o == nil {
		panic(fmt.Sprintf("tgtest: no constructor %q", name))
	}
	g.fields(reflect.ValueOf(o).Elem(), 0)
	return o
}

// deep is where objects stop growing.
const deep = 3

// fields fills a struct.
func (g *Generator) fields(v reflect.Value, depth int) {
	for i := range v.NumField() {
		name, option, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		absent := option == "omitempty" && (depth >= deep || g.r.IntN(2) == 0)
		if name != "-" && !absent {
			g.value(v.Field(i), name, depth)
		}
	}
}

// value sets one value.
func (g *Generator) value(v reflect.Value, name string, depth int) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		g.value(v.Elem(), name, depth)
	case reflect.Interface:
		v.Set(g.object(v.Type(), depth))
	case reflect.Struct:
		g.fields(v, depth+1)
	case reflect.Slice:
		g.list(v, name, depth)
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(g.r.IntN(256)))
		}
	case reflect.Bool:
		v.SetBool(g.r.IntN(2) == 0)
	case reflect.Int:
		v.SetInt(int64(int32(g.r.Uint32())) >> g.r.IntN(32))
	case reflect.Int64:
		v.SetInt(g.long(name))
	case reflect.Float64:
		v.SetFloat(g.r.NormFloat64())
	case reflect.String:
		v.SetString(strings.Repeat("aß\n", g.r.IntN(100)))
	}
}

// long returns a number of 64 bits, or of 31 where older layers have an int.
func (g *Generator) long(name string) int64 {
	if strings.Contains(name, "hash") || strings.Contains(name, "random") {
		return int64(g.r.Uint64())
	}
	return int64(g.r.Int32())
}

// list sets a slice.
func (g *Generator) list(v reflect.Value, name string, depth int) {
	n := g.r.IntN(3)
	if v.Type().Elem().Kind() == reflect.Uint8 {
		n = g.r.IntN(600)
	} else if depth >= deep {
		n = 0
	}
	v.Set(reflect.MakeSlice(v.Type(), n, n))
	for i := range n {
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.Index(i).SetUint(uint64(g.r.IntN(256)))
			continue
		}
		g.value(v.Index(i), name, depth+1)
	}
}

// object returns an object of a class; a small one when it is deep inside.
func (g *Generator) object(class reflect.Type, depth int) reflect.Value {
	all := g.class(class)
	t := all[g.r.IntN(len(all))]
	if depth >= deep {
		t = slices.MinFunc(all, func(a, b reflect.Type) int { return weight(a) - weight(b) })
	}
	o := reflect.New(t)
	g.fields(o.Elem(), depth+1)
	return o
}

// class returns the constructors of a class.
func (g *Generator) class(class reflect.Type) []reflect.Type {
	if all, ok := g.classes[class]; ok {
		return all
	}
	var all []reflect.Type
	for _, name := range tg.Names(false) {
		if t := reflect.TypeOf(tg.New(name)); t.Implements(class) {
			all = append(all, t.Elem())
		}
	}
	g.classes[class] = all
	return all
}

// weight returns how much there is to fill in a struct.
func weight(t reflect.Type) int {
	n := t.NumField()
	for field := range t.Fields() {
		if field.Type.Kind() == reflect.Interface {
			n += 100
		}
	}
	return n
}
