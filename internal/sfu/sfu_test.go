package sfu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/datachannel"
	"github.com/pion/dtls/v3"
	"github.com/pion/logging"
	"github.com/pion/rtp"
	"github.com/pion/sctp"
	"github.com/pion/stun/v3"
)

// TestForward sends sound both ways, for every profile, both DTLS roles, both
// kinds of socket, and with another shard in between.
func TestForward(t *testing.T) {
	profiles := map[string]dtls.SRTPProtectionProfile{
		"gcm128": dtls.SRTP_AEAD_AES_128_GCM, "gcm256": dtls.SRTP_AEAD_AES_256_GCM, "cmsha1": dtls.SRTP_AES128_CM_HMAC_SHA1_80,
	}
	for name, profile := range profiles {
		for _, setup := range []string{"passive", "active"} {
			for kind, edit := range map[string]func(*Config){
				"alone":    func(c *Config) { c.Shards = 1 },
				"handed":   func(c *Config) { c.Shards = 2 },
				"portable": func(c *Config) { c.Shards, c.Portable = 2, true },
			} {
				t.Run(fmt.Sprintf("%s/%s/%s", name, setup, kind), func(t *testing.T) {
					t.Parallel()
					s, e := start(t, edit)
					a := connect(t, s, options{conn: 1, ssrc: 0x80000010, setup: setup, profiles: []dtls.SRTPProtectionProfile{profile}})
					b := connect(t, s, options{conn: 2, ssrc: 0x20, setup: setup, profiles: []dtls.SRTPProtectionProfile{profile}, controlled: name == "gcm128"})
					ready(t, s, 2)
					a.say("from a")
					b.say("from b")
					p := b.hears(a.ssrc, "from a")
					if p.PayloadType != 111 || p.SequenceNumber != 1000 || p.Timestamp != 960000 {
						t.Errorf("packet %v", p)
					}
					if level := p.GetExtension(1); len(level) != 1 || level[0] != 0x80|20 {
						t.Errorf("level %x", level)
					}
					if number, at := p.GetExtension(3), p.GetExtension(2); len(number) != 2 || number[0] != 0 || number[1] != 0 || len(at) != 3 {
						t.Errorf("transport number %x, sent at %x", number, at)
					}
					a.hears(b.ssrc, "from b")
					wait(t, e.spoke, a.conn)
					if len(a.rtp) > 0 {
						t.Error("a hears itself")
					}
				})
			}
		}
	}
}

// TestPreference proves that 128 bits are taken when a client leaves the choice,
// and that a native engine, which makes it, has no other.
func TestPreference(t *testing.T) {
	s, _ := start(t)
	all := []dtls.SRTPProtectionProfile{dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AEAD_AES_128_GCM}
	for i, o := range []options{{setup: "active"}, {controlled: true}} {
		o.conn, o.ssrc, o.profiles = int64(i+1), uint32(i+1)*10, all
		c := connect(t, s, o)
		if got, _ := c.dtls.SelectedSRTPProtectionProfile(); got != dtls.SRTP_AEAD_AES_128_GCM {
			t.Errorf("client %d: profile %v", i, got)
		}
	}
}

func TestIPv6(t *testing.T) {
	s, err := Start(t.Context(), Config{Listen: "[::1]:0"})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(s.Close)
	a := connect(t, s, options{conn: 1, ssrc: 10})
	b := connect(t, s, options{conn: 2, ssrc: 20})
	ready(t, s, 2)
	a.say("six")
	b.hears(a.ssrc, "six")
}

// TestSecondAddress serves on an address that the kernel would not answer from.
func TestSecondAddress(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("the kernel chooses here")
	}
	s, _ := start(t, func(cfg *Config) {
		cfg.Listen, cfg.PublicIPs = ":0", []netip.Addr{netip.MustParseAddr("127.0.0.2")}
	})
	a := connect(t, s, options{conn: 1, ssrc: 10})
	b := connect(t, s, options{conn: 2, ssrc: 20})
	ready(t, s, 2)
	a.say("second")
	b.hears(a.ssrc, "second")
}

