package tg_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"parley/internal/tg"
	"parley/internal/tg/tgtest"
	"parley/internal/tl"
)

// TestRoundTrip encodes every constructor at every layer in which something
// changed, decodes it, and expects the same bytes from what was decoded.
func TestRoundTrip(t *testing.T) {
	random := tgtest.New(rand.New(rand.NewPCG(1, 2)))
	for _, methods := range []bool{false, true} {
		decode := tg.Decode
		if methods {
			decode = tg.DecodeMethod
		}
		for _, name := range tg.Names(methods) {
			for _, layer := range tg.Layers() {
				o := random.Object(name)
				want, err := tg.Encode(o, layer)
				if errors.Is(err, tl.ErrAbsent) && layer < tg.Layer {
					continue
				}
				if err != nil {
					t.Fatalf("%s at %d: %v\n%s", name, layer, err, dump(o))
				}
				back, err := decode(want)
				if err != nil {
					t.Fatalf("%s at %d: %v\n%s", name, layer, err, dump(o))
				}
				got, err := tg.Encode(back, layer)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%s at %d: came back different, %v\n%s\n%s", name, layer, err, dump(o), dump(back))
				}
			}
		}
	}
}

// TestJSON expects every request to come back from JSON as it went.
func TestJSON(t *testing.T) {
	random := tgtest.New(rand.New(rand.NewPCG(1, 2)))
	for _, name := range tg.Names(true) {
		for range 10 {
			o := random.Object(name)
			text, err := json.Marshal(o)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			back, err := tg.UnmarshalMethod(name, text)
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, text)
			}
			if !reflect.DeepEqual(back, o) {
				t.Fatalf("%s came back different:\n%s\n%s", name, text, dump(back))
			}
		}
	}
}

func dump(o tg.Object) string {
	text, err := json.Marshal(o)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
