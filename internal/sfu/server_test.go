package sfu

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"parley/internal/calls"
	"parley/internal/colibri"
)

func TestCandidates(t *testing.T) {
	six, four := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("203.0.113.1")
	for name, tt := range map[string]struct {
		bound  string
		public []netip.Addr
		want   []string
	}{
		"own address":       {"127.0.0.1:5", nil, []string{"127.0.0.1:5"}},
		"public addresses":  {"[::]:5", []netip.Addr{six, four}, []string{"[2001:db8::1]:5", "203.0.113.1:5"}},
		"socket is IPv4":    {"0.0.0.0:5", []netip.Addr{six, four}, []string{"203.0.113.1:5"}},
		"mapped is IPv4":    {"0.0.0.0:5", []netip.Addr{netip.MustParseAddr("::ffff:203.0.113.1")}, []string{"203.0.113.1:5"}},
		"public before own": {"127.0.0.1:5", []netip.Addr{four}, []string{"203.0.113.1:5"}},
	} {
		got, err := candidates(netip.MustParseAddrPort(tt.bound), tt.public)
		var want []netip.AddrPort
		for _, w := range tt.want {
			want = append(want, netip.MustParseAddrPort(w))
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, want)
		}
	}
	if got, err := candidates(netip.MustParseAddrPort("[::]:5"), nil); err != nil || len(got) == 0 {
		t.Errorf("machine's own: %v, %v", got, err)
	}
}

func TestStartRefuses(t *testing.T) {
	s, _ := start(t)
	for _, listen := range []string{s.Addr().String(), "nowhere", "203.0.113.1:0"} {
		if other, err := Start(t.Context(), Config{Listen: listen}); err == nil {
			other.Close()
			t.Errorf("started on %q", listen)
		}
	}
}

// TestContextEnds stops a server by its context alone.
func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := Start(ctx, Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	s.wait()
	s.Close()
	s.Gate(1, 1, true, true) // nothing happens
	s.Leave(1, 1)
	s.End(1)
}

func TestJoinTwice(t *testing.T) {
	s, _ := start(t)
	c := join(t, s, options{conn: 101, ssrc: 10})
	c.conn = 1
	if _, err := s.Join(t.Context(), joinOf(c)); err == nil {
		t.Error("the same connection joined twice")
	}
	if m := s.Metrics(); m.Joins != 1 || m.Conns != 1 || m.Rooms != 1 {
		t.Errorf("metrics %+v", m)
	}
}

// TestServersOwnSource keeps the SSRCs of the server's padding and those of the
// room apart: both are sealed with one key and numbers of their own.
func TestServersOwnSource(t *testing.T) {
	b := newBench(t, 1, 0)
	b.senders[0].ssrc = 5000
	for _, tt := range []struct {
		announced int32
		own       uint32
		err       error
	}{{5000, 7, errOwn}, {6000, 1, nil}, {7000, 7000, nil}} {
		j := calls.MediaJoin{Call: 1, Conn: int64(tt.announced), Payload: colibri.Join{SSRC: tt.announced, HasSSRC: true}}
		c, _, err := newConn(j)
		if err != nil {
			t.Fatal(err)
		}
		c.ssrc = tt.own
		if err := b.join(c, j); !errors.Is(err, tt.err) {
			t.Errorf("%d: %v", tt.announced, err)
		}
		if tt.err == nil && (c.ssrc == tt.own || c.stream(c.ssrc) != nil) {
			t.Errorf("%d: the server sends %d, too", tt.announced, c.ssrc)
		}
	}
}
