package tg

import (
	"slices"
	"strings"
	"testing"
)

// TestTables expects what lookups rely on.
func TestTables(t *testing.T) {
	if !slices.IsSortedFunc(constructors[:], func(a, b constructor) int { return strings.Compare(a.name, b.name) }) {
		t.Error("constructors are out of order")
	}
	if !slices.IsSortedFunc(variants[:], func(a, b variant) int { return int(a.id) - int(b.id) }) {
		t.Error("variants are out of order")
	}
	for _, v := range variants {
		if o := constructors[v.index].make(); o.TypeName() != constructors[v.index].name {
			t.Errorf("%s makes %s", constructors[v.index].name, o.TypeName())
		}
	}
	layers := Layers()
	if layers[0] != MinLayer || layers[len(layers)-1] != Layer {
		t.Errorf("layers %v", layers)
	}
}
