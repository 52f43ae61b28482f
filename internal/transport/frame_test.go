package transport

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"testing"
)

func le(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

func fullFrame(number uint32, p []byte) []byte {
	b := slices.Concat(le(uint32(len(p)+12)), le(number), p)
	return append(b, le(crc32.ChecksumIEEE(b))...)
}

func TestBadFrames(t *testing.T) {
	message := cipherMessage(2)
	spoilt := fullFrame(0, message)
	spoilt[20] ^= 1
	for _, tt := range []struct {
		name string
		f    framing
		in   []byte
		want error
	}{
		{"abridged empty", abridged{}, []byte{0}, ErrMalformed},
		{"abridged empty, ack", abridged{}, []byte{0x80}, ErrMalformed},
		{"abridged long empty", abridged{}, []byte{0x7f, 0, 0, 0}, ErrMalformed},
		{"abridged large", abridged{}, []byte{0x7f, 0xff, 0xff, 0xff}, ErrTooLarge},
		{"abridged one too large", abridged{}, le((MaxRead/4+1)<<8 | 0xff), ErrTooLarge},
		{"abridged cut", abridged{}, []byte{2, 0, 0}, io.ErrUnexpectedEOF},
		{"intermediate empty", intermediate{}, le(0), ErrMalformed},
		{"intermediate empty, ack", intermediate{}, le(1 << 31), ErrMalformed},
		{"intermediate odd", intermediate{}, append(le(5), 1, 2, 3, 4, 5), ErrMalformed},
		{"intermediate large", intermediate{}, le(MaxRead + 1), ErrTooLarge},
		{"intermediate largest", intermediate{}, le(1<<32 - 1), ErrTooLarge},
		{"padded empty", padded{}, le(0), ErrMalformed},
		{"padded short", padded{}, append(le(19), make([]byte, 19)...), ErrMalformed},
		{"padded short cipher", padded{}, append(le(39), bytes.Repeat([]byte{1}, 39)...), ErrMalformed},
		{"padded plain overrun", padded{}, append(le(36), append(plainMessage(0)[:16], bytes.Repeat([]byte{255}, 20)...)...), ErrMalformed},
		{"padded large", padded{}, le(MaxRead + 1), ErrTooLarge},
		{"full empty", &full{}, fullFrame(0, nil), ErrMalformed},
		{"full short", &full{}, append(le(8), le(0)...), ErrMalformed},
		{"full odd", &full{}, fullFrame(0, message[:41]), ErrMalformed},
		{"full number", &full{}, fullFrame(1, message), ErrMalformed},
		{"full checksum", &full{}, spoilt, ErrMalformed},
		{"full large", &full{}, append(le(MaxRead+16), le(0)...), ErrTooLarge},
		{"full largest", &full{}, append(le(1<<32-1), le(0)...), ErrTooLarge},
	} {
		in := &buffer{src: bytes.NewReader(tt.in)}
		if _, err := tt.f.read(in); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if len(in.data) > minBuffer {
			t.Errorf("%s: buffer grew to %d", tt.name, len(in.data))
		}
	}
}

func TestFullNumbers(t *testing.T) {
	stream := slices.Concat(fullFrame(0, cipherMessage(1)), fullFrame(1, cipherMessage(1)), fullFrame(1, cipherMessage(1)))
	f, in := &full{}, &buffer{src: bytes.NewReader(stream)}
	for i, want := range []error{nil, nil, ErrMalformed} {
		if _, err := f.read(in); !errors.Is(err, want) {
			t.Errorf("frame %d: %v, want %v", i, err, want)
		}
	}
}

// A client pads with 0 to 15 bytes and does not tell how many.
func TestPadding(t *testing.T) {
	messages := [][]byte{plainMessage(0), plainMessage(20), plainMessage(340), cipherMessage(1), cipherMessage(17)}
	for pad := range 16 {
		for _, want := range messages {
			b := slices.Concat(le(uint32(len(want)+pad)|1<<31), want, bytes.Repeat([]byte{0x3c}, pad))
			f, err := padded{}.read(&buffer{src: bytes.NewReader(b)})
			if err != nil || !bytes.Equal(f.Payload, want) || !f.QuickAck {
				t.Errorf("%d bytes of padding: %d bytes, ack %v, %v; want %d", pad, len(f.Payload), f.QuickAck, err, len(want))
			}
		}
	}
}

func TestPaddingWritten(t *testing.T) {
	seen := map[int]bool{}
	for range 400 {
		b := padded{}.frame(nil, cipherMessage(1))
		if n := binary.LittleEndian.Uint32(b); int(n) != len(b)-4 {
			t.Fatalf("length %d of %d", n, len(b)-4)
		}
		seen[len(b)-4-40] = true
	}
	if len(seen) != 4 || !seen[0] || !seen[3] {
		t.Errorf("padding seen: %v, want 0 to 3", seen)
	}
	if b := (padded{}).frame(nil, []byte{1, 2, 3, 4}); len(b) != 8 {
		t.Errorf("a transport error has %d bytes", len(b)-4)
	}
}

func TestQuickAckAsked(t *testing.T) {
	short, long := cipherMessage(2), cipherMessage(200)
	for _, tt := range []struct {
		name    string
		f       framing
		in      []byte
		payload []byte
	}{
		{"abridged", abridged{}, append([]byte{byte(len(short)/4) | 0x80}, short...), short},
		{"abridged long", abridged{}, append(le(uint32(len(long)/4)<<8|0xff), long...), long},
		{"intermediate", intermediate{}, append(le(uint32(len(short))|1<<31), short...), short},
	} {
		f, err := tt.f.read(&buffer{src: bytes.NewReader(tt.in)})
		if err != nil || !f.QuickAck || !bytes.Equal(f.Payload, tt.payload) {
			t.Errorf("%s: ack %v, %d bytes, %v", tt.name, f.QuickAck, len(f.Payload), err)
		}
	}
}

func TestQuickAckWritten(t *testing.T) {
	for _, tt := range []struct {
		f    framing
		want string
	}{
		{abridged{}, "81020304"},
		{intermediate{}, "04030281"},
		{padded{}, "04030281"},
		{&full{}, ""},
	} {
		s := &script{}
		c := &conn{stream: s, framing: tt.f}
		if err := c.WriteQuickAck(0x01020304); err != nil || hex.EncodeToString(s.out.Bytes()) != tt.want {
			t.Errorf("%T: %x, %v; want %s", tt.f, s.out.Bytes(), err, tt.want)
		}
	}
}

func TestBufferShrinks(t *testing.T) {
	stream := slices.Concat(intermediate{}.frame(nil, cipherMessage(60_000)), intermediate{}.frame(nil, cipherMessage(1)))
	in := &buffer{src: &script{in: stream, step: 1000}}
	for range 2 {
		if _, err := (intermediate{}).read(in); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := (intermediate{}).read(in); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if len(in.data) > keepBuffer {
		t.Errorf("an idle connection keeps %d bytes", len(in.data))
	}
}
