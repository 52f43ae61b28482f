package transport

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotd/td/proto/codec"
)

func TestSniffHTTP(t *testing.T) {
	for _, method := range []string{"GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"} {
		clientEnd, serverEnd := tcp(t)
		request := method + " /api HTTP/1.1\r\nHost: parley.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
		go func() { _, _ = io.WriteString(clientEnd, request) }()

		framed, conn, err := Sniff(serverEnd, testSecret)
		if err != nil || framed != nil {
			t.Fatalf("%s: %v, %v", method, framed, err)
		}
		got := make(chan string, 1)
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got <- r.Method + " " + r.URL.Path
		})}
		ln := &oneListener{conn: conn, closed: make(chan struct{})}
		go func() { _ = srv.Serve(ln) }()
		if _, err := io.ReadAll(clientEnd); err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		if s := <-got; s != method+" /api" {
			t.Errorf("served %q, want %s /api", s, method)
		}
		_ = srv.Close()
	}
}

// TestHTTPClientThatDoesNotRead answers a request without end.
func TestHTTPClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		go func() { _, _ = io.WriteString(client, "GET / HTTP/1.1\r\n\r\n") }()
		_, conn, err := Sniff(server, nil)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		go func() { _, _ = io.CopyN(io.Discard, client, 5) }()
		for range 5 {
			time.Sleep(WriteTimeout / 2) // each write has its own time
			if _, err := conn.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		n, err := conn.Write([]byte("y"))
		if took := time.Since(began); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || took != 5*WriteTimeout/2+WriteTimeout {
			t.Errorf("after %v: %d, %v", took, n, err)
		}
	})
}

// oneListener accepts one connection.
type oneListener struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneListener) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneListener) Close() error   { close(l.closed); return nil }
func (l *oneListener) Addr() net.Addr { return &net.TCPAddr{} }

func TestSniffRefuses(t *testing.T) {
	random := make([]byte, 64)
	_, _ = rand.Read(random)
	random[0], random[4] = 1, 1
	wrong := variant{codec: func() codec.Codec { return codec.Intermediate{} }, obfuscate: true, secret: []byte("fedcba9876543210")}
	right := wrong
	right.secret = testSecret
	for _, tt := range []struct {
		name   string
		in     []byte
		secret []byte
		want   error
	}{
		{"nothing", nil, nil, io.EOF},
		{"part of a tag", []byte{0xee, 0xee}, nil, io.ErrUnexpectedEOF},
		{"part of a header", random[:40], nil, io.ErrUnexpectedEOF},
		{"garbage", random, testSecret, ErrUnknown},
		{"wrong secret", wrong.record(t, plainMessage(20)), testSecret, ErrUnknown},
		{"no secret here", wrong.record(t, plainMessage(20)), nil, ErrUnknown},
		{"text", []byte("EHLO client.example\r\n" + strings.Repeat("MAIL FROM:<a@b.example>\r\n", 4)), nil, ErrUnknown},
		{"handshake of TLS", append([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}, random...), nil, ErrUnknown},
	} {
		if _, _, err := Sniff(&script{in: tt.in, step: 9}, tt.secret); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, _, err := Sniff(&script{in: right.record(t), step: 9}, testSecret[:15]); err == nil {
		t.Error("used a secret of 15 bytes")
	}
}

func TestPaddingSecret(t *testing.T) {
	v := variant{codec: func() codec.Codec { return codec.PaddedIntermediate{} }, obfuscate: true, secret: testSecret}
	want := plainMessage(40)
	s, _, err := Sniff(&script{in: v.record(t, want), step: 9}, append([]byte{0xdd}, testSecret...))
	if err != nil {
		t.Fatal(err)
	}
	if f, err := s.ReadFrame(); err != nil || !bytes.Equal(f.Payload, want) {
		t.Errorf("%d bytes, %v", len(f.Payload), err)
	}
}

// A client that sends nothing, or a byte now and then, is given up in time.
func TestSlowClients(t *testing.T) {
	for name, every := range map[string]time.Duration{"silent": time.Hour, "dripping": time.Second} {
		synctest.Test(t, func(t *testing.T) {
			clientEnd, serverEnd := net.Pipe()
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					time.Sleep(every)
					if _, err := clientEnd.Write([]byte{1}); err != nil {
						return
					}
				}
			}()
			start := time.Now()
			_, _, err := Sniff(serverEnd, nil)
			if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != SniffTimeout {
				t.Errorf("%s: %v after %v", name, err, time.Since(start))
			}
			_ = serverEnd.Close()
			<-done
		})
	}
}

// The deadline of the sniffing does not reach into the conversation.
func TestPatientAfterSniff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clientEnd, serverEnd := net.Pipe()
		want := cipherMessage(1)
		go func() {
			_, _ = clientEnd.Write([]byte{0xee, 0xee, 0xee, 0xee})
			time.Sleep(time.Hour)
			_, _ = clientEnd.Write(intermediate{}.frame(nil, want))
		}()
		s, _, err := Sniff(serverEnd, nil)
		if err != nil {
			t.Fatal(err)
		}
		if f, err := s.ReadFrame(); err != nil || !bytes.Equal(f.Payload, want) {
			t.Errorf("%d bytes, %v", len(f.Payload), err)
		}
		if err := s.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ReadFrame(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v, want a passed deadline", err)
		}
	})
}
