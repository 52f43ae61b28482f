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
// absent left out. It is as compact as json.Marshal has it, and escaped alike.
func marshal(o Object) ([]byte, error) {
	w := jsonWriter{b: make([]byte, 0, 512)}
	if err := w.value(reflect.ValueOf(o)); err != nil {
		return nil, fmt.Errorf("marshal %s: %w", o.TypeName(), err)
	}
	return w.b, nil
}

// A jsonWriter writes one object and what is in it.
type jsonWriter struct{ b []byte }

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
		return w.text(v.String())
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
	s := shapeOf(v.Type())
	w.b = append(w.b, s.head...)
	for i, field := range s.fields {
		f := v.Field(i)
		if field.name == "" || field.omit && f.IsZero() || f.Kind() == reflect.Interface && f.IsNil() {
			continue
		}
		w.b = append(w.b, field.before...)
		if err := w.value(f); err != nil {
			return fmt.Errorf("field %s: %w", v.Type().Field(i).Name, err)
		}
	}
	w.b = append(w.b, '}')
	return nil
}

// text writes a string; most have nothing to escape.
func (w *jsonWriter) text(s string) error {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || strings.IndexByte(`"\<>&`, c) >= 0 {
			escaped, err := json.Marshal(s)
			w.b = append(w.b, escaped...)
			return err
		}
	}
	w.b = append(append(append(w.b, '"'), s...), '"')
	return nil
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
