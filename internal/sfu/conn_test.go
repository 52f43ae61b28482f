package sfu

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"parley/internal/media/record"
	"parley/internal/media/sctp"
	"parley/internal/media/srtp"
	"parley/internal/media/udp"
)

// TestCopiedChecks: a copy of a check leads a client's media away neither while
// its own checks may only be late, nor once it nominated its address again.
func TestCopiedChecks(t *testing.T) {
	b := newBench(t, 1, 1)
	b.draining = true // no handshake
	c := b.senders[0]
	home, stranger := c.addr, udp.Peer{AddrPort: netip.MustParseAddrPort("10.9.9.9:1")}
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(c.ufrag+":x"),
		stun.RawAttribute{Type: stun.AttrICEControlling, Value: make([]byte, 8)}, stun.RawAttribute{Type: stun.AttrUseCandidate},
		stun.NewShortTermIntegrity("x"), stun.Fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	check := func(from udp.Peer) {
		b.slot.N, b.slot.From = copy(b.slot.Slot[:], m.Raw), from
		b.receive(&b.slot)
	}
	b.now = time.Minute
	check(home)
	b.now += 3 * time.Second
	if check(stranger); c.addr != home {
		t.Error("3 s of silence are enough")
	}
	check(home)
	if b.follow(c, stranger); c.addr != home {
		t.Error("what was chosen before the client chose anew still counts")
	}
	b.now += 3 * time.Second
	if b.follow(c, stranger); c.addr != stranger {
		t.Error("a packet of the client's own is not followed")
	}
	b.now += 7 * time.Second
	if check(home); c.addr != home {
		t.Error("a client that was silent for long does not come back by a check")
	}
}

// TestCheckedBothWays: the first flight goes to wherever a client that can't
// nominate checked last, for on one of its ways no answer may come through.
func TestCheckedBothWays(t *testing.T) {
	for _, role := range []stun.AttrType{stun.AttrICEControlled, stun.AttrICEControlling} {
		b := newBench(t, 1, 0)
		b.draining = true // no handshake
		c := b.senders[0]
		c.in, c.addr = nil, udp.Peer{}
		m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(c.ufrag+":x"),
			stun.RawAttribute{Type: role, Value: make([]byte, 8)}, stun.NewShortTermIntegrity("x"), stun.Fingerprint)
		if err != nil {
			t.Fatal(err)
		}
		ways := [2]udp.Peer{{AddrPort: netip.MustParseAddrPort("[2001:db8::1]:1")}, {AddrPort: netip.MustParseAddrPort("192.0.2.1:1")}}
		for i := range 6 {
			b.now += 50 * time.Millisecond
			b.slot.N, b.slot.From = copy(b.slot.Slot[:], m.Raw), ways[i%2]
			b.receive(&b.slot)
			if want := ways[i%2]; role == stun.AttrICEControlled && c.addr != want || role == stun.AttrICEControlling && c.addr != ways[0] {
				t.Errorf("%v: after check %d at %v", role, i, c.addr)
			}
		}
	}
}

// TestQuietAddress: where a client does no more than check, which libwebrtc does
// every 2.5 s, nobody else takes its address.
func TestQuietAddress(t *testing.T) {
	b := newBench(t, 1, 1)
	c, other := b.order[0], b.order[1]
	home := c.addr
	for _, tt := range []struct {
		silence time.Duration
		taken   bool
	}{{2400 * time.Millisecond, false}, {5 * time.Second, false}, {7 * time.Second, true}} {
		b.now += time.Minute
		c.addrSeen = b.now
		b.now += tt.silence
		if taken := b.claim(other, home); taken != tt.taken || (b.byAddr[home] == other) != tt.taken {
			t.Errorf("after %v: taken %v", tt.silence, taken)
		}
	}
}

// TestListenerSize counts what a listener with a data channel takes: it does
// not grow with the room, for those who never speak have no subscriptions.
func TestListenerSize(t *testing.T) {
	const listeners, most = 400, 10 << 10
	b := newBench(t, 1, 0)
	material := make([]byte, srtp.GCM128.Material())
	before := used()
	for i := range int64(listeners) {
		c := b.conn(t, 1+i, material)
		layer, err := record.New(new(record.Secrets), true)
		if err != nil {
			t.Fatal(err)
		}
		s := &session{shard: b.shard, conn: c, layer: layer}
		s.association = sctp.New(s, func([]byte) {})
		c.session = s
	}
	for i := range uint16(10) {
		b.take(0, b.packet(t, 0, i, 20))
		b.forward()
	}
	after := used()
	if bytes := (after.bytes - before.bytes) / listeners; bytes > most {
		t.Errorf("a listener takes %d bytes, want at most %d", bytes, most)
	} else {
		t.Logf("a listener takes %d bytes in %d objects", bytes, (after.objects-before.objects)/listeners)
	}
	if after.goroutines > before.goroutines {
		t.Errorf("%d goroutines, %d before", after.goroutines, before.goroutines)
	}
	for _, c := range b.order[1:] {
		if len(c.subs) != 1 {
			t.Fatalf("%d subscriptions to one voice", len(c.subs))
		}
	}
	runtime.KeepAlive(b)
}

// TestParted: who said goodbye gets and sends nothing any more, but keeps its
// place for a while: it may join anew.
func TestParted(t *testing.T) {
	b := newBench(t, 2, 0)
	b.film(t, 100)
	c := b.senders[0]
	b.now = time.Minute
	for _, o := range b.order {
		o.seen = b.now
	}
	b.part(c)
	if len(b.rooms[1].receivers) != 1 || b.conns[c.connKey] != c {
		t.Error("it still gets something, or lost its place")
	}
	before := b.count.Forwarded
	b.take(0, b.packet(t, 0, 1, 20))
	if b.forward(); b.count.Forwarded != before || b.count.Drops.Early != 1 {
		t.Errorf("%d packets of it forwarded", b.count.Forwarded-before)
	}
	b.take(1, b.packet(t, 1, 1, 20))
	if b.forward(); b.count.Forwarded != before {
		t.Errorf("%d packets forwarded to it", b.count.Forwarded-before)
	}
	b.now += farewellFor - 1
	b.part(c)
	if b.everySecond(c); c.removed {
		t.Error("it is gone already")
	}
	b.now++
	if b.everySecond(c); !c.removed || b.count.Gone != 1 {
		t.Error("it is still there")
	}
}
