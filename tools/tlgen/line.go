package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The layers a schema line may speak of.
const minLayer, maxLayer = 127, 229

// A line is one constructor or method as it is in some layers.
type line struct {
	name   string // phone.groupCall
	id     uint32
	args   []arg
	result string
	method bool
	family string // the schema file
	text   string // as written, without the notes
	notes
}

// An arg is one field: "title:flags.3?string".
type arg struct {
	name string
	typ  string // string; "#" for a word of flags
	word string // flags; empty for a required field
	bit  uint
}

// optional tells whether the field has a flag.
func (a arg) optional() bool { return a.word != "" }

// elem returns the type of a vector's elements, and whether a is a vector.
func (a arg) elem() (string, bool) {
	e, ok := strings.CutPrefix(a.typ, "Vector<")
	return strings.TrimSuffix(e, ">"), ok
}

// elemOf returns the type of a vector's elements, and other types as they are.
func elemOf(a arg) string {
	e, _ := a.elem()
	return e
}

// notes is what a line's trailing comment says.
type notes struct {
	from, to int      // layers; to 0 = up to the newest
	keep     []string // fields of this line that the Go type has, though newer lines lack them
	lower    int      // encoding up to this layer passes through the type's lower method
	raise    bool     // what was decoded from this line passes through the type's raise method
}

var (
	lineForm  = regexp.MustCompile(`^([\w.]+)#([0-9a-f]+)((?: \S+)*?) = ([\w.<> ]+); // (.*)$`)
	layerForm = regexp.MustCompile(`^(\d+)(-(\d+)?)?$`)
	flagForm  = regexp.MustCompile(`^(flags\d?)\.(\d+)\?(.+)$`)
)

// parseLine reads one line of a schema file.
func parseLine(s string) (line, error) {
	m := lineForm.FindStringSubmatch(s)
	if m == nil {
		return line{}, fmt.Errorf("no schema line: %q", s)
	}
	text, _, _ := strings.Cut(s, " //")
	l := line{name: m[1], result: m[4], text: strings.TrimSuffix(text, ";")}
	id, err := strconv.ParseUint(m[2], 16, 32)
	if err != nil {
		return line{}, fmt.Errorf("parse id of %s: %w", l.name, err)
	}
	l.id = uint32(id)
	for field := range strings.FieldsSeq(m[3]) {
		if field == "{X:Type}" {
			continue
		}
		a, err := parseArg(field)
		if err != nil {
			return line{}, fmt.Errorf("parse %s: %w", l.name, err)
		}
		l.args = append(l.args, a)
	}
	if l.notes, err = parseNotes(m[5]); err != nil {
		return line{}, fmt.Errorf("parse notes of %s: %w", l.name, err)
	}
	return l, nil
}

func parseArg(field string) (arg, error) {
	name, typ, ok := strings.Cut(field, ":")
	if !ok {
		return arg{}, fmt.Errorf("no field: %q", field)
	}
	a := arg{name: name, typ: typ}
	if m := flagForm.FindStringSubmatch(typ); m != nil {
		bit, err := strconv.Atoi(m[2])
		if err != nil || bit > 31 {
			return arg{}, fmt.Errorf("no flag: %q", field)
		}
		a.word, a.bit, a.typ = m[1], uint(bit), m[3]
	}
	a.typ = strings.Replace(a.typ, "vector<", "Vector<", 1)
	return a, nil
}

// parseNotes reads "LAYERS", "LAYERS; keep NAME, NAME; raise; lower LAYER".
// LAYERS is "129-130", "129" for one layer, or "217-" for all since.
func parseNotes(s string) (n notes, err error) {
	parts := strings.Split(s, "; ")
	m := layerForm.FindStringSubmatch(parts[0])
	if m == nil {
		return n, fmt.Errorf("no layers: %q", parts[0])
	}
	n.from, _ = strconv.Atoi(m[1])
	switch {
	case m[2] == "":
		n.to = n.from
	case m[3] != "":
		n.to, _ = strconv.Atoi(m[3])
	}
	if n.from < minLayer || n.to > maxLayer || n.to != 0 && n.to < n.from {
		return n, fmt.Errorf("bad layers: %q", parts[0])
	}
	for _, part := range parts[1:] {
		word, rest, _ := strings.Cut(part, " ")
		switch word {
		case "keep":
			n.keep = strings.Split(rest, ", ")
		case "raise":
			n.raise = true
		case "lower":
			if n.lower, err = strconv.Atoi(rest); err != nil {
				return n, fmt.Errorf("bad lower: %w", err)
			}
		default:
			return n, fmt.Errorf("unknown word %q", word)
		}
	}
	return n, nil
}
