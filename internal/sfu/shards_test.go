package sfu

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"parley/internal/calls"
	"parley/internal/media/udp"
)

// three lets a server have three shards: call n lives on shard n%3.
func three(portable bool) func(*Config) {
	return func(c *Config) { c.Shards, c.Portable = 3, portable }
}

// TestShards has a room on each of three shards: media stays in its room, and
// a client may move, leave and come back there.
func TestShards(t *testing.T) {
	for _, portable := range []bool{false, true} {
		t.Run(fmt.Sprintf("portable=%v", portable), func(t *testing.T) {
			s, _ := start(t, three(portable))
			var near, far [4]*client
			for call := int64(1); call <= 3; call++ {
				near[call] = connect(t, s, options{call: call, conn: 10 * call, ssrc: 10})
				far[call] = connect(t, s, options{call: call, conn: 10*call + 1, ssrc: 20})
			}
			ready(t, s, 6)
			all := func(what string) {
				t.Helper()
				for call := 1; call <= 3; call++ {
					near[call].say(fmt.Sprint(what, call))
					far[call].say(fmt.Sprint(what, call))
				}
				for call := 1; call <= 3; call++ {
					for _, c := range []*client{near[call], far[call]} {
						if p := <-c.rtp; string(p.Payload) != fmt.Sprint(what, call) {
							t.Fatalf("%q is heard in call %d", p.Payload, call)
						}
					}
				}
			}
			all("first")
			for call := 1; call <= 3; call++ {
				old := near[call].socket.Load()
				near[call].bind()
				near[call].check(stun.RawAttribute{Type: stun.AttrICEControlling, Value: make([]byte, 8)}, stun.RawAttribute{Type: stun.AttrUseCandidate})
				_ = old.Close()
			}
			all("moved")
			for call := int64(1); call <= 3; call++ {
				s.Leave(call, 10*call+1)
				far[call] = connect(t, s, options{call: call, conn: 10*call + 2, ssrc: 20})
			}
			ready(t, s, 6)
			all("again")
			for i, sh := range s.shards {
				_ = sh.do(t.Context(), func() {
					if len(sh.rooms) != 1 || len(sh.conns) != 2 || i > 0 && len(sh.away) > 0 {
						t.Errorf("shard %d: %d rooms, %d connections", i, len(sh.rooms), len(sh.conns))
					}
				})
			}
			for call := int64(1); call <= 3; call++ {
				s.End(call)
			}
			ready(t, s, 0)
			eventually(t, func() string {
				if n := total(s, func(sh *shard) int { return len(sh.byAddr) + len(sh.away) }); n != 0 {
					return fmt.Sprintf("%d addresses known of nobody", n)
				}
				return ""
			})
			if m := s.Metrics(); m.Rooms != 0 || m.Joins != 9 || m.Handed == 0 || m.Drops.Handed != 0 {
				t.Errorf("metrics %+v", m)
			}
		})
	}
}

// TestAddressOfAnother lets a client of one call come from the address of one
// of another call: not while that one talks, but once it fell silent or left.
func TestAddressOfAnother(t *testing.T) {
	for from := int64(1); from <= 3; from++ {
		for to := int64(1); to <= 3; to++ {
			t.Run(fmt.Sprintf("%d to %d", from, to), func(t *testing.T) {
				t.Parallel()
				s, _ := start(t, three(false))
				const old, taken = 1, 2
				first := connect(t, s, options{call: from, conn: old, ssrc: 10})
				ready(t, s, 1)
				second := join(t, s, options{call: to, conn: taken, ssrc: 10})
				second.inherit(first)
				second.write(second.binding(second.answer.Transport.Pwd))
				eventually(t, func() string {
					if n := total(s, func(sh *shard) int { return int(sh.count.Drops.Stun) }); n != 1 {
						return fmt.Sprintf("%d checks refused", n)
					}
					return ""
				})
				if len(second.checks) > 0 {
					t.Error("a check from the address of another was answered")
				}
				sh := s.at(from)
				_ = sh.do(t.Context(), func() { sh.conns[connKey{from, old}].addrSeen -= lost })
				if err := second.handshake(options{}); err != nil {
					t.Fatal(err)
				}
				s.Leave(from, old) // forgets an address that is another's now
				s.Leave(to, taken)
				third := join(t, s, options{call: from, conn: 3, ssrc: 10})
				third.inherit(second)
				if err := third.handshake(options{}); err != nil {
					t.Fatal(err)
				}
				last := connect(t, s, options{call: from, conn: 4, ssrc: 20})
				ready(t, s, 2)
				last.say("there")
				third.hears(20, "there")
				third.say("here")
				last.hears(10, "here")
			})
		}
	}
}

