package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/rpc"
	"parley/internal/tg"
)

// pipes is a listener of pipes.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// openRaw opens a WebSocket to g over a pipe, of which every byte is the
// caller's. It works in a bubble; end ends all.
func openRaw(t *testing.T, g *Gateway) (client net.Conn, end func()) {
	t.Helper()
	mux := http.NewServeMux()
	g.Register(mux)
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	web := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	go func() { _ = web.Serve(l) }()
	client, server := net.Pipe()
	l.conns <- server
	token, _ := newToken(g.secret)
	_, _ = fmt.Fprintf(client, "GET /api/ws HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", token)
	answer, err := http.ReadResponse(bufio.NewReaderSize(client, 1), nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(answer, err)
	}
	_ = answer.Body.Close()
	return client, func() {
		g.Close()
		_ = web.Close()
		_ = client.Close()
	}
}

// wsFrame is a text frame, masked with zeros; more tells that others follow.
func wsFrame(text string, more bool) []byte {
	first := byte(0x81)
	if more {
		first = 0x01
	}
	return append([]byte{first, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)
}

// TestUnreadAnswers asks much over a WebSocket and reads nothing: requests
// wait for the answers before them, and then the client is cut off.
func TestUnreadAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		m := &methods{}
		m.call = func(ctx context.Context, s *rpc.Session, req tg.Object) (tg.Object, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			asked++
			return named(ctx, s, req)
		}
		client, end := openRaw(t, New(m, []byte("secret"), slog.New(slog.DiscardHandler)))
		defer end()
		go func() { // until nobody reads any more
			for range 10 * wsQueue {
				if _, err := client.Write(wsFrame(`{"method":"updates.getState"}`, false)); err != nil {
					return
				}
			}
		}()
		synctest.Wait()
		m.mu.Lock()
		if asked != wsPending {
			t.Errorf("%d requests answered for a client that does not read, want %d", asked, wsPending)
		}
		m.mu.Unlock()
		time.Sleep(wsHello + wsPing)
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.forgot != 1 {
			t.Error("the client is not cut off")
		}
	})
}

// TestUnreadBytes asks for large answers and reads nothing: the client is cut
// off before time passes.
func TestUnreadBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &methods{call: func(context.Context, *rpc.Session, tg.Object) (tg.Object, error) {
			return &tg.HelpInviteText{Message: strings.Repeat("x", 1<<20)}, nil
		}}
		g := New(m, []byte("secret"), slog.New(slog.DiscardHandler))
		client, end := openRaw(t, g)
		defer end()
		go func() {
			for range wsPending {
				if _, err := client.Write(wsFrame(`{"method":"updates.getState"}`, false)); err != nil {
					return
				}
			}
		}()
		synctest.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.forgot != 1 || g.Metrics().Dropped != 1 {
			t.Errorf("a client that leaves %d MiB unread is not cut off: %+v", wsPending, g.Metrics())
		}
		if n := g.unread.taken.Load(); n != 0 {
			t.Errorf("%d bytes are still counted", n)
		}
	})
}

// TestFewAnswersAreUnread asks while as much as may be waits for others.
func TestFewAnswersAreUnread(t *testing.T) {
	f := serve(t, func(_ context.Context, _ *rpc.Session, req tg.Object) (tg.Object, error) {
		res := &tg.HelpInviteText{Message: "small"}
		if _, large := req.(*tg.HelpGetConfigRequest); large {
			res.Message = "large" + strings.Repeat("x", smallAnswer)
		}
		return res, nil
	})
	c := f.dial(f.token)
	ask := func(method, want string) {
		t.Helper()
		if _, text := f.do("POST", "/api/"+method, "Bearer "+f.token, nil); !strings.Contains(text, want) {
			t.Errorf("%s is answered %.100s, want %s", method, text, want)
		}
		_ = f.send(c, `{"method":"`+method+`"}`)
		if text, _ := f.read(c); !strings.Contains(text, want) {
			t.Errorf("%s is answered %.100s over the WebSocket, want %s", method, text, want)
		}
	}
	f.unread.take(maxUnread)
	ask("help.getConfig", "SERVER_BUSY")
	ask("updates.getState", "small")
	f.unread.free(maxUnread)
	ask("help.getConfig", "large")
	eventually(t, func() string {
		if n := f.unread.taken.Load(); n != 0 {
			return "bytes of answers that were read are counted"
		}
		return ""
	})
}

// TestUnfinishedMessage begins a message and does not go on.
func TestUnfinishedMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &methods{call: named}
		client, end := openRaw(t, New(m, []byte("secret"), slog.New(slog.DiscardHandler)))
		defer end()
		forgot := func() int {
			synctest.Wait()
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.forgot
		}
		go func() { _, _ = io.Copy(io.Discard, client) }()
		_, _ = client.Write(wsFrame(`{"method":`, true))
		time.Sleep(bodyTime - time.Second)
		if forgot() != 0 {
			t.Error("the client is cut off too early")
		}
		time.Sleep(2 * time.Second) // sooner than it would have to answer a ping
		if forgot() != 1 {
			t.Error("the client is not cut off")
		}
	})
}

// TestFewAreLarge sends large requests while as many as may be come in.
func TestFewAreLarge(t *testing.T) {
	f := serve(t, named)
	large := `{"method":"updates.getState","params":{}` + strings.Repeat(" ", maxBody/2) + `}`
	for range maxLarge {
		f.large <- struct{}{}
	}
	c := f.dial(f.token)
	_ = f.send(c, `{"method":"updates.getState"}`)
	if got, _ := f.read(c); !strings.Contains(got, "result") {
		t.Errorf("a small request is answered %s", got)
	}
	_ = f.send(c, large)
	if got, code := f.read(c); code == 0 {
		t.Errorf("a large request is answered %s", got)
	}
	body := strings.Repeat(" ", maxBody/2)
	if status, text := f.do("POST", "/api/updates.getState", "Bearer "+f.token, strings.NewReader(body)); status != 503 {
		t.Errorf("a large request is answered %d %s", status, text)
	}
	<-f.large
	c = f.dial(f.token)
	_ = f.send(c, large)
	if got, _ := f.read(c); !strings.Contains(got, "result") {
		t.Errorf("a large request is answered %s", got)
	}
	if status, text := f.do("POST", "/api/updates.getState", "Bearer "+f.token, strings.NewReader(body)); status != 200 {
		t.Errorf("a large request is answered %d %s", status, text)
	}
}

// TestFewAreDecoded asks while as many as may be are being decoded.
func TestFewAreDecoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(&methods{call: named}, []byte("secret"), slog.New(slog.DiscardHandler))
		token, _ := newToken(g.secret)
		for range maxDecoding {
			g.decoding <- struct{}{}
		}
		status := 0
		go func() { status, _ = response(g, http.MethodPost, "/api/updates.getState", token, "{}") }()
		synctest.Wait()
		if status != 0 {
			t.Errorf("answered %d, while %d others are decoded", status, maxDecoding)
		}
		<-g.decoding
		synctest.Wait()
		if status != http.StatusOK {
			t.Errorf("answered %d", status)
		}
		g.Close()
	})
}
