package e2e

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"parley/e2e/harness"
	"parley/e2e/harness/scenario"
)

// TestGarbage checks that noise on either port, and peers that say nothing,
// cost nobody else anything.
func TestGarbage(t *testing.T) {
	s := harness.Start(t)
	before := s.Usage(t)
	var silent []net.Conn
	for range 50 {
		silent = append(silent, connect(t, "tcp", s.TCP))
	}
	for i := range 100 {
		noise(t, s, 1+i*37)
	}
	c := dialer()(t, s, scenario.Who{Name: "Somebody", Phone: harness.NewPhone()})
	if _, err := c.CreateSupergroup(t.Context(), "Quiet"); err != nil {
		t.Error("create a supergroup amid the noise:", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for _, conn := range silent {
		_ = conn.Close()
	}
	s.Settled(t, harness.Usage{Goroutines: before.Goroutines + 10, Files: before.Files + 20})
}

// noise sends n random bytes over TCP, after each of the tags that transports
// begin with, and waits for the server to hang up; and one datagram.
func noise(t *testing.T, s *harness.Server, n int) {
	t.Helper()
	tags := [][]byte{{}, {0xef}, {0xee, 0xee, 0xee, 0xee}, {0xdd, 0xdd, 0xdd, 0xdd}, []byte("POST /api HTTP/1.1\r\n")}
	data := append(tags[n%len(tags)], random(n)...)
	tcp := connect(t, "tcp", s.TCP)
	defer tcp.Close()
	if _, err := tcp.Write(data); err == nil {
		if half, ok := tcp.(*net.TCPConn); ok {
			_ = half.CloseWrite()
		}
		_ = tcp.SetReadDeadline(time.Now().Add(harness.Patience))
		if _, err := io.Copy(io.Discard, bufio.NewReader(tcp)); isTimeout(err) {
			t.Errorf("the server keeps a connection of %d bytes of noise", n)
		}
	}
	udp := connect(t, "udp", s.Media)
	defer udp.Close()
	_, _ = udp.Write(random(n % 1400))
}

// random returns n random bytes.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// isTimeout tells whether an error is a deadline that passed.
func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// connect opens a connection.
func connect(t *testing.T, network, addr string) net.Conn {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), harness.Patience)
	defer stop()
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		t.Fatal("connect:", err)
	}
	return conn
}
