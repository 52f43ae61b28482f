package tg

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// marshal returns an object or a vector of package tg as JSON: a long as a
// decimal string, bytes in base64, an object with its name as "_", what is
// absent left out.
func marshal(o Object) ([]byte, error) {
	w := &jsonWriter{b: make([]byte, 0, 512), shapes: map[reflect.Type]*shape{}}
	if err := w.value(reflect.ValueOf(o)); err != nil {
		return nil, fmt.Errorf("marshal %s: %w", o.TypeName(), err)
	}
	return w.b, nil
}

// A jsonWriter writes one object and what is in it.
type jsonWriter struct {
	b      []byte
	shapes map[reflect.Type]*shape // of the structs met so far
}

// shape is how a struct looks in JSON.
type shape struct {
	head   string   // the beginning, with "_"
	fields []string // what goes before each field; empty = never written
	omit   []bool   // whether the zero value is left out
}

func (w *jsonWriter) value(v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return errNil
		}
		return w.value(v.Elem())
	case reflect.Struct:
		return w.object(v)
	case reflect.Slice, reflect.Array:
		return w.list(v)
	case reflect.String:
		s, err := json.Marshal(v.String())
		w.b = append(w.b, s...)
		return err
	case reflect.Bool:
		w.b = strconv.AppendBool(w.b, v.Bool())
	case reflect.Int:
		w.b = strconv.AppendInt(w.b, v.Int(), 10)
	case reflect.Int64:
		w.b = append(strconv.AppendInt(append(w.b, '"'), v.Int(), 10), '"')
	case reflect.Float64:
		if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
			return errors.New("number is not finite")
		}
		w.b = strconv.AppendFloat(w.b, v.Float(), 'g', -1, 64)
	default:
		return fmt.Errorf("no JSON for %s", v.Type())
	}
	return nil
}

func (w *jsonWriter) object(v reflect.Value) error {
	s := w.shape(v.Type())
	w.b = append(w.b, s.head...)
	for i, before := range s.fields {
		f := v.Field(i)
		if before == "" || s.omit[i] && f.IsZero() || f.Kind() == reflect.Interface && f.IsNil() {
			continue
		}
		w.b = append(w.b, before...)
		if err := w.value(f); err != nil {
			return fmt.Errorf("field %s: %w", v.Type().Field(i).Name, err)
		}
	}
	w.b = append(w.b, '}')
	return nil
}

// shape returns how structs of a type look.
func (w *jsonWriter) shape(t reflect.Type) *shape {
	if s, ok := w.shapes[t]; ok {
		return s
	}
	s := &shape{head: "{"}
	if o, ok := reflect.TypeAssert[Object](reflect.New(t)); ok {
		s.head = `{"_":"` + o.TypeName() + `"`
	}
	for field := range t.Fields() {
		name, omit := fieldName(field)
		before := `,"` + name + `":`
		if name == "-" {
			before = ""
		}
		s.fields, s.omit = append(s.fields, before), append(s.omit, omit)
	}
	w.shapes[t] = s
	return s
}

// fieldName returns a field's name in the schema and whether the zero value
// means that it is absent.
func fieldName(f reflect.StructField) (string, bool) {
	name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name, option == "omitempty"
}

func (w *jsonWriter) list(v reflect.Value) error {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		raw := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(raw), v)
		w.b = append(base64.StdEncoding.AppendEncode(append(w.b, '"'), raw), '"')
		return nil
	}
	w.b = append(w.b, '[')
	for i := range v.Len() {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		if err := w.value(v.Index(i)); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	w.b = append(w.b, ']')
	return nil
}
