package transport

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/mtproxy"
	"github.com/gotd/td/mtproxy/obfuscated2"
	"github.com/gotd/td/proto/codec"
)

var testSecret = []byte("0123456789abcdef")

// client is gotd's end of a connection.
type client struct {
	net.Conn

	codec codec.Codec
	rw    io.ReadWriter
}

func (c *client) send(t *testing.T, p []byte) {
	t.Helper()
	if err := c.codec.Write(c.rw, &bin.Buffer{Buf: bytes.Clone(p)}); err != nil {
		t.Error("client:", err)
	}
}

func (c *client) receive() ([]byte, error) {
	var b bin.Buffer
	err := c.codec.Read(c.rw, &b)
	return b.Buf, err
}

// variant is one of the ways a client can speak.
type variant struct {
	name      string
	codec     func() codec.Codec
	obfuscate bool
	secret    []byte
}

func (v variant) dial(tb testing.TB, c net.Conn) *client {
	tb.Helper()
	cl := &client{Conn: c, codec: v.codec(), rw: c}
	if !v.obfuscate {
		if err := cl.codec.WriteHeader(c); err != nil {
			tb.Error("client:", err)
		}
		return cl
	}
	o := obfuscated2.NewObfuscated2(rand.Reader, c)
	tag := cl.codec.(codec.TaggedCodec).ObfuscatedTag()
	if err := o.Handshake(tag, -31337, mtproxy.Secret{Secret: v.secret}); err != nil {
		tb.Error("client:", err)
	}
	cl.rw = o
	return cl
}

func variants() []variant {
	framings := []variant{
		{name: "abridged", codec: func() codec.Codec { return codec.Abridged{} }},
		{name: "intermediate", codec: func() codec.Codec { return codec.Intermediate{} }},
		{name: "padded", codec: func() codec.Codec { return codec.PaddedIntermediate{} }},
	}
	all := []variant{{name: "full", codec: func() codec.Codec { return &codec.Full{} }}}
	for _, v := range framings {
		all = append(all, v)
		v.obfuscate = true
		all = append(all, variant{"obfuscated " + v.name, v.codec, true, nil},
			variant{"secret " + v.name, v.codec, true, testSecret})
	}
	return all
}

// tcp returns the two ends of a connection over loopback.
func tcp(t *testing.T) (clientEnd, serverEnd net.Conn) {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	clientEnd, err = new(net.Dialer).DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if serverEnd, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	for _, c := range []net.Conn{clientEnd, serverEnd} {
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		t.Cleanup(func() { _ = c.Close() })
	}
	return clientEnd, serverEnd
}

// plainMessage is an unencrypted message with n bytes of content.
func plainMessage(n int) []byte {
	b := bin.Buffer{}
	b.PutLong(0)
	b.PutLong(1 << 40)
	b.PutInt(n)
	b.Put(bytes.Repeat([]byte{0xa5}, n))
	return b.Buf
}

// cipherMessage is what an encrypted message with n blocks looks like.
func cipherMessage(n int) []byte {
	b := make([]byte, 24+16*n)
	_, _ = rand.Read(b)
	b[0] |= 1
	return b
}

func TestConversation(t *testing.T) {
	sizes := [][]byte{
		plainMessage(20), plainMessage(0), cipherMessage(3), cipherMessage(30), cipherMessage(31),
		cipherMessage(40), cipherMessage(1000), cipherMessage(40_000), cipherMessage(1), cipherMessage(65_000),
	}
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			clientEnd, serverEnd := tcp(t)
			go func() {
				c := v.dial(t, clientEnd)
				for _, p := range sizes {
					c.send(t, p)
					if got, err := c.receive(); err != nil || !bytes.HasPrefix(got, p) || len(got) > len(p) {
						t.Errorf("client got %d bytes, %v; want %d", len(got), err, len(p))
						return
					}
				}
				if _, err := c.receive(); !isCode(err, 404) {
					t.Errorf("client got %v, want -404", err)
				}
				_ = c.Close()
			}()
			s, _, err := Sniff(serverEnd, testSecret)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range sizes {
				f, err := s.ReadFrame()
				if err != nil || !bytes.Equal(f.Payload, want) || f.QuickAck {
					t.Fatalf("ReadFrame = %d bytes, ack %v, %v; want %d", len(f.Payload), f.QuickAck, err, len(want))
				}
				if err := s.WriteFrame(want); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.WriteError(-404); err != nil {
				t.Fatal(err)
			}
			if _, err := s.ReadFrame(); !errors.Is(err, io.EOF) {
				t.Errorf("after the end: %v, want EOF", err)
			}
			if s.RemoteAddr().String() != clientEnd.LocalAddr().String() {
				t.Errorf("RemoteAddr = %v", s.RemoteAddr())
			}
		})
	}
}

