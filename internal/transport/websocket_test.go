package transport

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gotd/td/mtproxy"
	"github.com/gotd/td/mtproxy/obfuscated2"
	"github.com/gotd/td/proto/codec"
)

// serveWebSocket accepts WebSockets as the server does and hands each to serve.
func serveWebSocket(t *testing.T, serve func(c *websocket.Conn, remote net.Addr)) *websocket.Conn {
	t.Helper()
	done := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"binary"}})
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = c.CloseNow() }()
		remote, err := net.ResolveTCPAddr("tcp", r.RemoteAddr)
		if err != nil {
			t.Error(err)
			return
		}
		serve(c, remote)
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { <-done })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	c, _, err := websocket.Dial(ctx, srv.URL, &websocket.DialOptions{Subprotocols: []string{"binary"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// echo sends every frame back until the client goes.
func echo(t *testing.T) func(*websocket.Conn, net.Addr) {
	t.Helper()
	return func(c *websocket.Conn, remote net.Addr) {
		s, err := WebSocket(context.Background(), c, remote)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = s.Close() }()
		if s.RemoteAddr() != remote {
			t.Errorf("RemoteAddr = %v", s.RemoteAddr())
		}
		for {
			f, err := s.ReadFrame()
			if err != nil {
				return
			}
			if err := s.WriteFrame(f.Payload); err != nil {
				t.Error(err)
				return
			}
		}
	}
}

func TestWebSocket(t *testing.T) {
	for _, v := range variants() {
		if !v.obfuscate || v.secret != nil {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			ws := serveWebSocket(t, echo(t))
			c := v.dial(t, websocket.NetConn(t.Context(), ws, websocket.MessageBinary))
			for _, want := range [][]byte{plainMessage(20), cipherMessage(3), cipherMessage(20_000)} {
				c.send(t, want)
				if got, err := c.receive(); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("got %d bytes, %v; want %d", len(got), err, len(want))
				}
			}
		})
	}
}

// Messages of a WebSocket are cut anywhere: they may share or split frames.
func TestWebSocketMessages(t *testing.T) {
	v := variant{codec: func() codec.Codec { return codec.Abridged{} }, obfuscate: true}
	first, second := cipherMessage(2), cipherMessage(3)
	var sent bytes.Buffer
	pipe := struct {
		io.Reader
		io.Writer
	}{nil, &sent}
	o := obfuscated2.NewObfuscated2(rand.Reader, pipe)
	if err := o.Handshake(codec.Abridged{}.ObfuscatedTag(), 2, mtproxy.Secret{}); err != nil {
		t.Fatal(err)
	}
	c := &client{codec: v.codec(), rw: o}
	c.send(t, first)
	c.send(t, second)

	for _, cuts := range [][]int{{}, {1}, {64}, {70, 100}, {30, 64, 65, 120}} {
		got := make(chan []byte, 2)
		ws := serveWebSocket(t, func(c *websocket.Conn, remote net.Addr) {
			defer close(got)
			s, err := WebSocket(context.Background(), c, remote)
			if err != nil {
				t.Error(err)
				return
			}
			for range 2 {
				f, err := s.ReadFrame()
				if err != nil {
					t.Error(err)
					return
				}
				got <- bytes.Clone(f.Payload)
			}
		})
		from := 0
		for _, to := range append(cuts, sent.Len()) {
			if err := ws.Write(t.Context(), websocket.MessageBinary, sent.Bytes()[from:to]); err != nil {
				t.Fatal(err)
			}
			from = to
		}
		if a, b := <-got, <-got; !bytes.Equal(a, first) || !bytes.Equal(b, second) {
			t.Errorf("cut at %v: got %d and %d bytes", cuts, len(a), len(b))
		}
	}
}

func TestWebSocketFrameIsMessage(t *testing.T) {
	v := variant{codec: func() codec.Codec { return codec.Intermediate{} }, obfuscate: true}
	ws := serveWebSocket(t, echo(t))
	c := v.dial(t, websocket.NetConn(t.Context(), ws, websocket.MessageBinary))
	for _, want := range [][]byte{cipherMessage(1), cipherMessage(9)} {
		c.send(t, want)
		_, got, err := ws.Read(t.Context())
		if err != nil || len(got) != 4+len(want) {
			t.Errorf("message of %d bytes, %v; want %d", len(got), err, 4+len(want))
		}
	}
}

func TestWebSocketRefuses(t *testing.T) {
	random := make([]byte, 64)
	_, _ = rand.Read(random)
	for _, tt := range []struct {
		name string
		kind websocket.MessageType
		in   []byte
		want error
	}{
		{"garbage", websocket.MessageBinary, random, ErrUnknown},
		{"text", websocket.MessageText, bytes.Repeat([]byte("a"), 64), nil},
		{"large", websocket.MessageBinary, make([]byte, MaxWrite+1), nil},
	} {
		result := make(chan error, 1)
		ws := serveWebSocket(t, func(c *websocket.Conn, remote net.Addr) {
			s, err := WebSocket(context.Background(), c, remote)
			if err == nil {
				_, err = s.ReadFrame()
			}
			result <- err
		})
		_ = ws.Write(t.Context(), tt.kind, tt.in)
		if err := <-result; err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestWebSocketEndsWithContext(t *testing.T) {
	result := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ws := serveWebSocket(t, func(c *websocket.Conn, remote net.Addr) {
		s, err := WebSocket(ctx, c, remote)
		if err == nil {
			cancel()
			_, err = s.ReadFrame()
		}
		result <- err
	})
	v := variant{codec: func() codec.Codec { return codec.Intermediate{} }, obfuscate: true}
	v.dial(t, websocket.NetConn(t.Context(), ws, websocket.MessageBinary))
	if err := <-result; err == nil {
		t.Error("read on")
	}
}

// The whole way of a browser: one port, sniffed, upgraded, unwrapped.
func TestWebSocketAfterSniff(t *testing.T) {
	clientEnd, serverEnd := tcp(t)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		echo(t)(c, clientEnd.LocalAddr())
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_, conn, err := Sniff(serverEnd, testSecret)
		if err != nil || conn == nil {
			t.Errorf("sniffed %v, %v", conn, err)
			return
		}
		_ = srv.Serve(&oneListener{conn: conn, closed: make(chan struct{})})
	}()
	dial := &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return clientEnd, nil },
	}}
	ws, _, err := websocket.Dial(t.Context(), "ws://parley.example/apiws", &websocket.DialOptions{HTTPClient: dial})
	if err != nil {
		t.Fatal(err)
	}
	v := variant{codec: func() codec.Codec { return codec.PaddedIntermediate{} }, obfuscate: true}
	c := v.dial(t, websocket.NetConn(t.Context(), ws, websocket.MessageBinary))
	want := cipherMessage(3)
	c.send(t, want)
	if got, err := c.receive(); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	_ = ws.CloseNow()
	_ = srv.Close()
	<-served
}
