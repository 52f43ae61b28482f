package main

import (
	"bytes"
	"fmt"
	"strings"
)

// decodeFunc writes the decode method of a constructor, which reads what
// follows the id; layer is one in which the id is valid.
func decodeFunc(w *bytes.Buffer, s *schema, c *constructor) {
	var body bytes.Buffer
	for i, sl := range c.slots {
		decodeSlot(&body, s, c, i, sl)
	}
	for _, l := range c.lines {
		if l.raise {
			fmt.Fprintf(&body, "if layer == %d { o.raise() }\n", l.from)
		}
	}
	d, layer := "d", "layer"
	if !strings.Contains(body.String(), "d.") && !strings.Contains(body.String(), "(d") {
		d = "_"
	}
	if !strings.Contains(body.String(), "layer") {
		layer = "_"
	}
	fmt.Fprintf(w, "func (o *%s) decode(%s *tl.Decoder, %s int) {\n%s}\n\n", c.goName, d, layer, body.String())
}

// decodeSlot writes the reading of one slot.
func decodeSlot(w *bytes.Buffer, s *schema, c *constructor, i int, sl slot) {
	var body string
	cond := c.guard(i, false)
	switch {
	case sl.typ == "#":
		decodeWord(w, s, c, sl)
		return
	case sl.typ == "true" && (sl.field == nil || sl.field.typ == "true"):
		return
	case sl.typ == "true":
		body = fmt.Sprintf("o.%s = new(true)", sl.field.goName)
	case sl.field != nil:
		body = decodeValue(s, sl)
	case sl.optional() && s.pruned(elemOf(sl.arg)):
		return // refused with the word
	default:
		body = skipValue(s, sl)
	}
	if cond != "" {
		body = fmt.Sprintf("if %s {\n%s\n}", cond, body)
	}
	fmt.Fprintln(w, body)
}

// decodeWord writes the reading of a word of flags, and of all the flags that
// are nothing but a flag.
func decodeWord(w *bytes.Buffer, s *schema, c *constructor, word slot) {
	used, refused := false, map[string]uint32{}
	var body bytes.Buffer
	for i, sl := range c.slots {
		if sl.word != word.name {
			continue
		}
		switch {
		case sl.typ == "true" && sl.field != nil && sl.field.typ == "true":
			bit := fmt.Sprintf("%s&(1<<%d) != 0", sl.word, sl.bit)
			if cond := c.layers(sl); cond != "" && c.conflict(i) {
				bit = fmt.Sprintf("(%s) && %s", cond, bit)
			}
			if c.doubled(i) {
				bit = fmt.Sprintf("o.%s || %s", sl.field.goName, bit)
			}
			fmt.Fprintf(&body, "o.%s = %s\n", sl.field.goName, bit)
		case sl.typ == "true" && sl.field == nil:
			continue
		case sl.field == nil && s.pruned(elemOf(sl.arg)):
			refused[c.layers(sl)] |= 1 << sl.bit
		}
		used = true
	}
	if !used {
		fmt.Fprintln(w, wrap(c.layers(word), "_ = d.ID()"))
		return
	}
	if cond := c.layers(word); cond == "" {
		fmt.Fprintf(w, "%s := d.ID()\n", word.name)
	} else {
		fmt.Fprintf(w, "var %s uint32\n%s\n", word.name, wrap(cond, word.name+" = d.ID()"))
	}
	for _, cond := range sortedKeys(refused) {
		refuse := fmt.Sprintf("%s&0x%x != 0", word.name, refused[cond])
		if strings.Contains(cond, "||") {
			cond = "(" + cond + ")"
		}
		if cond != "" {
			refuse = cond + " && " + refuse
		}
		fmt.Fprintln(w, wrap(refuse, "d.Fail(errUnserved)"))
	}
	w.Write(body.Bytes())
}

// doubled tells whether an earlier slot reads the field of slot i too.
func (c *constructor) doubled(i int) bool {
	for _, sl := range c.slots[:i] {
		if sl.field == c.slots[i].field && sl.typ == "true" {
			return true
		}
	}
	return false
}

