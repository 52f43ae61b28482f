package tg

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"parley/internal/tl"
)

// UnmarshalMethod reads the JSON of a request: its fields by their names in
// the schema, objects with "_" where a class has several constructors, a long
// as string or number. The error is ErrUnknown if there is no such method.
func UnmarshalMethod(name string, data []byte) (Object, error) {
	i, ok := lookup(name)
	if !ok || !constructors[i].method {
		return nil, fmt.Errorf("unmarshal method: %w", ErrUnknown)
	}
	if len(data) > tl.MaxSize {
		return nil, fmt.Errorf("unmarshal %s: %w", name, tl.ErrLimit)
	}
	tree, err := parseJSON(data)
	if err != nil {
		return nil, fmt.Errorf("unmarshal %s: %w", name, err)
	}
	o := constructors[i].make()
	r := &jsonReader{}
	if err := r.fields(tree, reflect.ValueOf(o).Elem()); err != nil {
		return nil, fmt.Errorf("unmarshal %s: %w", name, err)
	}
	return o, nil
}

// parseJSON returns data, which is an object or nothing, as a tree.
func parseJSON(data []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return map[string]any{}, nil
	}
	var tree map[string]any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	err := dec.Decode(&tree)
	if _, other := errors.AsType[*json.UnmarshalTypeError](err); other {
		return nil, errObject
	}
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	return tree, nil
}

// A jsonReader fills objects from a tree of JSON values.
type jsonReader struct{ depth, nodes int }

var (
	errType        = errors.New("wrong type")
	errObject      = fmt.Errorf("%w: want an object", errType)
	errConstructor = errors.New(`field "_": wrong constructor`)
)

// fields fills a struct from a JSON object.
func (r *jsonReader) fields(tree map[string]any, v reflect.Value) error {
	r.depth++
	r.nodes++
	defer func() { r.depth-- }()
	if r.depth > tl.MaxDepth || r.nodes > tl.MaxNodes {
		return tl.ErrLimit
	}
	used := 0
	if name, ok := tree["_"]; ok {
		o, _ := reflect.TypeAssert[Object](v.Addr())
		if o == nil || name != o.TypeName() {
			return errConstructor
		}
		used++
	}
	for i, field := range shapeOf(v.Type()).fields {
		value, ok := tree[field.name]
		if !ok || field.name == "" {
			continue
		}
		used++
		if value == nil {
			continue
		}
		if err := r.value(value, v.Field(i)); err != nil {
			return fmt.Errorf("field %s: %w", field.name, err)
		}
	}
	if used != len(tree) {
		return unknownField(tree, v)
	}
	return nil
}

// unknownField names a field of the tree that the struct does not have.
func unknownField(tree map[string]any, v reflect.Value) error {
	for name := range tree {
		known := name == "_"
		for _, field := range shapeOf(v.Type()).fields {
			known = known || field.name == name && name != ""
		}
		if !known {
			return unknownError(fmt.Sprintf("unknown field %.40q", name))
		}
	}
	return nil
}

// unknownError is ErrUnknown in words for who wrote the JSON.
type unknownError string

func (e unknownError) Error() string   { return string(e) }
func (unknownError) Is(err error) bool { return err == ErrUnknown }

// value sets v from a JSON value that is not null.
func (r *jsonReader) value(value any, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return r.value(value, v.Elem())
	case reflect.Interface:
		return r.class(value, v)
	case reflect.Struct:
		tree, ok := value.(map[string]any)
		if !ok {
			return errObject
		}
		return r.fields(tree, v)
	case reflect.Slice, reflect.Array:
		return r.list(value, v)
	}
	return scalar(value, v)
}

// class sets v to an object of the class that v is declared as.
func (r *jsonReader) class(value any, v reflect.Value) error {
	tree, ok := value.(map[string]any)
	if !ok {
		return errObject
	}
	name, ok := tree["_"].(string)
	if !ok {
		return fmt.Errorf(`needs "_", one of %s`, members(v.Type()))
	}
	i, ok := lookup(name)
	if !ok || constructors[i].method {
		return unknownError(fmt.Sprintf("unknown constructor %.40q, want one of %s", name, members(v.Type())))
	}
	o := reflect.ValueOf(constructors[i].make())
	if err := r.fields(tree, o.Elem()); err != nil {
		return err
	}
	for _, other := range append([]Object{o.Interface().(node)}, alternatives(o.Interface().(node))...) {
		if other := reflect.ValueOf(other); other.Type().AssignableTo(v.Type()) {
			v.Set(other)
			return nil
		}
	}
	return fmt.Errorf("%w: want one of %s", errType, members(v.Type()))
}

// members names the constructors of a class, the first few if they are many.
func members(class reflect.Type) string {
	const most = 8
	var names []string
	for _, c := range constructors {
		if !c.method && reflect.TypeOf(c.make()).Implements(class) {
			names = append(names, c.name)
		}
	}
	if len(names) > most {
		names = append(slices.Clip(names[:most]), "...")
	}
	return strings.Join(names, ", ")
}

func (r *jsonReader) list(value any, v reflect.Value) error {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return byteList(value, v)
	}
	items, ok := value.([]any)
	if !ok {
		return errType
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		if err := r.value(item, v.Index(i)); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}

// byteList sets bytes from base64.
func byteList(value any, v reflect.Value) error {
	text, ok := value.(string)
	if !ok {
		return errType
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("decode base64: %w", err)
	}
	if v.Kind() == reflect.Slice {
		v.SetBytes(raw)
		return nil
	}
	if len(raw) != v.Len() {
		return errType
	}
	reflect.Copy(v, reflect.ValueOf(raw))
	return nil
}

// scalar sets a string, a number or a bool.
func scalar(value any, v reflect.Value) error {
	switch x := value.(type) {
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(x)
			return nil
		}
	case string:
		switch v.Kind() {
		case reflect.String:
			v.SetString(x)
			return nil
		case reflect.Int64:
			return integer(x, v)
		}
	case json.Number:
		switch v.Kind() {
		case reflect.Int, reflect.Int64:
			return integer(x.String(), v)
		case reflect.Float64:
			f, err := x.Float64()
			v.SetFloat(f)
			return err
		}
	}
	return errType
}

// integer sets an int or a long.
func integer(text string, v reflect.Value) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v.Kind() == reflect.Int && (n < math.MinInt32 || n > math.MaxInt32) {
		return fmt.Errorf("%.40q: %w", text, tl.ErrRange)
	}
	v.SetInt(n)
	return nil
}
