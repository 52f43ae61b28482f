package vp8

import (
	"bytes"
	"testing"

	"github.com/pion/rtp/codecs"
)

// key is the start of a key frame of 640x360 pixels.
var key = []byte{0x50, 0x2d, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01, 0x00, 0x47}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestParse(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want Descriptor
		key  bool
	}{
		{"bare, key frame", join([]byte{0x10}, key), Descriptor{Start: true, Size: 1}, true},
		{"bare, later packet", []byte{0x00, 0x50}, Descriptor{Size: 1}, false},
		{"second partition", []byte{0x11, 0x50}, Descriptor{Start: true, Partition: 1, Size: 1}, false},
		{"inter frame", []byte{0x10, 0x51}, Descriptor{Start: true, Size: 1}, false},
		{"extension of nothing", []byte{0x90, 0x00, 0x50}, Descriptor{Start: true, Size: 2}, true},
		{
			"RFC 7741 4.6.1: key frame, slim picture id",
			join([]byte{0x90, 0x80, 0x11}, key),
			Descriptor{Start: true, Size: 3, PictureID: 17, pictureAt: 2},
			true,
		},
		{
			"wide picture id, as browsers send",
			[]byte{0x90, 0x80, 0xff, 0xfe, 0x31},
			Descriptor{Start: true, Size: 4, PictureID: 0x7ffe, Wide: true, pictureAt: 2},
			false,
		},
		{
			"everything",
			[]byte{0xb0, 0xf0, 0x92, 0x34, 0x56, 0xa7, 0x31},
			Descriptor{
				Start: true, NonReference: true, Size: 6, PictureID: 0x1234, Wide: true, TL0: 0x56, Temporal: 2,
				Sync: true, KeyIndex: 7, HasTemporal: true, HasKeyIndex: true, pictureAt: 2, tl0At: 4,
			},
			false,
		},
		{
			"key index alone",
			[]byte{0x90, 0x10, 0xc9, 0x50},
			Descriptor{Start: true, Size: 3, KeyIndex: 9, HasKeyIndex: true},
			true,
		},
		{
			"temporal layer alone",
			[]byte{0x90, 0x20, 0x49, 0x50},
			Descriptor{Start: true, Size: 3, Temporal: 1, HasTemporal: true},
			true,
		},
	}
	for _, tt := range tests {
		var d Descriptor
		if !d.Parse(tt.in) || d != tt.want || d.Key(tt.in) != tt.key {
			t.Errorf("%s: %+v key %v, want %+v key %v", tt.name, d, d.Key(tt.in), tt.want, tt.key)
		}
		var p codecs.VP8Packet
		if _, err := p.Unmarshal(tt.in); err != nil || p.PictureID != d.PictureID || p.TL0PICIDX != d.TL0 {
			t.Errorf("%s: pion reads picture %d index %d, %v", tt.name, p.PictureID, p.TL0PICIDX, err)
		}
	}
}

func TestParseShort(t *testing.T) {
	whole := []byte{0xb0, 0xf0, 0x92, 0x34, 0x56, 0xa7, 0x31}
	for n := range len(whole) {
		if new(Descriptor).Parse(whole[:n]) {
			t.Errorf("%d bytes are enough", n)
		}
	}
}

func TestDimensions(t *testing.T) {
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
		var d Descriptor
		if !d.Parse(tt.in) {
			t.Fatalf("%s: not parsed", tt.name)
		}
		if w, h, ok := d.Dimensions(tt.in); w != tt.width || h != tt.height || ok != tt.ok {
			t.Errorf("%s: %dx%d %v", tt.name, w, h, ok)
		}
	}
}

func TestRewrite(t *testing.T) {
	tests := []struct{ in, want []byte }{
		{[]byte{0x90, 0x80, 0x11, 0x50}, []byte{0x90, 0x80, 0x7e, 0x50}},
		{[]byte{0x90, 0x80, 0x92, 0x34, 0x50}, []byte{0x90, 0x80, 0xff, 0xfe, 0x50}},
		{[]byte{0x90, 0x40, 0x01, 0x50}, []byte{0x90, 0x40, 0xab, 0x50}},
		{[]byte{0xb0, 0xf0, 0x92, 0x34, 0x56, 0xa7, 0x31}, []byte{0xb0, 0xf0, 0xff, 0xfe, 0xab, 0xa7, 0x31}},
		{[]byte{0x10, 0x50}, []byte{0x10, 0x50}},
	}
	for _, tt := range tests {
		var d Descriptor
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
func TestAgainstPion(t *testing.T) {
	payloader := codecs.VP8Payloader{EnablePictureID: true}
	frame := join(key, make([]byte, 3000))
	for i := range 200 {
		for n, b := range payloader.Payload(1100, frame) {
			var d Descriptor
			if !d.Parse(b) || d.Begins() != (n == 0) || d.Key(b) != (n == 0) || !d.HasPicture() || int(d.PictureID) != i {
				t.Fatalf("packet %d of frame %d: %+v", n, i, d)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(join([]byte{0x90, 0x80, 0x11}, key))
	f.Add([]byte{0xb0, 0xf0, 0x92, 0x34, 0x56, 0xa7, 0x31})
	f.Fuzz(func(t *testing.T, b []byte) {
		var d, again Descriptor
		if !d.Parse(b) {
			return
		}
		d.Dimensions(b)
		var p codecs.VP8Packet
		if rest, err := p.Unmarshal(b); err != nil || p.PictureID != d.PictureID || p.TL0PICIDX != d.TL0 ||
			p.TID != d.Temporal || p.KEYIDX != d.KeyIndex || p.S == 1 != d.Start || len(rest) != len(b)-int(d.Size) {
			t.Fatalf("%+v, pion %+v, %v", d, p, err)
		}
		d.Rewrite(b, d.PictureID+1, d.TL0+1)
		if !again.Parse(b) || again.Size != d.Size || d.HasTL0() && again.TL0 != d.TL0+1 {
			t.Fatalf("%+v rewritten to %+v", d, again)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	in := join([]byte{0xb0, 0xf0, 0x92, 0x34, 0x56, 0xa7}, key)
	var d Descriptor
	b.ReportAllocs()
	for b.Loop() {
		if !d.Parse(in) || !d.Key(in) {
			b.Fatal("not parsed")
		}
		d.Rewrite(in, d.PictureID+1, d.TL0+1)
	}
}