// TestSplitHello lets the client's first message come in pieces, as browsers
// with large key shares send it.
func TestSplitHello(t *testing.T) {
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 10, setup: "active", mtu: 90})
	b := connect(t, s, options{conn: 2, ssrc: 20})
	ready(t, s, 2)
	a.say("hello")
	b.hears(a.ssrc, "hello")
}

// TestMute proves that the gate holds on the packets, and that what it kept
// back leaves no gap.
func TestMute(t *testing.T) {
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 10, muted: true})
	b := connect(t, s, options{conn: 2, ssrc: 20})
	ready(t, s, 2)
	a.say("muted from the start")
	b.say("marker")
	a.hears(20, "marker")
	dropped := func(want uint64) {
		t.Helper()
		eventually(t, func() string {
			if got := uint64(total(s, func(sh *shard) int { return int(sh.count.Drops.Muted) })); got != want {
				return fmt.Sprintf("%d packets dropped, want %d", got, want)
			}
			return ""
		})
	}
	dropped(1)
	s.Gate(1, 1, true, false)
	ready(t, s, 2) // the gate's order came before
	a.say("one")
	first := b.hears(10, "one")
	s.Gate(1, 1, false, false)
	ready(t, s, 2)
	for range 50 {
		a.say("unheard")
	}
	dropped(51)
	s.Gate(1, 1, true, false)
	ready(t, s, 2)
	a.say("two")
	second := b.hears(10, "two")
	a.seq += 3 // lost on the way
	a.say("three")
	third := b.hears(10, "three")
	if second.SequenceNumber != first.SequenceNumber+1 || third.SequenceNumber != second.SequenceNumber+4 {
		t.Errorf("numbers %d, %d, %d", first.SequenceNumber, second.SequenceNumber, third.SequenceNumber)
	}
	if second.Timestamp-first.Timestamp != 51*960 {
		t.Errorf("timestamps %d, %d", first.Timestamp, second.Timestamp)
	}
}

// TestLateJoiner joins after the sender's numbers rolled over: a receiver
// begins at rollover counter 0.
func TestLateJoiner(t *testing.T) {
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 10})
	b := connect(t, s, options{conn: 2, ssrc: 20})
	ready(t, s, 2)
	a.seq = 65530
	for range 20 {
		a.say("over")
		b.hears(10, "over")
	}
	late := connect(t, s, options{conn: 3, ssrc: 30, profiles: []dtls.SRTPProtectionProfile{dtls.SRTP_AES128_CM_HMAC_SHA1_80}})
	later := connect(t, s, options{conn: 4, ssrc: 40})
	ready(t, s, 4)
	a.say("late")
	for _, c := range []*client{b, late, later} {
		c.hears(10, "late")
	}
}

func TestReplay(t *testing.T) {
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 10})
	b := connect(t, s, options{conn: 2, ssrc: 20})
	ready(t, s, 2)
	a.say("once")
	b.hears(10, "once")
	a.write(a.sent[0])
	a.say("end")
	b.hears(10, "end") // a second "once" would not open: its number came before
	if got := s.Metrics(); got.Drops.Auth != 0 {
		t.Errorf("drops %+v", got.Drops)
	}
	eventually(t, func() string {
		if got := s.Metrics().Drops.Replay; got != 1 {
			return fmt.Sprintf("%d replays dropped, want 1", got)
		}
		return ""
	})
}

// TestRejoin joins a new connection with the old SSRC before the old one
// leaves. Receivers see one stream whose numbers never come twice.
func TestRejoin(t *testing.T) {
	s, e := start(t)
	old := connect(t, s, options{conn: 1, ssrc: 10})
	b := connect(t, s, options{conn: 2, ssrc: 20})
	ready(t, s, 2)
	old.seq = 100
	old.say("old")
	b.hears(10, "old")
	again := connect(t, s, options{conn: 3, ssrc: 10})
	ready(t, s, 3)
	again.say("too early")
	old.say("still old")
	last := b.hears(10, "still old")
	s.Leave(1, 1)
	ready(t, s, 2)
	again.seq = 90 // would be an old number
	again.say("new")
	p := b.hears(10, "new")
	if p.SequenceNumber != last.SequenceNumber+1 {
		t.Errorf("number %d after %d", p.SequenceNumber, last.SequenceNumber)
	}
	old.say("ghost")
	again.say("end")
	if got := <-b.rtp; string(got.Payload) != "end" {
		t.Errorf("heard %q of the old connection", got.Payload)
	}
	if len(e.gone) > 0 {
		t.Errorf("connection %d reported gone", <-e.gone)
	}
}

