package tg_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"

	"parley/internal/tg"
	"parley/internal/tg/tgtest"
)

// seeds adds a few objects at a few layers to a corpus.
func seeds(f *testing.F, methods bool) {
	f.Helper()
	random := tgtest.New(rand.New(rand.NewPCG(3, 4)))
	for i, name := range tg.Names(methods) {
		layers := tg.Layers()
		if b, err := tg.Encode(random.Object(name), layers[i%len(layers)]); err == nil {
			f.Add(b)
		}
	}
}

// again expects an object to encode, and to be the same when decoded again.
func again(t *testing.T, o tg.Object, decode func([]byte) (tg.Object, error)) {
	t.Helper()
	first, err := tg.Encode(o, tg.Layer)
	if err != nil {
		return // a number of an older layer that is out of range, or a field that went away
	}
	back, err := decode(first)
	if err != nil {
		t.Fatalf("decode again: %v", err)
	}
	second, err := tg.Encode(back, tg.Layer)
	if err != nil || !bytes.Equal(first, second) {
		t.Fatalf("came back different: %v\n%x\n%x", err, first, second)
	}
	for _, layer := range []int{tg.MinLayer, 160, 200} {
		_, _ = tg.Encode(o, layer)
	}
	_, _ = json.Marshal(o)
}

func FuzzDecode(f *testing.F) {
	seeds(f, false)
	f.Fuzz(func(t *testing.T, data []byte) {
		if o, err := tg.Decode(data); err == nil {
			again(t, o, tg.Decode)
		}
	})
}

func FuzzDecodeMethod(f *testing.F) {
	seeds(f, true)
	f.Fuzz(func(t *testing.T, data []byte) {
		if o, err := tg.DecodeMethod(data); err == nil {
			again(t, o, tg.DecodeMethod)
		}
	})
}

func FuzzUnmarshalMethod(f *testing.F) {
	random := tgtest.New(rand.New(rand.NewPCG(5, 6)))
	for _, name := range tg.Names(true) {
		text, err := json.Marshal(random.Object(name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, text)
	}
	f.Add("channels.createChannel", []byte(`{"address":""}`)) // one flag for two fields
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if o, err := tg.UnmarshalMethod(name, data); err == nil {
			again(t, o, tg.DecodeMethod)
		}
	})
}