// TestAddressGivenUpBetween lets checks from more addresses than one client may
// have wait for their shard: an address that comes twice is given up between its
// two answers. The next check from there makes it known again.
func TestAddressGivenUpBetween(t *testing.T) {
	s, _ := start(t, three(false))
	a := connect(t, s, options{conn: 1, ssrc: 10})
	b := connect(t, s, options{conn: 2, ssrc: 20})
	ready(t, s, 2)
	hold, handed := make(chan struct{}), func() (n uint64) {
		_ = s.reader().do(t.Context(), func() { n = s.reader().count.Handed })
		return n
	}
	home(s).post(func() { <-hold })
	before := handed()
	a.bind()
	check := a.binding(a.answer.Transport.Pwd, stun.RawAttribute{Type: stun.AttrICEControlled, Value: make([]byte, 8)})
	sent := uint64(0)
	come := func(from *net.UDPConn) {
		t.Helper()
		if _, err := from.WriteToUDPAddrPort(check, a.remote); err != nil {
			t.Fatal(err)
		}
		sent++
		eventually(t, func() string {
			if n := handed() - before; n < sent {
				return fmt.Sprintf("%d of %d checks handed over", n, sent)
			}
			return ""
		})
	}
	come(a.socket.Load())
	for range maxAddrs {
		come(listen(t))
	}
	come(a.socket.Load())
	close(hold)
	for range 2 { // the answers to what waited: the next ones are to later checks
		select {
		case <-a.checks:
		case <-time.After(patience):
			t.Fatal("a check that waited was not answered")
		}
	}
	for range 2 { // the reader may have seen the first one before it forgot the address
		a.check(stun.RawAttribute{Type: stun.AttrICEControlled, Value: make([]byte, 8)})
	}
	a.say("there")
	b.hears(10, "there")
}

// inherit moves a client to the address of another one, who is there no more.
func (c *client) inherit(other *client) {
	c.t.Helper()
	_ = c.socket.Load().Close()
	old := other.socket.Load()
	_ = old.Close()
	socket, err := net.ListenUDP("udp4", old.LocalAddr().(*net.UDPAddr))
	if err != nil {
		c.t.Fatal(err)
	}
	c.socket.Store(socket)
	c.t.Cleanup(func() { _ = socket.Close() })
	go c.read(socket)
}

// TestCloseUnderLoad closes a server while clients talk on all its shards, and
// more join.
func TestCloseUnderLoad(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("busy", func(t *testing.T) {
		s, _ := start(t, three(false))
		var talkers sync.WaitGroup
		stop := make(chan struct{})
		for call := int64(1); call <= 3; call++ {
			a := connect(t, s, options{call: call, conn: 10 * call, ssrc: 10})
			b := connect(t, s, options{call: call, conn: 10*call + 1, ssrc: 20})
			talkers.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					case <-b.rtp:
					default:
						a.say("x")
						if i%20 == 0 {
							_, _ = s.Join(t.Context(), calls.MediaJoin{Call: call, Conn: int64(1000 + i)})
						}
						runtime.Gosched()
					}
				}
			})
			b.hears(10, "x")
		}
		s.Close()
		close(stop)
		talkers.Wait()
		if _, err := s.Join(t.Context(), calls.MediaJoin{Call: 9, Conn: 9}); err == nil {
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

// TestPlaces lets many join and leave a call, while shards are more or less
// busy: those who are there are on one shard.
func TestPlaces(t *testing.T) {
	s, _ := start(t, three(false))
	const call = 100
	var work sync.WaitGroup
	for i := range 4 {
		work.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for n := range 200 {
				s.shards[rng.IntN(3)].busy.Store(rng.Uint32N(1000))
				key := connKey{call, int64(1000*i + n)}
				if _, err := s.Join(t.Context(), calls.MediaJoin{Call: call, Conn: key.id}); err != nil {
					t.Error(err)
				}
				if sh := s.at(call); sh == nil {
					t.Error("a call that somebody is in has no place")
				} else {
					_ = sh.do(t.Context(), func() {
						if sh.conns[key] == nil {
							t.Errorf("connection %d is elsewhere", key.id)
						}
					})
				}
				if stop := s.Play(call, uint32(n), [][]byte{{1}}, time.Second); n%3 == 0 {
					stop()
				} else {
					defer stop()
				}
				s.Leave(call, key.id)
			}
		})
	}
	work.Wait()
	eventually(t, func() string {
		if n := total(s, func(sh *shard) int { return len(sh.rooms) }); n != 0 || s.at(call) != nil {
			return fmt.Sprintf("%d rooms left, place %p", n, s.at(call))
		}
		return ""
	})
}

