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
	b, err := appendJSON(nil, reflect.ValueOf(o))
	if err != nil {
		return nil, fmt.Errorf("marshal %s: %w", o.TypeName(), err)
	}
	return b, nil
}

func appendJSON(b []byte, v reflect.Value) ([]byte, error) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return append(b, "null"...), nil
		}
		return appendJSON(b, v.Elem())
	case reflect.Struct:
		return appendStruct(b, v)
	case reflect.Slice, reflect.Array:
		return appendList(b, v)
	case reflect.String:
		s, err := json.Marshal(v.String())
		return append(b, s...), err
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool()), nil
	case reflect.Int:
		return strconv.AppendInt(b, v.Int(), 10), nil
	case reflect.Int64:
		return append(strconv.AppendInt(append(b, '"'), v.Int(), 10), '"'), nil
	case reflect.Float64:
		if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
			return nil, errors.New("number is not finite")
		}
		return strconv.AppendFloat(b, v.Float(), 'g', -1, 64), nil
	}
	return nil, fmt.Errorf("no JSON for %s", v.Type())
}

func appendStruct(b []byte, v reflect.Value) ([]byte, error) {
	o, ok := reflect.New(v.Type()).Interface().(Object)
	if !ok {
		return nil, fmt.Errorf("no object: %s", v.Type())
	}
	b = append(append(append(b, `{"_":"`...), o.TypeName()...), '"')
	for i := range v.NumField() {
		name, omit := fieldName(v.Type().Field(i))
		f := v.Field(i)
		if name == "-" || omit && f.IsZero() || isAbsent(f) {
			continue
		}
		b = append(append(append(b, `,"`...), name...), `":`...)
		var err error
		if b, err = appendJSON(b, f); err != nil {
			return nil, fmt.Errorf("field %s: %w", name, err)
		}
	}
	return append(b, '}'), nil
}

// fieldName returns a field's name in the schema and whether the zero value
// means that it is absent.
func fieldName(f reflect.StructField) (string, bool) {
	name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name, option == "omitempty"
}

// isAbsent tells whether an optional field is not set.
func isAbsent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice:
		return v.IsNil()
	default:
		return false
	}
}

func appendList(b []byte, v reflect.Value) ([]byte, error) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		raw := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(raw), v)
		b = base64.StdEncoding.AppendEncode(append(b, '"'), raw)
		return append(b, '"'), nil
	}
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendJSON(b, v.Index(i)); err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return append(b, ']'), nil
}
