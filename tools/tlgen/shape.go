package main

import (
	"fmt"
	"slices"
)

// A field is one field of a constructor's Go type.
type field struct {
	arg
	goName string
	goType string
	ptr    bool // a pointer because it may be absent
	kept   bool // of older layers only
}

// A slot is one place on the wire: a field as some of a constructor's lines
// have it. The slots of one line, in order, are that line.
type slot struct {
	arg
	in    []bool // by index of the line
	field *field // nil when the Go type has no such field, or none that fits
}

// shape decides which fields the constructor's Go type has and merges its
// lines into slots.
func (s *schema) shape(c *constructor) error {
	newest := c.newest()
	for _, a := range newest.args {
		tied := slices.ContainsFunc(newest.args, func(b arg) bool {
			return a.optional() && b.word == a.word && b.bit == a.bit && s.pruned(elemOf(b))
		})
		if !tied {
			s.addField(c, a, false)
		}
	}
	for _, l := range c.lines {
		for _, name := range l.keep {
			i := slices.IndexFunc(l.args, func(a arg) bool { return a.name == name })
			if i < 0 {
				return fmt.Errorf("%s keeps %s, which it does not have", c.name, name)
			}
			s.addField(c, l.args[i], true)
		}
	}
	for i, l := range slices.Backward(c.lines) {
		c.merge(l.args, i)
	}
	for i := range c.slots {
		if !s.tied(c, i) {
			c.slots[i].field = s.fieldFor(c, c.slots[i].arg)
		}
	}
	return nil
}

// tied tells whether slot i has its flag in common with a slot of a pruned
// class, so that one cannot be without the other.
func (s *schema) tied(c *constructor, i int) bool {
	sl := c.slots[i]
	for _, other := range c.slots {
		if !sl.optional() || other.word != sl.word || other.bit != sl.bit || !s.pruned(elemOf(other.arg)) {
			continue
		}
		for line := range sl.in {
			if sl.in[line] && other.in[line] {
				return true
			}
		}
	}
	return false
}

// addField gives the constructor's Go type a field, unless it cannot be set.
func (s *schema) addField(c *constructor, a arg, kept bool) {
	elem, vector := a.elem()
	known := slices.ContainsFunc(c.fields, func(f *field) bool { return f.name == a.name })
	if known || a.typ == "#" || s.pruned(elem) {
		return
	}
	f := &field{arg: a, goName: goName(a.name), goType: s.goType(elem), kept: kept}
	switch {
	case vector:
		f.goType = "[]" + f.goType
	case a.optional() && a.typ != "true" && f.goType[0] != '[' && !s.isInterface(elem),
		a.optional() && (a.typ == "int128" || a.typ == "int256"):
		f.ptr = true
		f.goType = "*" + f.goType
	}
	c.fields = append(c.fields, f)
}

// goType returns the Go type of a required value.
func (s *schema) goType(typ string) string {
	if p := primitives[typ]; p != "" {
		return p
	}
	if c := s.single(typ); c != nil {
		return c.goName
	}
	return goName(typ) + "Class"
}

// isInterface tells whether a type is a class of several constructors.
func (s *schema) isInterface(typ string) bool { return len(s.classes[typ]) > 1 }

// merge lays an older line beside the slots there are, so that each slot's
// order is right for every line.
func (c *constructor) merge(args []arg, index int) {
	common := lcs(c.slots, args)
	var merged []slot
	i := 0
	for _, a := range args {
		if len(common) > 0 && c.slots[common[0]].arg == a {
			merged = append(merged, c.slots[i:common[0]+1]...)
			i = common[0] + 1
			common = common[1:]
		} else {
			merged = append(merged, slot{arg: a, in: make([]bool, len(c.lines))})
		}
		merged[len(merged)-1].in[index] = true
	}
	c.slots = append(merged, c.slots[i:]...)
}

// lcs returns the indexes of the slots that make up the longest sequence
// which args has too.
func lcs(slots []slot, args []arg) []int {
	n, m := len(slots), len(args)
	longest := make([][]int, n+1)
	for i := range longest {
		longest[i] = make([]int, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if slots[i].arg == args[j] {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	var common []int
	for i, j := 0, 0; i < n && j < m; {
		switch {
		case slots[i].arg == args[j]:
			common = append(common, i)
			i, j = i+1, j+1
		case longest[i+1][j] >= longest[i][j+1]:
			i++
		default:
			j++
		}
	}
	return common
}

// fieldFor returns the field that a slot writes and reads, nil if none can.
func (s *schema) fieldFor(c *constructor, a arg) *field {
	i := slices.IndexFunc(c.fields, func(f *field) bool { return f.name == a.name })
	if i < 0 || !s.convertible(a, c.fields[i].arg) {
		return nil
	}
	return c.fields[i]
}

// convertible tells whether one type can stand for the other.
func (s *schema) convertible(a, b arg) bool {
	if a.typ == b.typ {
		return true
	}
	for _, pair := range [][2]string{
		{"int", "long"}, {"Vector<int>", "Vector<long>"}, {"true", "Bool"}, {"string", "bytes"},
	} {
		if a.typ == pair[0] && b.typ == pair[1] || a.typ == pair[1] && b.typ == pair[0] {
			return true
		}
	}
	return false
}
