package mtproto

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"testing"
)

// TestNothingIsLeft serves clients of every kind, in the middle of something,
// and closes.
func TestNothingIsLeft(t *testing.T) {
	http.DefaultClient.CloseIdleConnections()
	before := runtime.NumGoroutine()
	h := newRecorder()
	f, url := startHTTP(t, h.handler())
	defer h.hold(1)() // ends with the server's context
	var clients []*client
	for range 5 {
		c := f.dial(t)
		c.greet()
		c.call(query(1))
		dialTCP(t, f.addr)
		clients = append(clients, c, c.fork())
	}
	polled := make(chan struct{})
	go func() {
		defer close(polled)
		c := clients[0]
		frame := sealClient(c.key, plaintext(c.salt, 99, at(0), 0, httpWait(0, 0, 25000)))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(frame))
		if err != nil {
			t.Error(err)
			return
		}
		if resp, err := http.DefaultClient.Do(r); err == nil { // it may be cut off
			_ = resp.Body.Close()
		}
	}()
	eventually(t, func() string {
		if n := h.count(1); n != 5 {
			return fmt.Sprintf("%d requests run", n)
		}
		return ""
	})
	sessions := h.session(clients[0].key.IntID())
	f.stop()
	if !h.forgets(sessions) {
		t.Error("a session is not forgotten")
	}
	m := f.Metrics()
	if m.Conns != 0 || m.Sessions != 0 || m.Keys != 0 || m.Queued != 0 {
		t.Errorf("left: %+v", m)
	}
	<-polled
	http.DefaultClient.CloseIdleConnections()
	eventually(t, func() string {
		if n := runtime.NumGoroutine(); n > before {
			buf := make([]byte, 1<<16)
			return fmt.Sprintf("%d goroutines, %d before\n%s", n, before, buf[:runtime.Stack(buf, true)])
		}
		return ""
	})
	sessions.Push(update(1)) // harmless
	f.DropKey(clients[0].key.IntID())
}
