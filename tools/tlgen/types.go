package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// typesFile writes the types of one family.
func typesFile(s *schema, family string) []byte {
	var w bytes.Buffer
	fmt.Fprintf(&w, "import \"parley/internal/tl\"\n\n")
	for _, class := range s.classNames() {
		all := s.classes[class]
		if len(all) > 1 && all[0].family == family {
			classType(&w, s, class)
		}
	}
	for _, c := range s.constructors {
		if c.family != family {
			continue
		}
		structType(&w, c)
		fmt.Fprintf(&w, "// TypeID returns the constructor's id in the newest layer.\n")
		fmt.Fprintf(&w, "func (*%s) TypeID() uint32 { return 0x%08x }\n\n", c.goName, c.newest().id)
		fmt.Fprintf(&w, "// TypeName returns %q.\n", c.name)
		fmt.Fprintf(&w, "func (*%s) TypeName() string { return %q }\n\n", c.goName, c.name)
		fmt.Fprintf(&w, "// MarshalJSON returns the object as JSON.\n")
		fmt.Fprintf(&w, "func (o *%s) MarshalJSON() ([]byte, error) { return marshal(o) }\n\n", c.goName)
		if s.isInterface(c.class) && !c.method {
			fmt.Fprintf(&w, "func (*%s) is%s() {}\n\n", c.goName, goName(c.class))
		}
		encodeFunc(&w, s, c)
		decodeFunc(&w, s, c)
	}
	return w.Bytes()
}

// classType writes the interface of a class.
func classType(w *bytes.Buffer, s *schema, class string) {
	var names []string
	for _, c := range s.classes[class] {
		names = append(names, "*"+c.goName)
	}
	name := goName(class)
	fmt.Fprintf(w, "// %sClass is a %s:\n// %s.\n", name, class, fill(strings.Join(names, ", ")))
	fmt.Fprintf(w, "type %sClass interface {\nObject\nis%s()\n}\n\n", name, name)
}

// structType writes the Go type of a constructor.
func structType(w *bytes.Buffer, c *constructor) {
	newest := c.newest()
	to := newest.to
	if to == 0 {
		to = maxLayer
	}
	layers := fmt.Sprintf("layers %d to %d", c.lines[0].from, to)
	if c.lines[0].from == to {
		layers = fmt.Sprintf("layer %d", to)
	}
	if c.method {
		fmt.Fprintf(w, "// %s is the method %s, answered with %s; %s.\n", c.goName, c.name, newest.result, layers)
	} else {
		fmt.Fprintf(w, "// %s is %s of the class %s; %s.\n", c.goName, c.name, newest.result, layers)
	}
	fmt.Fprintf(w, "//\n// %s\n", fill(newest.text))
	fmt.Fprintf(w, "type %s struct {\n", c.goName)
	for _, f := range c.fields {
		tag := f.name
		switch {
		case f.kept:
			tag = "-"
		case f.optional():
			tag += ",omitempty"
		}
		fmt.Fprintf(w, "%s %s `json:\"%s\"`\n", f.goName, f.goType, tag)
	}
	fmt.Fprintf(w, "}\n\n")
}

// fill breaks a comment into lines.
func fill(text string) string {
	var b strings.Builder
	n := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case n+len(word) > 110:
			b.WriteString("\n// ")
			n = 0
		default:
			b.WriteString(" ")
			n++
		}
		b.WriteString(word)
		n += len(word)
	}
	return b.String()
}

// sortedKeys returns a map's keys in order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
