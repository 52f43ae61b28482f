package h264

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/pion/rtp/codecs"
)

// sets are sequence parameter sets as x264 writes them.
var sets = []struct {
	name, hex     string
	width, height int
}{
	{"baseline", "6742c01ed900a02ff970110000030001000003003c0f162e48", 640, 360},
	{"main, cropped on all sides of 16", "674d400deca0a8cf11360220000003002000000781e28532c0", 322, 182},
	{"high", "6764001facd9405005bb0110000003001000000303c0f1831960", 1280, 720},
	{"high with scaling matrices", "6764001facd9405005bb011000000300100000030320f1831960", 1280, 720},
	{"high, cropped", "67640028acd940780227e5c044000003000400000300f03c60c658", 1920, 1080},
	{"high, interlaced", "67640028acd94078044fde0220000003002000000643e2c5b2c0", 1920, 1080},
	{"high 4:2:2", "677a000dbcd941419f8dc044000003000400000300f03c50a658", 320, 180},
	{"high 4:4:4", "67f4000d919b282833f1b80880000003008000001e078a14cb", 320, 180},
}

var (
	pps   = []byte{0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0}
	idr   = []byte{0x65, 0x88, 0x84, 0x00, 0x33, 0xff}
	delta = []byte{0x41, 0x9a, 0x24, 0x6c, 0x42, 0xbf}
)