// isCode tells whether err is the transport error -code.
func isCode(err error, code int32) bool {
	var e *codec.ProtocolErr
	return errors.As(err, &e) && e.Code == code
}

// script is a connection that delivers chunks of at most step bytes and counts
// and keeps what is written.
type script struct {
	net.Conn // nil: nothing else is called

	in     []byte
	step   int
	out    bytes.Buffer
	writes int
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.step)], s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	s.writes++
	return s.out.Write(p)
}

func (s *script) SetReadDeadline(time.Time) error { return nil }
func (s *script) RemoteAddr() net.Addr            { return &net.TCPAddr{} }

// record returns what a client sends for the given messages.
func (v variant) record(t *testing.T, messages ...[]byte) []byte {
	t.Helper()
	s := &script{}
	c := v.dial(t, s)
	for _, p := range messages {
		c.send(t, p)
	}
	return s.out.Bytes()
}

func TestAnyChunks(t *testing.T) {
	messages := [][]byte{plainMessage(20), cipherMessage(2), cipherMessage(300), cipherMessage(5000), cipherMessage(7)}
	for _, v := range variants() {
		stream := v.record(t, messages...)
		for _, step := range []int{1, 3, 63, 64, 65, 2047, 2049, 1 << 20} {
			s, _, err := Sniff(&script{in: stream, step: step}, testSecret)
			if err != nil {
				t.Fatalf("%s by %d: %v", v.name, step, err)
			}
			for i, want := range messages {
				f, err := s.ReadFrame()
				if err != nil || !bytes.Equal(f.Payload, want) {
					t.Fatalf("%s by %d: message %d: %d bytes, %v; want %d", v.name, step, i, len(f.Payload), err, len(want))
				}
			}
			if _, err := s.ReadFrame(); !errors.Is(err, io.EOF) {
				t.Fatalf("%s by %d: after the end: %v", v.name, step, err)
			}
		}
	}
}

func TestTruncated(t *testing.T) {
	for _, v := range variants() {
		stream := v.record(t, cipherMessage(40))
		for _, n := range []int{1, 2, 5, len(stream) / 2, len(stream) - 1} {
			s, _, err := Sniff(&script{in: stream[:n], step: 7}, testSecret)
			if err == nil {
				_, err = s.ReadFrame()
			}
			whole := errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)
			if whole && n != 1 || err == nil { // one byte may be a whole header
				t.Errorf("%s cut to %d: %v", v.name, n, err)
			}
		}
	}
}

func TestOneWritePerFrame(t *testing.T) {
	for _, v := range variants() {
		conn := &script{in: v.record(t, plainMessage(20)), step: 1 << 20}
		s, _, err := Sniff(conn, testSecret)
		if err != nil {
			t.Fatal(err)
		}
		for i, write := range []func() error{
			func() error { return s.WriteFrame(cipherMessage(3)) },
			func() error { return s.WriteFrame(cipherMessage(60_000)) },
			func() error { return s.WriteError(-429) },
		} {
			if err := write(); err != nil || conn.writes != i+1 {
				t.Errorf("%s: write %d: %d calls, %v", v.name, i, conn.writes, err)
			}
		}
		for _, bad := range [][]byte{nil, make([]byte, 3), make([]byte, 30), make([]byte, MaxWrite+4)} {
			if s.WriteFrame(bad) == nil {
				t.Errorf("%s: wrote a frame of %d bytes", v.name, len(bad))
			}
		}
		if conn.writes != 3 {
			t.Errorf("%s: refused frames were written", v.name)
		}
	}
}