// TestJoinGivenUp: a join that its caller gave up leaves no connection, behind
// which one with the same SSRC would have to wait.
func TestJoinGivenUp(t *testing.T) {
	s, _ := start(t)
	c := join(t, s, options{conn: 1, ssrc: 10})
	sh := home(s)
	hold := make(chan struct{})
	sh.post(func() { <-hold })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Join(ctx, joinOf(c)); !errors.Is(err, context.Canceled) {
		t.Errorf("joined: %v", err)
	}
	close(hold)
	if n := total(s, func(sh *shard) int { return len(sh.conns) }); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestAddressChange moves a client: by its packets alone when it cannot
// nominate, by its nomination when it can.
func TestAddressChange(t *testing.T) {
	for _, controlled := range []bool{true, false} {
		t.Run(fmt.Sprintf("controlled=%v", controlled), func(t *testing.T) {
			s, _ := start(t)
			a := connect(t, s, options{conn: 1, ssrc: 10, controlled: controlled})
			b := connect(t, s, options{conn: 2, ssrc: 20})
			ready(t, s, 2)
			b.say("before")
			a.hears(20, "before")
			old := a.socket.Load()
			a.bind()
			if controlled {
				a.check(stun.RawAttribute{Type: stun.AttrICEControlled, Value: make([]byte, 8)})
			} else {
				a.check(stun.RawAttribute{Type: stun.AttrICEControlling, Value: make([]byte, 8)}, stun.RawAttribute{Type: stun.AttrUseCandidate})
			}
			_ = old.Close()
			a.say("moved")
			b.hears(10, "moved")
			b.say("after")
			a.hears(20, "after")
		})
	}
}

// TestRecordsMove moves a client that sends no media: its records prove as much.
func TestRecordsMove(t *testing.T) {
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 10, controlled: true, silent: true})
	b := connect(t, s, options{conn: 2, ssrc: 20})
	ready(t, s, 2)
	a.bind()
	a.check(stun.RawAttribute{Type: stun.AttrICEControlled, Value: make([]byte, 8)})
	if _, err := a.dtls.Write([]byte("data")); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() (complaint string) {
		_ = home(s).do(t.Context(), func() {
			if at := home(s).conns[connKey{1, 1}].addr.AddrPort; at != a.socket.Load().LocalAddr().(*net.UDPAddr).AddrPort() {
				complaint = fmt.Sprintf("it is at %v", at)
			}
		})
		return complaint
	})
	b.say("there")
	a.hears(20, "there")
}

