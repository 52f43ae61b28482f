package transport

import (
	"bytes"
	"net"
	"testing"
	"time"
)

// loop is a connection that delivers the same bytes for ever.
type loop struct {
	net.Conn // nil: nothing else is called

	head, body []byte
	at         int
}

func (l *loop) Read(p []byte) (int, error) {
	if len(l.head) > 0 {
		n := copy(p, l.head)
		l.head = l.head[n:]
		return n, nil
	}
	n := copy(p, l.body[l.at:])
	l.at = (l.at + n) % len(l.body)
	return n, nil
}

func (l *loop) Write(p []byte) (int, error)     { return len(p), nil }
func (l *loop) SetReadDeadline(time.Time) error { return nil }
func (l *loop) RemoteAddr() net.Addr            { return &net.TCPAddr{} }

func steady(tb testing.TB, tag byte, f framing, blocks int) Conn {
	tb.Helper()
	tags := bytes.Repeat([]byte{tag}, 4)
	if _, ok := f.(abridged); ok {
		tags = tags[:1]
	}
	s, _, err := Sniff(&loop{head: tags, body: f.frame(nil, cipherMessage(blocks))}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestNoAllocations(t *testing.T) {
	for name, s := range map[string]Conn{
		"abridged":     steady(t, 0xef, abridged{}, 20),
		"intermediate": steady(t, 0xee, intermediate{}, 20),
		"padded":       steady(t, 0xdd, padded{}, 20),
	} {
		p := cipherMessage(20)
		n := testing.AllocsPerRun(1000, func() {
			if _, err := s.ReadFrame(); err != nil {
				t.Fatal(err)
			}
			if err := s.WriteFrame(p); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations per frame read and written", name, n)
		}
	}
}

func BenchmarkReadFrame(b *testing.B) {
	for _, size := range []struct {
		name   string
		blocks int
	}{{"300B", 18}, {"8KiB", 512}, {"256KiB", 16_384}} {
		b.Run(size.name, func(b *testing.B) {
			s := steady(b, 0xee, intermediate{}, size.blocks)
			b.SetBytes(int64(16 * size.blocks))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.ReadFrame(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWriteFrame(b *testing.B) {
	for _, v := range variants() {
		b.Run(v.name, func(b *testing.B) {
			head := &script{}
			v.dial(b, head)
			s, _, err := Sniff(&loop{head: head.out.Bytes(), body: fullFrame(0, cipherMessage(1))}, testSecret)
			if err != nil {
				b.Fatal(err)
			}
			p := cipherMessage(18)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				if err := s.WriteFrame(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