func TestChoose(t *testing.T) {
	for name, tt := range map[string]struct {
		busy [3]uint32
		want [6]int // of rooms that are made at once
	}{
		"idle":        {[3]uint32{}, [6]int{0, 0, 1, 1, 2, 2}},
		"first full":  {[3]uint32{600, 0, 0}, [6]int{1, 1, 2, 2, 1, 2}},
		"room left":   {[3]uint32{400, 100, 0}, [6]int{0, 1, 1, 2, 2, 2}},
		"all full":    {[3]uint32{900, 800, 990}, [6]int{1, 0, 2, 1, 0, 2}},
		"second full": {[3]uint32{300, 990, 700}, [6]int{0, 0, 2, 0, 2, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Server{places: places{of: map[int64]*place{}}}
			for i, busy := range tt.busy {
				s.shards = append(s.shards, newShard(s, steering{index: i}, &counting{}))
				s.shards[i].busy.Store(busy)
			}
			var got [6]int
			for call := range got {
				got[call] = s.hold(int64(call), true).index
			}
			if got != tt.want {
				t.Errorf("rooms on shards %v, want %v", got, tt.want)
			}
			for call := range got {
				s.places.of[int64(call)].since = time.Now().Add(-newRoomFor)
			}
			if again := s.hold(0, true).index; again != got[0] {
				t.Errorf("call 0 went from %d to %d", got[0], again)
			}
			clear(got[:])
			if next := s.hold(100, true).index; next != tt.want[0] {
				t.Errorf("later room on shard %d, want %d", next, tt.want[0])
			}
		})
	}
}

// TestChooseVoices makes many rooms without video at once: the first shard has
// place for more of them.
func TestChooseVoices(t *testing.T) {
	s := &Server{places: places{of: map[int64]*place{}}}
	for i := range 2 {
		s.shards = append(s.shards, newShard(s, steering{index: i}, &counting{}))
	}
	first := 0
	for call := range 40 {
		if s.hold(int64(call), false).index == 0 {
			first++
		}
	}
	if first != 32 {
		t.Errorf("%d of 40 rooms on the first shard", first)
	}
}

// TestHandNoAllocation counts what a packet allocates on its way over another
// shard.
func TestHandNoAllocation(t *testing.T) {
	trunk, err := udp.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer trunk.Close()
	b := newBench(t, 1, 20)
	reader := newShard(b.server, steering{away: map[udp.Peer]*shard{}}, b.socket)
	b.index, b.branch = 1, trunk.Branch()
	b.server.shards = []*shard{reader, b.shard}
	reader.away[b.senders[0].addr] = b.shard
	var packets [][]byte
	for i := range 300 {
		packets = append(packets, b.packet(t, 0, uint16(i), 20))
	}
	d, next := new(udp.Datagram), 0
	one := func() {
		b.now += 20 * time.Millisecond
		d.N, d.From = copy(d.Slot[:], packets[next]), b.senders[0].addr
		d = reader.receive(d)
		n, err := b.branch.Read(b.slots)
		if n != 1 || err != nil {
			t.Fatalf("%d datagrams, %v", n, err)
		}
		b.slots[0] = b.receive(b.slots[0])
		b.forward()
		b.socket.Flush()
		if next++; next%5 == 0 {
			b.feedback()
		}
	}
	one()
	if n := testing.AllocsPerRun(200, one); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
	if b.count.Forwarded != uint64(next*20) || reader.count.Handed != uint64(next) {
		t.Errorf("%d packets forwarded of %d, %d handed over of %d", b.count.Forwarded, next*20, reader.count.Handed, next)
	}
}

// TestHandFull: a shard that can't keep up loses what is too much.
func TestHandFull(t *testing.T) {
	trunk, err := udp.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer trunk.Close()
	b := newBench(t, 1, 0)
	slow := newShard(b.server, steering{index: 1, branch: trunk.Branch()}, b.socket)
	from := udp.Peer{AddrPort: netip.MustParseAddrPort("192.0.2.1:9")}
	b.away = map[udp.Peer]*shard{from: slow}
	d := &udp.Datagram{N: 12, From: from}
	d.Slot[0] = 0x80
	const many = 5000
	for range many {
		free := b.receive(d)
		*free = *d
		d = free
	}
	if b.count.Drops.Handed == 0 || b.count.Handed+b.count.Drops.Handed != many {
		t.Errorf("%d handed over, %d dropped of %d", b.count.Handed, b.count.Drops.Handed, many)
	}
}
