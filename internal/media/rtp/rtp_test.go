package rtp

import (
	"bytes"
	"testing"
	"time"

	pion "github.com/pion/rtp"
)

func packet(t *testing.T, edit func(*pion.Packet)) []byte {
	t.Helper()
	p := &pion.Packet{
		Header:  pion.Header{Version: 2, PayloadType: 111, SequenceNumber: 65000, Timestamp: 960, SSRC: 0xdeadbeef, Marker: true},
		Payload: []byte("opus"),
	}
	edit(p)
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func extension(t *testing.T, p *pion.Packet, id uint8, v []byte) {
	t.Helper()
	if err := p.SetExtension(id, v); err != nil {
		t.Fatal(err)
	}
}

func TestParse(t *testing.T) {
	for name, edit := range map[string]func(*pion.Packet){
		"one byte": func(p *pion.Packet) {
			extension(t, p, 1, []byte{0x80 | 33})
			extension(t, p, 2, []byte{1, 2, 3})
			extension(t, p, 3, []byte{0x12, 0x34})
			extension(t, p, 13, []byte{2})
		},
		"two byte": func(p *pion.Packet) {
			p.ExtensionProfile, p.Extension = pion.ExtensionProfileTwoByte, true
			extension(t, p, 1, []byte{0x80 | 33})
			extension(t, p, 200, bytes.Repeat([]byte{9}, 20))
			extension(t, p, 3, []byte{0x12, 0x34})
		},
		"csrc": func(p *pion.Packet) {
			p.CSRC = []uint32{1, 2, 3}
			extension(t, p, 3, []byte{0x12, 0x34})
			extension(t, p, 1, []byte{0x80 | 33})
		},
	} {
		b := packet(t, edit)
		var h Header
		if !h.Parse(b) {
			t.Fatalf("%s: refused", name)
		}
		payload, ok := h.Payload(b)
		if !ok || string(payload) != "opus" || h.Sequence != 65000 || h.SSRC != 0xdeadbeef || h.Type != 111 || !h.Marker {
			t.Errorf("%s: %+v, payload %q", name, h, payload)
		}
		if h.HasOrientation != (name == "one byte") || h.HasOrientation && h.Orientation != 2 {
			t.Errorf("%s: orientation %d", name, h.Orientation)
		}
		if !h.HasLevel || !h.Voice || h.Level != 33 || !h.HasTransport || h.Transport != 0x1234 {
			t.Errorf("%s: extensions %+v", name, h)
		}
	}
}

func TestPadding(t *testing.T) {
	b := packet(t, func(p *pion.Packet) { p.Padding, p.PaddingSize = true, 7 })
	var h Header
	if payload, ok := h.Payload(b); !h.Parse(b) || !ok {
		t.Fatalf("payload %q", payload)
	}
	if payload, ok := h.Payload(b); !ok || string(payload) != "opus" {
		t.Errorf("payload %q, %v", payload, ok)
	}
	b[len(b)-1] = 200
	if _, ok := h.Payload(b); ok {
		t.Error("padding beyond the payload accepted")
	}
}

// TestWrite lets pion read what Write wrote.
func TestWrite(t *testing.T) {
	for name, tt := range map[string]struct {
		header             Header
		level, orientation []byte
	}{
		"sound": {Header{HasLevel: true, Level: 40, Voice: true}, []byte{0x80 | 40}, nil},
		"video": {Header{HasOrientation: true, Orientation: 3}, nil, []byte{3}},
		"both":  {Header{HasOrientation: true, Orientation: 1, HasLevel: true}, nil, []byte{1}},
		"plain": {Header{}, nil, nil},
	} {
		h := tt.header
		h.SSRC, h.Sequence, h.Timestamp, h.Type, h.Marker = 7, 9, 11, 111, true
		b := bytes.Repeat([]byte{0xff}, EgressSize+4)
		n := h.Write(b)
		if Type(b) != 111 || Timestamp(b) != 11 {
			t.Errorf("%s: type %d, timestamp %d", name, Type(b), Timestamp(b))
		}
		Address(b, 8, 101)
		SetSendTime(b, SendTime(65*time.Second+500*time.Millisecond))
		stamped := make([]byte, EgressSize)
		Stamp(stamped, (*[EgressSize]byte)(b), 0xfa01, 0xfb020304, 0xfc05)
		var p pion.Packet
		if err := p.Unmarshal(append(stamped[:n:n], "opus"...)); err != nil {
			t.Fatal(err)
		}
		if p.SSRC != 8 || p.PayloadType != 101 || p.SequenceNumber != 0xfa01 || p.Timestamp != 0xfb020304 || !p.Marker || string(p.Payload) != "opus" {
			t.Errorf("%s: packet %v", name, p)
		}
		if !bytes.Equal(p.GetExtension(1), tt.level) || !bytes.Equal(p.GetExtension(13), tt.orientation) {
			t.Errorf("%s: level %x, orientation %x", name, p.GetExtension(1), p.GetExtension(13))
		}
		if at := p.GetExtension(2); !bytes.Equal(p.GetExtension(3), []byte{0xfc, 5}) || !bytes.Equal(at, []byte{6, 0, 0}) {
			t.Errorf("%s: number %x, sent at %x", name, p.GetExtension(3), at)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	b := packet(t, func(p *pion.Packet) { extension(t, p, 1, []byte{33}) })
	var h Header
	if n := testing.AllocsPerRun(100, func() { h.Parse(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{0x90, 111, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xbe, 0xde, 0, 1, 0x10, 0x85, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var h Header
		if !h.Parse(b) {
			return
		}
		if h.Size > len(b) {
			t.Fatalf("size %d of %d", h.Size, len(b))
		}
		_, _ = h.Payload(b)
		var p pion.Header
		if n, err := p.Unmarshal(b); err == nil && n != h.Size {
			t.Errorf("header of %d bytes, pion says %d", h.Size, n)
		}
	})
}
