package rtx

import (
	"bytes"
	"testing"

	"github.com/pion/rtp"
)

var (
	media  = Stream{SSRC: 0x11223344, Type: 100}
	repair = Stream{SSRC: 0x55667788, Type: 101}
)

func marshal(t testing.TB, p *rtp.Packet) (b []byte, size int) {
	t.Helper()
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b, p.MarshalSize() - len(p.Payload) - int(p.PaddingSize)
}

func packet(t testing.TB, payload string, extended, padded bool) *rtp.Packet {
	t.Helper()
	p := &rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: true, PayloadType: 100, SequenceNumber: 0xfffe, Timestamp: 5, SSRC: media.SSRC},
		Payload: []byte(payload),
	}
	if extended {
		if err := p.SetExtension(3, []byte{1, 2}); err != nil {
			t.Fatal(err)
		}
	}
	if padded {
		p.Header.Padding, p.PaddingSize = true, 7
	}
	return p
}

func TestThereAndBack(t *testing.T) {
	for i := range 4 {
		p := packet(t, "frame", i&1 != 0, i&2 != 0)
		b, size := marshal(t, p)
		wrapped, ok := repair.Wrap([]byte("before"), b, size, 9)
		if !ok {
			t.Fatal("not wrapped")
		}
		var got rtp.Packet
		if err := got.Unmarshal(wrapped[6:]); err != nil {
			t.Fatal(err)
		}
		if got.SSRC != repair.SSRC || got.PayloadType != 101 || got.SequenceNumber != 9 || got.Timestamp != 5 || !got.Marker ||
			string(got.Payload) != "\xff\xfeframe" || got.PaddingSize != p.PaddingSize {
			t.Errorf("%d: wrapped to %v %q", i, &got, got.Payload)
		}
		seq, original, ok := Split(got.Payload)
		if !ok || seq != 0xfffe || string(original) != "frame" {
			t.Errorf("%d: split to %d %q %v", i, seq, original, ok)
		}
		back, ok := media.Unwrap(wrapped[6:], size)
		if !ok || !bytes.Equal(back, b) {
			t.Errorf("%d: %x came back as %x", i, b, back)
		}
	}
}

func TestProbes(t *testing.T) {
	for name, p := range map[string]*rtp.Packet{
		"nothing": packet(t, "", false, false), "padding": packet(t, "", true, true), "no payload": packet(t, "\x00\x01", false, false),
		"half a number": packet(t, "x", false, true),
	} {
		b, size := marshal(t, p)
		if _, ok := media.Unwrap(b, size); ok {
			t.Errorf("%s holds a packet", name)
		}
	}
	if _, ok := media.Unwrap(make([]byte, 20), 21); ok {
		t.Error("a header longer than the packet")
	}
	if _, ok := repair.Wrap(nil, make([]byte, 20), 8, 1); ok {
		t.Error("a header too short")
	}
	b := make([]byte, 4)
	if SetOriginal(b, 0x1234); b[0] != 0x12 || b[1] != 0x34 {
		t.Errorf("written %x", b)
	}
}

func TestNoAllocation(t *testing.T) {
	b, size := marshal(t, packet(t, "frame", true, false))
	room := make([]byte, 0, 100)
	if n := testing.AllocsPerRun(100, func() {
		w, _ := repair.Wrap(room, b, size, 9)
		media.Unwrap(w, size)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzUnwrap(f *testing.F) {
	b, size := marshal(f, packet(f, "frame", true, true))
	f.Add(b, size)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		whole := bytes.Clone(b)
		original, ok := media.Unwrap(b, size)
		if !ok {
			return
		}
		again, ok := repair.Wrap(nil, original, size, 0)
		if !ok || len(again) != len(whole) || !bytes.Equal(again[12:], whole[12:]) {
			t.Fatalf("%x became %x", whole, again)
		}
	})
}

func BenchmarkWrap(b *testing.B) {
	in, size := marshal(b, packet(b, string(make([]byte, 1000)), true, false))
	room := make([]byte, 0, 1200)
	b.ReportAllocs()
	for b.Loop() {
		repair.Wrap(room, in, size, 1)
	}
}
