package main

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// tableFile writes the tables of constructors, the vectors that methods are
// answered with, and the objects that stand for nothing.
func tableFile(s *schema) []byte {
	var w bytes.Buffer
	fmt.Fprintf(&w, "import \"parley/internal/tl\"\n\n")
	constructorTable(&w, s)
	vectors(&w, s)
	if len(s.fallbacks) > 0 {
		fmt.Fprintf(&w, "// What stands for a required value that is missing; never changed.\nvar (\n")
		for _, class := range sortedKeys(s.fallbacks) {
			fmt.Fprintf(&w, "empty%s Object = &%s{}\n", goName(class), s.empty(class).goName)
		}
		fmt.Fprintf(&w, ")\n\n")
	}
	return w.Bytes()
}

// constructorTable writes all constructors by name and all ids.
func constructorTable(w *bytes.Buffer, s *schema) {
	type variant struct {
		id    uint32
		layer int
		index int
	}
	all := slices.Clone(s.constructors)
	slices.SortFunc(all, func(a, b *constructor) int { return cmp.Compare(a.name, b.name) })
	var variants []variant
	fmt.Fprintf(w, "// constructors lists all types and methods by name.\nvar constructors = [...]constructor{\n")
	for i, c := range all {
		fmt.Fprintf(w, "{%q, %t, func() node { return new(%s) }},\n", c.name, c.method, c.goName)
		for _, l := range c.lines {
			variants = append(variants, variant{l.id, l.from, i})
		}
	}
	fmt.Fprintf(w, "}\n\n")
	slices.SortFunc(variants, func(a, b variant) int { return cmp.Compare(a.id, b.id) })
	fmt.Fprintf(w, "// variants lists the ids of all layers in order.\nvar variants = [...]variant{\n")
	for _, v := range variants {
		fmt.Fprintf(w, "{0x%08x, %d, %d},\n", v.id, v.layer, v.index)
	}
	fmt.Fprintf(w, "}\n\n")
}

// vectors writes a type for each vector that is a method's result.
func vectors(w *bytes.Buffer, s *schema) {
	elems := map[string]bool{}
	for _, c := range s.constructors {
		for _, l := range c.lines {
			elem, vector := arg{typ: l.result}.elem()
			if c.method && vector && !s.pruned(elem) {
				elems[elem] = true
			}
		}
	}
	for _, elem := range sortedKeys(elems) {
		name := goName(elem) + "Vector"
		fmt.Fprintf(w, "// %s is a result of type Vector<%s>.\ntype %s []%s\n\n", name, elem, name, s.goType(elem))
		fmt.Fprintf(w, "// TypeID returns the id of vectors.\nfunc (%s) TypeID() uint32 { return tl.VectorID }\n\n", name)
		fmt.Fprintf(w, "// TypeName returns \"vector\".\nfunc (%s) TypeName() string { return \"vector\" }\n\n", name)
		fmt.Fprintf(w, "// MarshalJSON returns the vector as a JSON array.\nfunc (v %s) MarshalJSON() ([]byte, error) { return marshal(v) }\n\n", name)
		body := strings.ReplaceAll(writers[[2]string{"Vector<" + elem + ">", "Vector<" + elem + ">"}], "%s", "v")
		layer := "_"
		if body == "" {
			item := "v[i]"
			if s.single(elem) != nil {
				item = "&" + item
			}
			body = fmt.Sprintf("at := b.BeginVector()\nfor i := range v {\nputItem(b, at, %s, layer)\n}", item)
			layer = "layer"
		}
		fmt.Fprintf(w, "// Encode writes the boxed vector as clients of the layer know it.\n")
		fmt.Fprintf(w, "func (v %s) Encode(b *tl.Buffer, %s int) error {\n%s\nreturn b.Err()\n}\n\n", name, layer, body)
	}
}