func TestGone(t *testing.T) {
	quick := func(c *Config) { c.Timeout = 700 * time.Millisecond }
	t.Run("never came", func(t *testing.T) {
		var log bytes.Buffer
		s, e := start(t, quick, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		join(t, s, options{conn: 7, ssrc: 10})
		wait(t, e.gone, 7)
		if s.Close(); !strings.Contains(log.String(), "--public-ip") || !strings.Contains(log.String(), s.candidates[0].String()) {
			t.Errorf("the operator is told %q", &log)
		}
	})
	t.Run("fell silent", func(t *testing.T) {
		s, e := start(t, quick)
		connect(t, s, options{conn: 7, ssrc: 10})
		wait(t, e.gone, 7)
	})
	t.Run("another certificate", func(t *testing.T) {
		s, e := start(t)
		c := join(t, s, options{conn: 7, ssrc: 10, wrongCert: true})
		if err := c.handshake(options{}); err == nil {
			t.Log("the client finished first")
		}
		wait(t, e.gone, 7)
		ready(t, s, 0)
	})
	t.Run("checks keep it", func(t *testing.T) {
		s, e := start(t, quick)
		c := connect(t, s, options{conn: 7, ssrc: 10})
		for range 20 {
			c.check()
			<-time.After(100 * time.Millisecond)
		}
		if len(e.gone) > 0 {
			t.Error("gone in spite of checks")
		}
	})
}

func TestGoneAfterGoodbye(t *testing.T) {
	t.Parallel()
	s, e := start(t)
	c := connect(t, s, options{conn: 7, ssrc: 10})
	ready(t, s, 1)
	_ = c.dtls.Close()
	wait(t, e.gone, 7)
}

// TestPresentationGetsNothing: engines play whatever arrives on that connection.
func TestPresentationGetsNothing(t *testing.T) {
	s, _ := start(t)
	screen := connect(t, s, options{conn: 1, ssrc: 10, screen: true})
	a := connect(t, s, options{conn: 2, ssrc: 20})
	b := connect(t, s, options{conn: 3, ssrc: 30})
	ready(t, s, 3)
	a.say("voice")
	b.hears(20, "voice")
	screen.say("film")
	a.hears(10, "film")
	if len(screen.rtp) > 0 {
		t.Error("a presentation connection got a packet")
	}
}

// TestCallsAreApart and end together.
func TestCallsAreApart(t *testing.T) {
	s, e := start(t)
	a := connect(t, s, options{call: 1, conn: 1, ssrc: 10})
	b := connect(t, s, options{call: 1, conn: 2, ssrc: 20})
	other := connect(t, s, options{call: 2, conn: 3, ssrc: 10})
	ready(t, s, 3)
	a.say("here")
	b.hears(10, "here")
	s.End(1)
	ready(t, s, 1)
	if len(other.rtp) > 0 || len(e.gone) > 0 {
		t.Errorf("other call: %d packets, %d gone", len(other.rtp), len(e.gone))
	}
	rooms, addrs := total(s, func(sh *shard) int { return len(sh.rooms) }), total(s, func(sh *shard) int { return len(sh.byAddr) })
	if names := total(s, func(sh *shard) int { return len(sh.byUfrag) }); rooms != 1 || addrs != 1 || names != 1 {
		t.Errorf("rooms %d, addresses %d, names %d", rooms, addrs, names)
	}
}

// TestDataChannel opens the channel twice: clients start SCTP anew when it
// died, on the same connection and without a word.
func TestDataChannel(t *testing.T) {
	s, _ := start(t)
	c := connect(t, s, options{conn: 1, ssrc: 10})
	quiet := logging.NewDefaultLoggerFactory()
	var current atomic.Pointer[association]
	go func() {
		b := make([]byte, recordSize)
		for n, err := c.dtls.Read(b); err == nil; n, err = c.dtls.Read(b) {
			_, _ = current.Load().packets.Write(b[:n])
		}
	}()
	for round := range 3 {
		current.Store(newAssociation(c.dtls))
		a, err := sctp.ClientWithOptions(sctp.WithNetConn(current.Load()), sctp.WithLoggerFactory(quiet))
		if err != nil {
			t.Fatal(err)
		}
		ch, err := datachannel.Dial(a, 0, &datachannel.Config{Label: "data", LoggerFactory: quiet})
		if err != nil {
			t.Fatal(err)
		}
		height := 180 * (round + 1)
		wants := fmt.Sprintf(`{"colibriClass":"ReceiverVideoConstraints","constraints":{"aa":{"minHeight":1,"maxHeight":%d}}}`, height)
		for _, m := range []string{"no JSON", `{"colibriClass":"Other"}`, wants} {
			if _, err := ch.WriteDataChannel([]byte(m), true); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, func() string {
			w, err := s.Wants(t.Context(), 1, 1)
			if err != nil || w.Of("aa").Max != height {
				return fmt.Sprintf("round %d: wants %+v, %v", round, w, err)
			}
			return ""
		})
		if round == 1 {
			a.Abort("bye")
		}
		_ = current.Load().Close()
	}
}

// TestGarbage floods the port; nobody notices.
func TestGarbage(t *testing.T) {
	s, e := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 10})
	b := connect(t, s, options{conn: 2, ssrc: 20})
	ready(t, s, 2)
	stranger := join(t, s, options{conn: 3, ssrc: 30})
	rng := rand.New(rand.NewPCG(1, 2))
	good := stranger.binding(strings.Repeat("x", 24)) // the wrong password
	for i := range 3000 {
		n := rng.IntN(1500)
		p := make([]byte, n)
		for j := range p {
			p[j] = byte(rng.Uint32())
		}
		switch {
		case i%3 == 0:
			p = good
		case n > 20 && i%3 == 1:
			copy(p, good[:20])
		}
		stranger.write(p)
		if n > 0 && i%10 == 0 { // from an address that is known, too
			a.write(append([]byte{0x80}, p...))
			a.write(append([]byte{22, 254, 253}, p...))
		}
	}
	if n := total(s, func(sh *shard) int { return len(sh.byAddr) }); n != 2 {
		t.Errorf("%d addresses known, want 2", n)
	}
	a.say("still here")
	b.hears(10, "still here")
	if len(e.gone) > 0 {
		t.Error("a connection went")
	}
}

