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

// TestJSONIsFinal expects json.Marshal to change nothing of what an object
// writes: who sends it need not ask.
func TestJSONIsFinal(t *testing.T) {
	check := func(o tg.Object) {
		t.Helper()
		got, err := o.MarshalJSON()
		if err != nil {
			t.Fatalf("%s: %v", o.TypeName(), err)
		}
		if want, err := json.Marshal(o); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s writes %s, json.Marshal %s, %v", o.TypeName(), got, want, err)
		}
	}
	random := tgtest.New(rand.New(rand.NewPCG(1, 2)))
	for _, name := range append(tg.Names(true), tg.Names(false)...) {
		for range 10 {
			check(random.Object(name))
		}
	}
	for _, o := range []tg.Object{tg.Bool(true), tg.EmptyVector{}, tg.LongVector{1, -2}, &tg.JSONNumber{Value: 1e300}, &tg.JSONNumber{Value: -1e-7}} {
		check(o)
	}
	for _, text := range []string{"", "plain ~", "a\"b", `a\b`, "<", ">", "&", "\n", "\x00", "\x1f", "\x7f", "é", "\u2028", "\xff", "\U0001f600"} {
		o := &tg.HelpInviteText{Message: text}
		check(o)
		quoted, _ := json.Marshal(text)
		if got, want := dump(o), `{"_":"help.inviteText","message":`+string(quoted)+`}`; got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
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
