package tg

import (
	"reflect"
	"strings"
	"sync"
)

// shape is how a struct looks in JSON.
type shape struct {
	head   string // the beginning, with "_"
	fields []shapeField
}

type shapeField struct {
	name   string // in the schema; empty = not part of the JSON
	before string // what goes before the value
	omit   bool   // whether the zero value means that it is absent
}

// shapes holds the *shape of each reflect.Type met so far: structs of this
// package, so there is an end to them.
var shapes sync.Map

// shapeOf returns how structs of a type look.
func shapeOf(t reflect.Type) *shape {
	s, ok := shapes.Load(t)
	if !ok {
		s, _ = shapes.LoadOrStore(t, newShape(t))
	}
	return s.(*shape)
}

func newShape(t reflect.Type) *shape {
	s := &shape{head: "{"}
	if o, ok := reflect.TypeAssert[Object](reflect.New(t)); ok {
		s.head = `{"_":"` + o.TypeName() + `"`
	}
	for field := range t.Fields() {
		name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" {
			name = ""
		}
		s.fields = append(s.fields, shapeField{name: name, before: `,"` + name + `":`, omit: option == "omitempty"})
	}
	return s
}
