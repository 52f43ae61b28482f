package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// encodeFunc writes the Encode method of a constructor.
func encodeFunc(w *bytes.Buffer, s *schema, c *constructor) {
	fmt.Fprintf(w, "// Encode writes the boxed object as clients of the layer know it.\n")
	fmt.Fprintf(w, "func (o *%s) Encode(b *tl.Buffer, layer int) error {\n", c.goName)
	if n := c.lowerLayer(); n > 0 {
		fmt.Fprintf(w, "if layer <= %d { o = o.lower(layer) }\n", n)
	}
	masked := encodeID(w, c)
	for _, word := range c.words() {
		encodeWord(w, c, word, masked[word])
	}
	for i, sl := range c.slots {
		encodeSlot(w, s, c, i, sl)
	}
	fmt.Fprintf(w, "return b.Err()\n}\n\n")
}

// lowerLayer returns up to which layer encoding starts with the lower method.
func (c *constructor) lowerLayer() int {
	n := 0
	for _, l := range c.lines {
		n = max(n, l.lower)
	}
	return n
}

// words returns the names of the words of flags.
func (c *constructor) words() []string {
	var all []string
	for _, sl := range c.slots {
		if sl.typ == "#" && !slices.Contains(all, sl.name) {
			all = append(all, sl.name)
		}
	}
	return all
}

// mask returns the bits of a word that line i has and the Go type can set.
func (c *constructor) mask(i int, word string) uint32 {
	var m uint32
	for _, sl := range c.slots {
		if sl.word == word && sl.in[i] && sl.field != nil {
			m |= 1 << sl.bit
		}
	}
	return m
}

// encodeID writes the choice of the id, and for each word whose bits differ
// between lines the choice of its mask; it returns the names of those words.
func encodeID(w *bytes.Buffer, c *constructor) map[string]bool {
	masked := map[string]bool{}
	names, newest := []string{"id"}, []string{fmt.Sprintf("uint32(0x%08x)", c.newest().id)}
	for _, word := range c.words() {
		full := c.mask(len(c.lines)-1, word)
		for i := range c.lines {
			masked[word] = masked[word] || c.mask(i, word) != full
		}
		if masked[word] {
			names = append(names, word+"Mask")
			newest = append(newest, fmt.Sprintf("uint32(0x%x)", full))
		}
	}
	var cases []string
	if from := c.lines[0].from; from > minLayer {
		cases = append(cases, fmt.Sprintf("case layer < %d:\nb.Fail(tl.ErrAbsent)\nreturn b.Err()", from))
	}
	for i, l := range c.lines[:len(c.lines)-1] {
		values := []string{fmt.Sprintf("0x%08x", l.id)}
		for _, name := range names[1:] {
			values = append(values, fmt.Sprintf("0x%x", c.mask(i, strings.TrimSuffix(name, "Mask"))))
		}
		cases = append(cases, fmt.Sprintf("case layer < %d: %s = %s", c.lines[i+1].from,
			strings.Join(names, ", "), strings.Join(values, ", ")))
	}
	if to := c.newest().to; to != 0 {
		cases = append(cases, fmt.Sprintf("case layer > %d:\nb.Fail(tl.ErrAbsent)\nreturn b.Err()", to))
	}
	if len(c.lines) == 1 {
		if len(cases) > 0 {
			fmt.Fprintf(w, "switch {\n%s\n}\n", strings.Join(cases, "\n"))
		}
		fmt.Fprintf(w, "b.PutID(0x%08x)\n", c.lines[0].id)
		return masked
	}
	fmt.Fprintf(w, "%s := %s\nswitch {\n%s\n}\nb.PutID(id)\n", strings.Join(names, ", "),
		strings.Join(newest, ", "), strings.Join(cases, "\n"))
	return masked
}

// encodeWord writes the computation of a word of flags.
func encodeWord(w *bytes.Buffer, c *constructor, word string, masked bool) {
	var terms []string
	for i, sl := range c.slots {
		if sl.word != word || sl.field == nil {
			continue
		}
		set := present(sl)
		if cond := c.layers(sl); cond != "" && c.conflict(i) {
			set = fmt.Sprintf("(%s) && %s", cond, set)
		}
		term := fmt.Sprintf("tl.Bit(%s, %d)", set, sl.bit)
		if !slices.Contains(terms, term) {
			terms = append(terms, term)
		}
	}
	switch {
	case len(terms) == 0:
		fmt.Fprintf(w, "const %s = uint32(0)\n", word)
	case masked && len(terms) > 1:
		fmt.Fprintf(w, "%s := (%s) & %sMask\n", word, strings.Join(terms, "|"), word)
	case masked:
		fmt.Fprintf(w, "%s := %s & %sMask\n", word, terms[0], word)
	default:
		fmt.Fprintf(w, "%s := %s\n", word, strings.Join(terms, "|"))
	}
}

