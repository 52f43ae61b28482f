package vpx

import (
	"bytes"
	"testing"

	"github.com/pion/rtp/codecs"
)

func TestVP9Parse(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want VP9
		key  bool
	}{
		{"bare key frame", []byte{0x08, 0x82}, VP9{Begin: true, Size: 1}, true},
		{"next packet of it", []byte{0x04, 0x82}, VP9{End: true, Size: 1}, false},
		{
			"slim picture id",
			[]byte{0xcc, 0x11, 0x86},
			VP9{Begin: true, End: true, Inter: true, Size: 2, Numbers: Numbers{ID: 17, idAt: 1}},
			false,
		},
		{
			"as browsers send a key frame: one layer of 1280x720, a group of one",
			[]byte{0xaa, 0x92, 0x34, 0x00, 0x07, 0x18, 0x05, 0x00, 0x02, 0xd0, 0x01, 0x04, 0x01, 0x82},
			VP9{
				Begin: true, HasLayers: true,
				Width: 1280, Height: 720, Size: 13,
				Numbers: Numbers{ID: 0x1234, Wide: true, idAt: 1, TL0: 7, tl0At: 4},
			},
			true,
		},
		{
			"three spatial layers",
			[]byte{0x8a, 0x01, 0x50, 0x01, 0x40, 0x00, 0xb4, 0x02, 0x80, 0x01, 0x68, 0x05, 0x00, 0x02, 0xd0, 0x82},
			VP9{Begin: true, Width: 1280, Height: 720, Size: 15, Numbers: Numbers{ID: 1, idAt: 1}},
			true,
		},
		{
			"upper layer of a key frame",
			[]byte{0xac, 0x81, 0x00, 0x03, 0x07, 0x82},
			VP9{
				Begin: true, End: true, HasLayers: true, Spatial: 1, Size: 5,
				Numbers: Numbers{ID: 0x100, Wide: true, idAt: 1, TL0: 7, tl0At: 4},
			},
			false,
		},
		{
			"flexible with references",
			[]byte{0xf8, 0x11, 0x52, 0x03, 0x04, 0x86},
			VP9{
				Begin: true, HasLayers: true, Flexible: true, Inter: true, Temporal: 2,
				Switch: true, Spatial: 1, Size: 5,
				Numbers: Numbers{ID: 17, idAt: 1},
			},
			false,
		},
	}
	for _, tt := range tests {
		var d VP9
		if !d.Parse(tt.in) || d != tt.want || d.Key() != tt.key {
			t.Errorf("%s: %+v key %v, want %+v", tt.name, d, d.Key(), tt.want)
		}
		var p codecs.VP9Packet
		if rest, err := p.Unmarshal(tt.in); err != nil || p.PictureID != d.ID || len(rest) != 1 {
			t.Errorf("%s: pion reads picture %d and leaves %d, %v", tt.name, p.PictureID, len(rest), err)
		}
		for n := range len(tt.in) {
			if new(VP9).Parse(tt.in[:n]) {
				t.Errorf("%s: %d bytes are enough", tt.name, n)
			}
		}
	}
	if new(VP9).Parse([]byte{0x58, 0x03, 0x03, 0x03, 0x02, 0x86}) {
		t.Error("four references")
	}
}

