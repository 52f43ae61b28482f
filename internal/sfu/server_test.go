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
	if got, err := candidates(netip.MustParseAddrPort("0.0.0.0:5"), []netip.Addr{six}); !errors.Is(err, errNoCandidate) {
		t.Errorf("nobody can connect: %v, %v", got, err)
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

// TestContextEnds stops a server by its context alone, and by both: once it is
// closed, its port is free.
func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := Start(ctx, Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-s.down
	for range 100 {
		ctx, cancel = context.WithCancel(t.Context())
		if s, err = Start(ctx, Config{Listen: s.Addr().String()}); err != nil {
			t.Fatal(err)
		}
		cancel()
		s.Close()
	}
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

// TestSpentSources: an SSRC that a receiver can't remember any more, for so many
// have gone, does not come back, neither anew nor of whom waits for it.
func TestSpentSources(t *testing.T) {
	b := newBench(t, 1, 1)
	listener, again := b.order[1], &conn{connKey: connKey{1, 7}, room: b.rooms[1], ufrag: "again", place: -1, streams: []stream{{ssrc: 1}}}
	for i := range uint32(maxRetired) {
		listener.retire(1000+i, 0)
	}
	b.add(again, true)
	b.take(0, b.packet(t, 0, 1, 20))
	b.forward()
	if b.remove(b.senders[0]); listener.retired[1] != 0 || !again.audio.waits {
		t.Errorf("remembers %d; the one that waited is heard", listener.retired[1])
	}
	b.remove(again)
	for ssrc, want := range map[int32]error{1: errTaken, 5000: nil} {
		j := calls.MediaJoin{Call: 1, Conn: 10 + int64(ssrc), Payload: colibri.Join{SSRC: ssrc, HasSSRC: true}}
		c, _, err := newConn(j)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.join(c, j); !errors.Is(err, want) {
			t.Errorf("%d: %v", ssrc, err)
		}
	}
	v, room := &video{ssrc: 6000, repair: 6001}, b.rooms[1]
	room.videos = []*video{v}
	for _, ssrc := range []uint32{6001, 6000} {
		if room.spend(ssrc); v.repair != 0 || v.waits != (ssrc == v.ssrc) {
			t.Errorf("%d is spent; %+v", ssrc, v)
		}
	}
}

// TestServersOwnSource keeps the SSRCs of the server's padding and those of the
// room apart: both are sealed with one key and numbers of their own.
func TestServersOwnSource(t *testing.T) {
	b := newBench(t, 1, 0)
	r := b.rooms[1]
	r.note(b.senders[0], -1)
	b.senders[0].ssrc = 5000
	r.note(b.senders[0], 1)
	for _, tt := range []struct {
		announced int32
		own       uint32
		err       error
	}{{5000, 7, errTaken}, {6000, 1, nil}, {7000, 7000, nil}} {
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
	for _, c := range slices.Clone(b.order) {
		b.remove(c)
	}
	if len(r.announced)+len(r.own) > 0 {
		t.Errorf("%v and %v are left", r.announced, r.own)
	}
}
