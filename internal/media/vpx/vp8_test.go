package vpx

import (
	"bytes"
	"testing"

	"github.com/pion/rtp/codecs"
)

// key is the start of a key frame of 640x360 pixels.
var key = []byte{0x50, 0x2d, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01, 0x00, 0x47}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestVP8Parse(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want VP8
		key  bool
	}{
		{"bare, key frame", join([]byte{0x10}, key), VP8{Start: true, Size: 1}, true},
		{"bare, later packet", []byte{0x00, 0x50}, VP8{Size: 1}, false},
		{"second partition", []byte{0x11, 0x50}, VP8{Start: true, Partition: 1, Size: 1}, false},
		{"inter frame", []byte{0x10, 0x51}, VP8{Start: true, Size: 1}, false},
		{"extension of nothing", []byte{0x90, 0x00, 0x50}, VP8{Start: true, Size: 2}, true},
		{
			"RFC 7741 4.6.1: key frame, slim picture id",
			join([]byte{0x90, 0x80, 0x11}, key),
			VP8{Start: true, Size: 3, Numbers: Numbers{ID: 17, idAt: 2}},
			true,
		},
		{
			"wide picture id, as browsers send",
			[]byte{0x90, 0x80, 0xff, 0xfe, 0x31},
			VP8{Start: true, Size: 4, Numbers: Numbers{ID: 0x7ffe, Wide: true, idAt: 2}},
			false,
		},
		{
			"everything",
			[]byte{0xb0, 0xf0, 0x92, 0x34, 0x56, 0xa7, 0x31},
			VP8{
				Start: true, NonReference: true, Size: 6, Temporal: 2,
				Sync: true, KeyIndex: 7, HasTemporal: true, HasKeyIndex: true,
				Numbers: Numbers{ID: 0x1234, Wide: true, idAt: 2, TL0: 0x56, tl0At: 4},
			},
			false,
		},
		{
			"key index alone",
			[]byte{0x90, 0x10, 0xc9, 0x50},
			VP8{Start: true, Size: 3, KeyIndex: 9, HasKeyIndex: true},
			true,
		},
		{
			"temporal layer alone",
			[]byte{0x90, 0x20, 0x49, 0x50},
			VP8{Start: true, Size: 3, Temporal: 1, HasTemporal: true},
			true,
		},
	}
	for _, tt := range tests {
		var d VP8
		if !d.Parse(tt.in) || d != tt.want || d.Key(tt.in) != tt.key {
			t.Errorf("%s: %+v key %v, want %+v key %v", tt.name, d, d.Key(tt.in), tt.want, tt.key)
		}
		var p codecs.VP8Packet
		if _, err := p.Unmarshal(tt.in); err != nil || p.PictureID != d.ID || p.TL0PICIDX != d.TL0 {
			t.Errorf("%s: pion reads picture %d index %d, %v", tt.name, p.PictureID, p.TL0PICIDX, err)
		}
	}
}

func TestVP8ParseShort(t *testing.T) {
	whole := []byte{0xb0, 0xf0, 0x92, 0x34, 0x56, 0xa7, 0x31}
	for n := range len(whole) {
		if new(VP8).Parse(whole[:n]) {
			t.Errorf("%d bytes are enough", n)
		}
	}
}

func TestVP8Dimensions(t *testing.T) {
	scaled := append([]byte{}, key...)
	scaled[7] |= 0x40
	scaled[9] |= 0x80
	broken := append([]byte{}, key...)
	broken[3] = 0
	tests := []struct {
		name          string
		in            []byte
		width, height int
		ok            bool
	}{
		{"key frame", join([]byte{0x90, 0x80, 0x11}, key), 640, 360, true},
		{"scaled", join([]byte{0x10}, scaled), 640, 360, true},
		{"encrypted after ten bytes", join([]byte{0x10}, key[:10]), 640, 360, true},
		{"no start code", join([]byte{0x10}, broken), 0, 0, false},
		{"cut", join([]byte{0x10}, key[:9]), 0, 0, false},
		{"inter frame", []byte{0x10, 0x51, 0, 0, 0x9d, 1, 0x2a, 1, 1, 1, 1}, 0, 0, false},
	}
	for _, tt := range tests {
		var d VP8
		if !d.Parse(tt.in) {
			t.Fatalf("%s: not parsed", tt.name)
		}
		if w, h, ok := d.Dimensions(tt.in); w != tt.width || h != tt.height || ok != tt.ok {
			t.Errorf("%s: %dx%d %v", tt.name, w, h, ok)
		}
	}
}