// wrap puts a statement under a condition, if there is one.
func wrap(cond, body string) string {
	if cond == "" {
		return body
	}
	return fmt.Sprintf("if %s {\n%s\n}", cond, body)
}

// readers are the Decoder's methods by type of slot and field.
var readers = map[[2]string]string{
	{"int", "int"}: "d.Int()", {"long", "long"}: "d.Long()", {"double", "double"}: "d.Double()",
	{"string", "string"}: "d.String()", {"bytes", "bytes"}: "d.Bytes()", {"Bool", "Bool"}: "d.Bool()",
	{"int128", "int128"}: "d.Int128()", {"int256", "int256"}: "d.Int256()", {"!X", "!X"}: "d.Rest()",
	{"int", "long"}: "int64(d.Int())", {"long", "int"}: "int(d.Long())",
	{"string", "bytes"}: "d.Bytes()", {"bytes", "string"}: "d.String()", {"Bool", "true"}: "d.Bool()",
	{"Vector<int>", "Vector<int>"}: "d.Ints()", {"Vector<long>", "Vector<long>"}: "d.Longs()",
	{"Vector<int>", "Vector<long>"}: "d.LongsFromInts()", {"Vector<string>", "Vector<string>"}: "d.Strings()",
	{"Vector<bytes>", "Vector<bytes>"}: "d.BytesVector()",
}

// decodeValue returns the statement that reads a slot into its field.
func decodeValue(s *schema, sl slot) string {
	f := sl.field
	name := "o." + f.goName
	if read, ok := readers[[2]string{sl.typ, f.typ}]; ok {
		if f.ptr {
			read = "new(" + read + ")"
		}
		return fmt.Sprintf("%s = %s", name, read)
	}
	elem, vector := sl.elem()
	one := s.single(elem)
	switch {
	case vector && one != nil:
		return fmt.Sprintf("%[1]s = make([]%[2]s, d.Vector(%[3]d))\nfor i := range %[1]s {\ngetStruct(d, &%[1]s[i])\n}",
			name, one.goName, s.minSize(elem))
	case vector:
		return fmt.Sprintf("%[1]s = make([]%[2]s, d.Vector(4))\nfor i := range %[1]s {\n%[1]s[i] = getClass[%[2]s](d)\n}",
			name, s.goType(elem))
	case f.ptr:
		return fmt.Sprintf("%[1]s = new(%[2]s)\ngetStruct(d, %[1]s)", name, one.goName)
	case one != nil:
		return fmt.Sprintf("getStruct(d, &%s)", name)
	}
	return fmt.Sprintf("%s = getClass[%s](d)", name, s.goType(elem))
}

// skipValue returns the statement that reads a slot that has no field.
func skipValue(s *schema, sl slot) string {
	elem, vector := sl.elem()
	if read, ok := readers[[2]string{sl.typ, sl.typ}]; ok {
		return "_ = " + read
	}
	switch {
	case vector && s.pruned(elem):
		return "if d.Vector(4) != 0 {\nd.Fail(errUnserved)\n}"
	case vector:
		return "for range d.Vector(4) {\ngetObject(d)\n}"
	case s.pruned(elem):
		return "d.Fail(errUnserved)"
	}
	return "getObject(d)"
}

// minSize returns how many bytes an object of a class takes at least.
func (s *schema) minSize(class string) int {
	size := 0
	for _, c := range s.classes[class] {
		for _, l := range c.lines {
			n := 4
			for _, a := range l.args {
				if a.optional() {
					continue
				}
				switch a.typ {
				case "!X":
				case "long", "double":
					n += 8
				case "int128":
					n += 16
				case "int256":
					n += 32
				default:
					n += 4
				}
				if strings.HasPrefix(a.typ, "Vector<") {
					n += 4
				}
			}
			if size == 0 || n < size {
				size = n
			}
		}
	}
	return size
}
