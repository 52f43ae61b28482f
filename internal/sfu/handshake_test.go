package sfu

import (
	"errors"
	"io"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"testing"
)

// TestLastFlightIsRepeated: a client that lost the end of the handshake gets it
// again, though the server is done with it.
func TestLastFlightIsRepeated(t *testing.T) {
	s, _ := start(t)
	b := connect(t, s, options{conn: 2, ssrc: 20})
	a := join(t, s, options{conn: 1, ssrc: 10, setup: "active"})
	var lost atomic.Int32
	a.lose = func(p []byte) bool { return p[0] == contentCipherSpec && lost.Add(1) <= 2 }
	if err := a.handshake(options{setup: "active"}); err != nil {
		t.Fatal(err)
	}
	if n := lost.Load(); n < 3 {
		t.Errorf("the last flight came %d times", n)
	}
	ready(t, s, 2)
	a.say("there")
	b.hears(10, "there")
	_ = a.dtls.Close()
	eventually(t, func() (complaint string) {
		_ = home(s).do(t.Context(), func() {
			if home(s).conns[connKey{1, 1}].parted == 0 {
				complaint = "its goodbye is not heard"
			}
		})
		return complaint
	})
}

// TestGoodbye: clients hear of the end of their connection.
func TestGoodbye(t *testing.T) {
	s, _ := start(t)
	for i, end := range []func(){func() { s.Leave(1, 1) }, func() { s.End(1) }, s.Close} {
		setup := []string{"passive", "active"}[i%2]
		c := connect(t, s, options{conn: int64(i + 1), ssrc: uint32(i+1) * 10, setup: setup})
		ready(t, s, 1)
		end()
		if _, err := c.dtls.Read(make([]byte, 100)); !errors.Is(err, io.EOF) {
			t.Errorf("%d: read %v", i, err)
		}
	}
}

// TestIdleConnections: one that is connected has no goroutine, and nothing of
// what its handshake needed.
func TestIdleConnections(t *testing.T) {
	s, _ := start(t)
	for i := range 4 {
		connect(t, s, options{conn: int64(i + 1), ssrc: uint32(i+1) * 10, setup: []string{"passive", "active"}[i%2]})
	}
	ready(t, s, 4)
	eventually(t, func() string {
		var all strings.Builder
		_ = pprof.Lookup("goroutine").WriteTo(&all, 1)
		if strings.Contains(all.String(), "sfu.(*shard).serve") || strings.Contains(all.String(), "sfu.packetConn") {
			return "goroutines are left: " + all.String()
		}
		return ""
	})
}