// present returns the condition under which a flagged slot's bit is set.
func present(sl slot) string {
	f := sl.field
	name := "o." + f.goName
	switch {
	case f.goType == "*bool" && sl.typ == "true":
		return "tl.Val(" + name + ")"
	case f.goType == "bool" && sl.typ != "true":
		return "true"
	case f.goType == "bool":
		return name
	case f.ptr, strings.HasPrefix(f.goType, "[]"), strings.HasSuffix(f.goType, "Class"):
		return name + " != nil"
	case f.goType == "string":
		return name + ` != ""`
	case f.goType == "int", f.goType == "int64", f.goType == "float64":
		return name + " != 0"
	}
	return "true"
}

// layers returns the condition on the layer under which a slot exists;
// empty if it always does.
func (c *constructor) layers(sl slot) string {
	var runs []string
	last := len(c.lines) - 1
	for i := 0; i <= last; i++ {
		if !sl.in[i] {
			continue
		}
		j := i
		for j < last && sl.in[j+1] {
			j++
		}
		var conds []string
		if i > 0 {
			conds = append(conds, fmt.Sprintf("layer >= %d", c.lines[i].from))
		}
		if j < last {
			conds = append(conds, fmt.Sprintf("layer < %d", c.lines[j+1].from))
		}
		runs = append(runs, strings.Join(conds, " && "))
		i = j
	}
	if len(runs) == 1 {
		return runs[0]
	}
	return strings.Join(runs, " || ")
}

// conflict tells whether the bit of slot i belongs to another slot in lines
// where slot i is not.
func (c *constructor) conflict(i int) bool {
	sl := c.slots[i]
	for j, other := range c.slots {
		if j == i || other.word != sl.word || other.bit != sl.bit || other.field == nil {
			continue
		}
		if !slices.Equal(sl.in, other.in) {
			return true
		}
	}
	return false
}

// shared tells whether the bit of slot i says of other slots too whether they
// are present.
func (c *constructor) shared(i int) bool {
	sl := c.slots[i]
	for j, other := range c.slots {
		if j != i && other.word == sl.word && other.bit == sl.bit && other.field != nil {
			return true
		}
	}
	return false
}

// guard returns the condition under which slot i is on the wire; empty if it
// always is.
func (c *constructor) guard(i int, masked bool) string {
	sl := c.slots[i]
	var conds []string
	layers := c.layers(sl)
	if layers != "" && (!sl.optional() || !masked || c.conflict(i)) {
		if strings.Contains(layers, "||") && sl.optional() {
			layers = "(" + layers + ")"
		}
		conds = append(conds, layers)
	}
	if sl.optional() {
		conds = append(conds, fmt.Sprintf("%s&(1<<%d) != 0", sl.word, sl.bit))
	}
	return strings.Join(conds, " && ")
}

// encodeSlot writes the writing of one slot.
func encodeSlot(w *bytes.Buffer, s *schema, c *constructor, i int, sl slot) {
	var body string
	switch {
	case sl.typ == "true":
		return
	case sl.typ == "#":
		if c.patched(s, sl.name) {
			fmt.Fprintf(w, "%sAt := b.Len()\n", sl.name)
		}
		body = fmt.Sprintf("b.PutID(%s)", sl.name)
	case sl.field != nil:
		body = encodeValue(s, c, i, sl)
	case sl.optional():
		return
	default:
		body = encodeZero(s, sl)
	}
	if cond := c.guard(i, true); cond != "" {
		body = fmt.Sprintf("if %s {\n%s\n}", cond, body)
	}
	fmt.Fprintln(w, body)
}

// patched tells whether bits of a word are taken back when an object turns
// out to be absent in the layer.
func (c *constructor) patched(s *schema, word string) bool {
	for i, sl := range c.slots {
		object := sl.field != nil && primitives[sl.typ] == "" && !strings.HasPrefix(sl.typ, "Vector<")
		if sl.word == word && object && (!s.isInterface(sl.typ) || !c.shared(i)) {
			return true
		}
	}
	return false
}

