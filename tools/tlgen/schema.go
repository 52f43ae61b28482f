package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A schema is all lines, put together by constructor and class.
type schema struct {
	families     []string
	constructors []*constructor            // methods too; in the order of the files
	classes      map[string][]*constructor // by name of the class; none for a class we neither send nor accept
	fallbacks    map[string]bool           // classes whose empty object is used
}

// A constructor is what all lines of one name make up.
type constructor struct {
	name   string
	goName string
	class  string // of a method: its result
	method bool
	family string
	lines  []line // oldest first
	fields []*field
	slots  []slot
}

// newest returns the line of the canonical layer, or the last there was.
func (c *constructor) newest() line { return c.lines[len(c.lines)-1] }

// load reads all schema files in dir.
func load(dir string) (*schema, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.tl"))
	if err != nil {
		return nil, fmt.Errorf("find schema: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("find schema: no .tl file in %s", dir)
	}
	s := &schema{classes: map[string][]*constructor{}, fallbacks: map[string]bool{}}
	var lines []line
	for _, file := range files {
		more, err := readFile(file)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
		s.families = append(s.families, strings.TrimSuffix(filepath.Base(file), ".tl"))
	}
	if err := s.gather(lines); err != nil {
		return nil, err
	}
	for _, c := range s.constructors {
		if err := s.shape(c); err != nil {
			return nil, err
		}
	}
	return s, s.check()
}

// readFile reads one schema file: types, then functions.
func readFile(file string) ([]line, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	var lines []line
	method := false
	for i, s := range strings.Split(string(text), "\n") {
		switch {
		case s == "" || strings.HasPrefix(s, "//"):
			continue
		case s == "---functions---":
			method = true
			continue
		}
		l, err := parseLine(s)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", filepath.Base(file), i+1, err)
		}
		l.method, l.family = method, strings.TrimSuffix(filepath.Base(file), ".tl")
		lines = append(lines, l)
	}
	return lines, nil
}

// gather puts lines of one name together.
func (s *schema) gather(lines []line) error {
	type key struct {
		name   string
		method bool
	}
	known := map[key]*constructor{}
	for _, l := range lines {
		k := key{l.name, l.method}
		c := known[k]
		if c == nil {
			c = &constructor{name: l.name, goName: goName(l.name), class: l.result, method: l.method, family: l.family}
			if l.method {
				c.goName += "Request"
			}
			known[k] = c
			s.constructors = append(s.constructors, c)
			if !l.method {
				s.classes[l.result] = append(s.classes[l.result], c)
			}
		}
		if l.family != c.family {
			return fmt.Errorf("%s is in two files", l.name)
		}
		c.lines = append(c.lines, l)
	}
	for _, c := range s.constructors {
		slices.SortFunc(c.lines, func(a, b line) int { return cmp.Compare(a.from, b.from) })
	}
	return nil
}

// check finds what one line alone cannot tell.
func (s *schema) check() error {
	ids := map[uint32]string{}
	goNames := map[string]string{}
	for _, c := range s.constructors {
		if other, ok := goNames[c.goName]; ok {
			return fmt.Errorf("%s and %s have the same Go name", c.name, other)
		}
		goNames[c.goName] = c.name
		for i, l := range c.lines {
			if other, ok := ids[l.id]; ok {
				return fmt.Errorf("%s and %s have the same id %08x", l.name, other, l.id)
			}
			ids[l.id] = l.name
			if i+1 < len(c.lines) && l.to != c.lines[i+1].from-1 {
				return fmt.Errorf("%s: layers after %d are missing or doubled", l.name, l.to)
			}
		}
	}
	return nil
}

// classNames returns the names of all classes with constructors, sorted.
func (s *schema) classNames() []string { return slices.Sorted(maps.Keys(s.classes)) }

// single returns a class's only constructor; nil if it has none or several.
func (s *schema) single(class string) *constructor {
	if all := s.classes[class]; len(all) == 1 {
		return all[0]
	}
	return nil
}

// primitives are the types built into the language, and their Go types.
var primitives = map[string]string{
	"int": "int", "long": "int64", "double": "float64", "string": "string", "bytes": "[]byte", "Bool": "bool",
	"true": "bool", "int128": "[16]byte", "int256": "[32]byte", "!X": "[]byte",
}

// pruned tells that a type has no constructors here: a field of it can be
// neither set nor read.
func (s *schema) pruned(typ string) bool {
	return primitives[typ] == "" && len(s.classes[typ]) == 0
}