func decode(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stap joins units in one payload.
func stap(units ...[]byte) []byte {
	b := []byte{0x78}
	for _, u := range units {
		b = append(append(b, byte(len(u)>>8), byte(len(u))), u...)
	}
	return b
}

func TestDimensions(t *testing.T) {
	for _, tt := range sets {
		sps := decode(t, tt.hex)
		for kind, in := range map[string][]byte{
			"single": sps, "STAP-A": stap(pps, sps, idr), "FU-A": append([]byte{0x7c, 0x87}, sps[1:]...),
		} {
			if w, h, ok := Dimensions(in); !ok || w != tt.width || h != tt.height {
				t.Errorf("%s, %s: %dx%d %v, want %dx%d", tt.name, kind, w, h, ok, tt.width, tt.height)
			}
		}
		for n := range 10 {
			if _, _, ok := Dimensions(sps[:n]); ok {
				t.Errorf("%s: %d bytes are enough", tt.name, n)
			}
		}
	}
}

// writer writes bits of parameter sets that no encoder at hand writes.
type writer struct{ bits []byte }

func (w *writer) put(n int, v uint32) *writer {
	for i := n - 1; i >= 0; i-- {
		w.bits = append(w.bits, byte(v>>i&1))
	}
	return w
}

func (w *writer) golomb(all ...uint32) *writer {
	for _, v := range all {
		n := 0
		for (v+1)>>n > 1 {
			n++
		}
		w.put(n, 0).put(n+1, v+1)
	}
	return w
}

func (w *writer) unit() []byte {
	b := []byte{0x67}
	w.put(1, 1)
	for len(w.bits)%8 != 0 {
		w.put(1, 0)
	}
	for i := 0; i < len(w.bits); i += 8 {
		v := byte(0)
		for _, bit := range w.bits[i : i+8] {
			v = v<<1 | bit
		}
		if n := len(b); v <= 3 && n > 2 && b[n-1] == 0 && b[n-2] == 0 {
			b = append(b, 3)
		}
		b = append(b, v)
	}
	return b
}

func TestRareParameters(t *testing.T) {
	cycle := new(writer).put(8, 66).put(16, 0).golomb(0, 0, 1).put(1, 0).golomb(5, 6, 3, 1, 2, 3, 1).put(1, 0).golomb(19, 14).put(4, 0b1100)
	lists := new(writer).put(8, 100).put(16, 0).golomb(0, 1, 0, 0).put(2, 0b01).put(1, 1)
	for range smallList {
		lists.golomb(1)
	}
	lists.put(1, 1).golomb(16).put(5, 1) // ends at once, then 4 absent, then a large one
	for range largeList {
		lists.golomb(1)
	}
	lists.put(1, 0).golomb(0, 2, 1).put(1, 0).golomb(19, 14).put(4, 0b1100)
	separate := new(writer).put(8, 244).put(16, 0).golomb(0, 3).put(1, 1).golomb(0, 0).put(2, 0).
		golomb(0, 2, 1).put(1, 0).golomb(19, 14).put(3, 0b111).golomb(1, 1, 2, 2)
	tests := []struct {
		name          string
		in            *writer
		width, height int
		ok            bool
	}{
		{"order by cycles", cycle, 320, 240, true},
		{"scaling lists", lists, 320, 240, true},
		{"separate planes, cropped", separate, 318, 236, true},
		{"too wide", new(writer).put(8, 66).put(16, 0).golomb(0, 0, 2, 1).put(1, 0).golomb(1<<20, 14).put(4, 0b1100), 0, 0, false},
		{"cropped away", new(writer).put(8, 66).put(16, 0).golomb(0, 0, 2, 1).put(1, 0).golomb(19, 14).put(3, 0b111).golomb(80, 80, 0, 0), 0, 0, false},
		{"endless cycle", new(writer).put(8, 66).put(16, 0).golomb(0, 0, 1).put(1, 0).golomb(0, 0, 1<<30), 0, 0, false},
	}
	for _, tt := range tests {
		if w, h, ok := Dimensions(tt.in.unit()); w != tt.width || h != tt.height || ok != tt.ok {
			t.Errorf("%s: %dx%d %v", tt.name, w, h, ok)
		}
	}
}

func TestKey(t *testing.T) {
	sps := decode(t, sets[0].hex)
	tests := []struct {
		name string
		in   []byte
		want bool
	}{
		{"IDR", idr, true},
		{"SPS", sps, true},
		{"PPS", pps, false},
		{"slice", delta, false},
		{"SPS, PPS", stap(sps, pps), true},
		{"PPS, IDR", stap(pps, idr), true},
		{"slices", stap(delta, delta), false},
		{"cut STAP-A", stap(pps, idr)[:14], false},
		{"STAP-A with an empty unit", []byte{0x78, 0, 0, 0, 2, 0x65, 1}, false},
		{"first fragment of IDR", []byte{0x7c, 0x85, 0x88}, true},
		{"next fragment of IDR", []byte{0x7c, 0x05, 0x88}, false},
		{"last fragment of IDR", []byte{0x7c, 0x45, 0x88}, false},
		{"first fragment of a slice", []byte{0x7c, 0x81, 0x9a}, false},
		{"nothing", nil, false},
		{"a byte", []byte{0x65}, false},
	}
	for _, tt := range tests {
		if got := Key(tt.in); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// TestKeyAgainstPion lets pion packetize an access unit.
func TestKeyAgainstPion(t *testing.T) {
	start := []byte{0, 0, 0, 1}
	sps := decode(t, sets[2].hex)
	big := append(append([]byte{}, idr...), bytes.Repeat([]byte{0x55}, 3000)...)
	frame := bytes.Join([][]byte{nil, sps, pps, big}, start)
	payloads := new(codecs.H264Payloader).Payload(1100, frame)
	if len(payloads) != 4 {
		t.Fatalf("%d payloads", len(payloads))
	}
	for i, p := range payloads {
		if want := i < 2; Key(p) != want { // STAP-A with the parameters, first fragment
			t.Errorf("%d: key %v, %x", i, !want, p[:2])
		}
	}
	if w, h, ok := Dimensions(payloads[0]); !ok || w != 1280 || h != 720 {
		t.Errorf("%dx%d %v", w, h, ok)
	}
	for i, p := range new(codecs.H264Payloader).Payload(1100, bytes.Join([][]byte{nil, delta}, start)) {
		if Key(p) {
			t.Errorf("slice %d is a key frame", i)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	in := stap(pps, decode(t, sets[3].hex), idr)
	if n := testing.AllocsPerRun(100, func() {
		Key(in)
		Dimensions(in)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDimensions(f *testing.F) {
	for _, s := range sets {
		f.Add(decode(f, s.hex))
		f.Add(stap(decode(f, s.hex), pps))
	}
	f.Add([]byte{0x7c, 0x87, 0x42, 0xc0, 0x1e})
	f.Fuzz(func(t *testing.T, b []byte) {
		w, h, ok := Dimensions(b)
		if ok && (!Key(b) || w <= 0 || h <= 0 || w > maxDimension || h > 2*maxDimension) {
			t.Fatalf("%dx%d", w, h)
		}
	})
}

func BenchmarkKey(b *testing.B) {
	in := append([]byte{0x7c, 0x05}, make([]byte, 1000)...)
	b.ReportAllocs()
	for b.Loop() {
		if Key(in) {
			b.Fatal("a key frame")
		}
	}
}

func BenchmarkDimensions(b *testing.B) {
	in := decode(b, sets[4].hex)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := Dimensions(in); !ok {
			b.Fatal("not read")
		}
	}
}