// writers are the names of the Buffer's methods by type of slot and field.
var writers = map[[2]string]string{
	{"int", "int"}: "b.PutInt(%s)", {"long", "long"}: "b.PutLong(%s)", {"double", "double"}: "b.PutDouble(%s)",
	{"string", "string"}: "b.PutString(%s)", {"bytes", "bytes"}: "b.PutBytes(%s)", {"Bool", "Bool"}: "b.PutBool(%s)",
	{"int128", "int128"}: "b.PutInt128(%s)", {"int256", "int256"}: "b.PutInt256(%s)", {"!X", "!X"}: "b.PutRaw(%s)",
	{"int", "long"}: "b.PutLongAsInt(%s)", {"long", "int"}: "b.PutLong(int64(%s))",
	{"string", "bytes"}: "b.PutBytes(%s)", {"bytes", "string"}: "b.PutString(%s)", {"Bool", "true"}: "b.PutBool(%s)",
	{"Vector<int>", "Vector<int>"}: "b.PutInts(%s)", {"Vector<long>", "Vector<long>"}: "b.PutLongs(%s)",
	{"Vector<int>", "Vector<long>"}: "b.PutLongsAsInts(%s)", {"Vector<string>", "Vector<string>"}: "b.PutStrings(%s)",
	{"Vector<bytes>", "Vector<bytes>"}: "b.PutBytesVector(%s)",
}

// encodeValue returns the statement that writes a slot from its field.
func encodeValue(s *schema, c *constructor, i int, sl slot) string {
	f := sl.field
	name := "o." + f.goName
	if format, ok := writers[[2]string{sl.typ, f.typ}]; ok {
		switch {
		case f.ptr && (c.shared(i) || !sl.optional() || sl.optional() != f.optional()):
			name = "tl.Val(" + name + ")"
		case f.ptr:
			name = "*" + name
		}
		if sl.name == "hash" && sl.typ == "int" && f.typ == "long" {
			format = "b.PutID(uint32(%s))" // of a list the client has; only compared
		}
		return fmt.Sprintf(format, name)
	}
	elem, vector := sl.elem()
	one := s.single(elem)
	switch {
	case vector:
		item := name + "[i]"
		if one != nil {
			item = "&" + item
		}
		return fmt.Sprintf("%[1]sAt := b.BeginVector()\nfor i := range %[2]s {\nputItem(b, %[1]sAt, %[3]s, layer)\n}",
			localName(f.name), name, item)
	case sl.optional() && f.ptr && c.shared(i):
		return fmt.Sprintf("putOptional(b, %sAt, 1<<%d, orZero(%s), layer)", sl.word, sl.bit, name)
	case sl.optional() && one == nil && c.shared(i):
		return fmt.Sprintf("putRequired(b, %s, %s, layer)", name, s.fallback(elem))
	case sl.optional() && f.ptr, sl.optional() && one == nil:
		return fmt.Sprintf("putOptional(b, %sAt, 1<<%d, %s, layer)", sl.word, sl.bit, name)
	case f.ptr:
		return fmt.Sprintf("putRequired(b, orZero(%s), nil, layer)", name)
	case one != nil:
		return fmt.Sprintf("putRequired(b, &%s, nil, layer)", name)
	}
	return fmt.Sprintf("putRequired(b, %s, %s, layer)", name, s.fallback(elem))
}

// encodeZero returns the statement that writes a slot without a field.
func encodeZero(s *schema, sl slot) string {
	elem, vector := sl.elem()
	switch {
	case vector:
		return "b.BeginVector()"
	case primitives[elem] != "":
		zero := map[string]string{"string": `""`, "Bool": "false", "bytes": "nil", "!X": "nil"}[elem]
		if zero == "" {
			zero = "0"
		}
		return fmt.Sprintf(writers[[2]string{elem, elem}], zero)
	}
	if s.empty(elem) == nil {
		return "b.Fail(tl.ErrAbsent)"
	}
	return fmt.Sprintf("putRequired(b, nil, %s, layer)", s.fallback(elem))
}

// fallback returns the name of the object that stands for a missing value of
// a class, or nil.
func (s *schema) fallback(class string) string {
	if s.empty(class) == nil {
		return "nil"
	}
	s.fallbacks[class] = true
	return "empty" + goName(class)
}

// empty returns the constructor of a class that says "nothing": one that is
// called so, or its only one. nil if there is none, or none in every layer.
func (s *schema) empty(class string) *constructor {
	all := s.classes[class]
	for _, suffix := range []string{"Unsupported", "Empty", "Default", "Unknown"} {
		for _, c := range all {
			if strings.HasSuffix(c.name, suffix) && s.blank(c) {
				return c
			}
		}
	}
	if len(all) == 1 && s.blank(all[0]) {
		return all[0]
	}
	return nil
}

// blank tells whether a constructor can be written in every layer with
// nothing set.
func (s *schema) blank(c *constructor) bool {
	if c.lines[0].from > minLayer || c.newest().to != 0 {
		return false
	}
	for _, sl := range c.slots {
		if sl.optional() || sl.typ == "#" || primitives[sl.typ] != "" || strings.HasPrefix(sl.typ, "Vector<") {
			continue
		}
		if sl.typ == c.class || s.empty(sl.typ) == nil {
			return false
		}
	}
	return true
}