func TestVP8Rewrite(t *testing.T) {
	tests := []struct{ in, want []byte }{
		{[]byte{0x90, 0x80, 0x11, 0x50}, []byte{0x90, 0x80, 0x7e, 0x50}},
		{[]byte{0x90, 0x80, 0x92, 0x34, 0x50}, []byte{0x90, 0x80, 0xff, 0xfe, 0x50}},
		{[]byte{0x90, 0x40, 0x01, 0x50}, []byte{0x90, 0x40, 0xab, 0x50}},
		{[]byte{0xb0, 0xf0, 0x92, 0x34, 0x56, 0xa7, 0x31}, []byte{0xb0, 0xf0, 0xff, 0xfe, 0xab, 0xa7, 0x31}},
		{[]byte{0x10, 0x50}, []byte{0x10, 0x50}},
	}
	for _, tt := range tests {
		var d VP8
		got := append([]byte{}, tt.in...)
		if !d.Parse(got) {
			t.Fatalf("%x not parsed", tt.in)
		}
		d.Rewrite(got, 0xfffe, 0xab)
		if !bytes.Equal(got, tt.want) {
			t.Errorf("%x became %x, want %x", tt.in, got, tt.want)
		}
	}
}

// TestAgainstPion lets pion write the packets of frames with picture ids of
// both widths.
func TestVP8AgainstPion(t *testing.T) {
	payloader := codecs.VP8Payloader{EnablePictureID: true}
	frame := join(key, make([]byte, 3000))
	for i := range 200 {
		for n, b := range payloader.Payload(1100, frame) {
			var d VP8
			if !d.Parse(b) || d.Begins() != (n == 0) || d.Key(b) != (n == 0) || !d.HasID() || int(d.ID) != i {
				t.Fatalf("packet %d of frame %d: %+v", n, i, d)
			}
		}
	}
}

func FuzzVP8Parse(f *testing.F) {
	f.Add(join([]byte{0x90, 0x80, 0x11}, key))
	f.Add([]byte{0xb0, 0xf0, 0x92, 0x34, 0x56, 0xa7, 0x31})
	f.Fuzz(func(t *testing.T, b []byte) {
		var d, again VP8
		if !d.Parse(b) {
			return
		}
		d.Dimensions(b)
		var p codecs.VP8Packet
		if rest, err := p.Unmarshal(b); err != nil || p.PictureID != d.ID || p.TL0PICIDX != d.TL0 ||
			p.TID != d.Temporal || p.KEYIDX != d.KeyIndex || p.S == 1 != d.Start || len(rest) != len(b)-int(d.Size) {
			t.Fatalf("%+v, pion %+v, %v", d, p, err)
		}
		d.Rewrite(b, d.ID+1, d.TL0+1)
		if !again.Parse(b) || again.Size != d.Size || d.HasTL0() && again.TL0 != d.TL0+1 {
			t.Fatalf("%+v rewritten to %+v", d, again)
		}
	})
}

func BenchmarkVP8Parse(b *testing.B) {
	in := join([]byte{0xb0, 0xf0, 0x92, 0x34, 0x56, 0xa7}, key)
	var d VP8
	b.ReportAllocs()
	for b.Loop() {
		if !d.Parse(in) || !d.Key(in) {
			b.Fatal("not parsed")
		}
		d.Rewrite(in, d.ID+1, d.TL0+1)
	}
}