func TestVP9Rewrite(t *testing.T) {
	tests := []struct{ in, want []byte }{
		{[]byte{0x8c, 0x11, 0x82}, []byte{0x8c, 0x7e, 0x82}},
		{[]byte{0x8c, 0x92, 0x34, 0x82}, []byte{0x8c, 0xff, 0xfe, 0x82}},
		{[]byte{0xac, 0x92, 0x34, 0x00, 0x07, 0x82}, []byte{0xac, 0xff, 0xfe, 0x00, 0xab, 0x82}},
		{[]byte{0x2c, 0x00, 0x07, 0x82}, []byte{0x2c, 0x00, 0xab, 0x82}},
		{[]byte{0xbc, 0x11, 0x00, 0x82}, []byte{0xbc, 0x7e, 0x00, 0x82}},
		{[]byte{0x0c, 0x82}, []byte{0x0c, 0x82}},
	}
	for _, tt := range tests {
		var d VP9
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

// TestAgainstPion lets pion write the packets of a key frame of 640x360.
func TestVP9AgainstPion(t *testing.T) {
	frame := append([]byte{0x82, 0x49, 0x83, 0x42, 0x00, 0x27, 0xf0, 0x16, 0x70}, make([]byte, 3000)...)
	for _, flexible := range []bool{true, false} {
		payloader := codecs.VP9Payloader{FlexibleMode: flexible, InitialPictureIDFn: func() uint16 { return 0x7ffe }}
		for i := range 4 {
			for n, b := range payloader.Payload(1100, frame) {
				var d VP9
				if !d.Parse(b) || d.Begin != (n == 0) || !d.Wide || d.ID != uint16(0x7ffe+i)&wideMask {
					t.Fatalf("packet %d of frame %d: %+v %x", n, i, d, b[:12])
				}
				if !flexible && (d.Key() != (n == 0) || n == 0 && (d.Width != 640 || d.Height != 360)) {
					t.Fatalf("packet %d of frame %d: %+v %x", n, i, d, b[:12])
				}
			}
		}
	}
}

func TestVP9NoAllocation(t *testing.T) {
	in := []byte{0xaa, 0x92, 0x34, 0x00, 0x07, 0x18, 0x05, 0x00, 0x02, 0xd0, 0x01, 0x04, 0x01, 0x82}
	if n := testing.AllocsPerRun(100, func() {
		var d VP9
		d.Parse(in)
		d.Rewrite(in, 1, 2)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzVP9Parse(f *testing.F) {
	f.Add([]byte{0xaa, 0x92, 0x34, 0x00, 0x07, 0x18, 0x05, 0x00, 0x02, 0xd0, 0x01, 0x04, 0x01, 0x82})
	f.Add([]byte{0xf8, 0x11, 0x52, 0x03, 0x04, 0x86})
	f.Add([]byte{0x8a, 0x01, 0x50, 0x01, 0x40, 0x00, 0xb4, 0x02, 0x80, 0x01, 0x68, 0x05, 0x00, 0x02, 0xd0, 0x82})
	f.Fuzz(func(t *testing.T, b []byte) {
		var d, again VP9
		ok := d.Parse(b)
		var p codecs.VP9Packet
		rest, err := p.Unmarshal(b)
		if ok && err != nil && d.Spatial < 5 || !ok && err == nil && len(rest) > 0 {
			t.Fatalf("%v %+v, pion %+v, %v", ok, d, p, err)
		}
		if !ok || err != nil {
			return
		}
		if p.PictureID != d.ID || p.TL0PICIDX != d.TL0 || p.TID != d.Temporal || p.SID != d.Spatial || len(rest) != len(b)-int(d.Size) {
			t.Fatalf("%+v, pion %+v", d, p)
		}
		if p.Y && (p.Width[p.NS] != d.Width || p.Height[p.NS] != d.Height) {
			t.Fatalf("%dx%d, pion %v %v", d.Width, d.Height, p.Width, p.Height)
		}
		d.Rewrite(b, d.ID+1, d.TL0+1)
		if !again.Parse(b) || again.Size != d.Size || d.HasTL0() && again.TL0 != d.TL0+1 {
			t.Fatalf("%+v rewritten to %+v", d, again)
		}
	})
}

func BenchmarkVP9Parse(b *testing.B) {
	in := []byte{0xe8, 0x92, 0x34, 0x00, 0x07, 0x86}
	var d VP9
	b.ReportAllocs()
	for b.Loop() {
		if !d.Parse(in) || d.Key() {
			b.Fatal("not parsed")
		}
		d.Rewrite(in, d.ID+1, d.TL0+1)
	}
}