// TestPlay lets the server's own participant be heard, muted and stopped.
func TestPlay(t *testing.T) {
	s, _ := start(t)
	join(t, s, options{conn: 5, ssrc: 50}) // announced, but no client comes
	stop := s.Play(1, 50, [][]byte{[]byte("tick"), []byte("tock")}, 20*time.Millisecond)
	alone := s.Play(1, 60, [][]byte{[]byte("alone")}, 20*time.Millisecond)
	b := connect(t, s, options{conn: 2, ssrc: 20})
	first := b.hears(50, "tick")
	second := b.hears(50, "tock")
	b.hears(60, "alone")
	if second.SequenceNumber != first.SequenceNumber+1 || second.Timestamp != first.Timestamp+960 || second.PayloadType != 111 {
		t.Errorf("packets %v, %v", first, second)
	}
	if level := first.GetExtension(1); len(level) != 1 || level[0]&0x80 == 0 {
		t.Errorf("level %x", level)
	}
	s.Gate(1, 5, false, false)
	alone()
	eventually(t, func() string {
		for {
			select {
			case <-b.rtp:
			case <-time.After(100 * time.Millisecond):
				return ""
			}
		}
	})
	s.Gate(1, 5, true, false)
	b.hears(50, "tick")
	stop()
	s.Leave(1, 5)
	ready(t, s, 1)
	sh := home(s)
	_ = sh.do(t.Context(), func() {
		if len(sh.players) != 0 || len(sh.rooms[1].conns) != 1 {
			t.Errorf("%d players, %d connections", len(sh.players), len(sh.rooms[1].conns))
		}
	})
}

// TestNoLeak counts goroutines after a server came and went in the middle of
// everything.
func TestNoLeak(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("busy", func(t *testing.T) {
		s, _ := start(t)
		a := connect(t, s, options{conn: 1, ssrc: 10})
		connect(t, s, options{conn: 2, ssrc: 20, setup: "active"})
		join(t, s, options{conn: 3, ssrc: 30}).check() // its handshake goes on
		as, err := sctp.ClientWithOptions(sctp.WithNetConn(a.dtls), sctp.WithLoggerFactory(logging.NewDefaultLoggerFactory()))
		if err != nil {
			t.Fatal(err)
		}
		defer as.Close()
		s.Play(1, 50, [][]byte{{1}}, 20*time.Millisecond)
		a.say("x", func(p *rtp.Packet) { p.Marker = true })
		s.Close()
		if _, err := s.Join(t.Context(), joinOf(a)); err == nil {
			t.Error("joined a closed server")
		}
	})
	eventually(t, func() string {
		if n := runtime.NumGoroutine(); n > before {
			return fmt.Sprintf("%d goroutines, %d before", n, before)
		}
		return ""
	})
}

// TestNativePause: engines that are always controlled get time to look at
// their connection before it is one; others are not kept waiting.
func TestNativePause(t *testing.T) {
	for _, controlled := range []bool{true, false} {
		s, _ := start(t)
		c := join(t, s, options{conn: 1, ssrc: 10})
		role := stun.RawAttribute{Type: stun.AttrICEControlling, Value: make([]byte, 8)}
		if controlled {
			role.Type = stun.AttrICEControlled
		}
		began := time.Now()
		c.check(role)
		_ = c.records.SetReadDeadline(began.Add(patience))
		if _, err := c.records.Read(make([]byte, 2000)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); controlled && took < nativePause {
			t.Errorf("first flight after %v", took)
		}
	}
}
