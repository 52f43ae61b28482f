package sfu

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/pion/rtp"
	pion "github.com/pion/srtp/v3"

	"parley/internal/colibri"
	ours "parley/internal/media/rtp"
	"parley/internal/media/srtp"
	"parley/internal/media/stun"
	"parley/internal/media/udp"
)

// counting is a Socket that sends nothing and counts.
type counting struct {
	space []byte
	sent  udp.Sent
	last  udp.Peer
	runs  uint64 // changes of the receiver
	keep  func(b []byte, to udp.Peer)
}

func (s *counting) Space(n int) []byte { return s.space[:n:n] }
func (s *counting) Send(n int, to udp.Peer) {
	if to != s.last {
		s.runs, s.last = s.runs+1, to
	}
	s.sent.Packets++
	s.sent.Bytes += uint64(n)
	if s.keep != nil {
		s.keep(s.space[:n], to)
	}
}
func (s *counting) Flush()                          { s.sent.Calls++ }
func (s *counting) Sent() udp.Sent                  { return s.sent }
func (*counting) Read([]*udp.Datagram) (int, error) { return 0, udp.ErrWoken }
func (*counting) Poll([]*udp.Datagram) int          { return 0 }
func (*counting) SetDeadline(time.Time)             {}
func (*counting) Wake()                             {}
func (*counting) WriteTo([]byte, udp.Peer) error    { return nil }
func (*counting) LocalAddr() netip.AddrPort         { return netip.AddrPort{} }
func (*counting) Close() error                      { return nil }

// bench is a shard with connections that skipped the handshake: the first
// ones send.
type bench struct {
	*shard
	socket  *counting
	senders []*conn
	seal    []*pion.Context
	slot    udp.Datagram
}

func newBench(tb testing.TB, senders, receivers int) *bench {
	tb.Helper()
	sock := &counting{space: make([]byte, 4096)}
	s := &Server{loudest: loudest, events: newNotifier(nil), timeout: time.Minute, places: places{of: map[int64]*place{}}}
	s.shards = []*shard{newShard(s, steering{}, sock)}
	b := &bench{socket: sock, shard: s.shards[0]}
	material := make([]byte, srtp.GCM128.Material())
	for i := range senders + receivers {
		c := b.conn(tb, int64(i), material)
		if i < senders {
			out, err := pion.CreateContext(material[:16], material[32:44], pion.ProtectionProfileAeadAes128Gcm)
			if err != nil {
				tb.Fatal(err)
			}
			b.senders, b.seal = append(b.senders, c), append(b.seal, out)
		}
	}
	return b
}

func (b *bench) conn(tb testing.TB, id int64, material []byte) *conn {
	tb.Helper()
	in, out, err := srtp.Pair(srtp.GCM128, material, false)
	if err != nil {
		tb.Fatal(err)
	}
	c := &conn{
		connKey: connKey{1, id}, room: b.shard.room(1), ufrag: fmt.Sprint("u", id), auth: stun.NewAuth("x"), place: -1,
		streams: []stream{{ssrc: uint32(id + 1)}}, client: colibri.Join{},
	}
	b.add(c, true)
	addr := udp.Peer{AddrPort: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(id >> 8), byte(id)}), 4000)}
	b.claim(c, addr)
	b.move(c, addr)
	b.ready(c, in, out)
	return c
}

// packet makes what sender i sends next.
func (b *bench) packet(tb testing.TB, i int, seq uint16, level byte) []byte {
	tb.Helper()
	p := rtp.Packet{
		Header:  rtp.Header{Version: 2, PayloadType: 111, SequenceNumber: seq, Timestamp: uint32(seq) * 960, SSRC: uint32(i + 1)},
		Payload: make([]byte, 100),
	}
	_ = p.SetExtension(1, []byte{level})
	_ = p.SetExtension(3, []byte{byte(seq >> 8), byte(seq)})
	plain, err := p.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	sealed, err := b.seal[i].EncryptRTP(nil, plain, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return sealed
}

func (b *bench) take(i int, packet []byte) {
	b.slot.N = copy(b.slot.Slot[:], packet)
	b.slot.From = b.senders[i].addr
	b.receive(&b.slot)
}

// TestPathNoAllocation counts what a packet allocates on its whole way.
func TestPathNoAllocation(t *testing.T) {
	b := newBench(t, 1, 20)
	var packets [][]byte
	for i := range 300 {
		packets = append(packets, b.packet(t, 0, uint16(i), 20))
	}
	next := 0
	one := func() {
		b.now += 20 * time.Millisecond
		b.take(0, packets[next])
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
	if got := b.count.Forwarded; got != uint64(next*20) {
		t.Errorf("%d packets forwarded of %d", got, next*20)
	}
}

// TestReceiverMajor counts that all packets of a batch for one receiver stand
// in a row, so that the kernel gets them as one.
func TestReceiverMajor(t *testing.T) {
	b := newBench(t, 5, 100)
	slots := make([]udp.Datagram, 5)
	for i := range slots {
		slots[i].N = copy(slots[i].Slot[:], b.packet(t, i, 1, 20))
		slots[i].From = b.senders[i].addr
		b.receive(&slots[i])
	}
	b.forward()
	if b.socket.sent.Packets != 5*100+5*4 || b.socket.runs != 105 {
		t.Errorf("%d packets in %d runs", b.socket.sent.Packets, b.socket.runs)
	}
}

// TestLoudest lets twelve talk: everyone gets as many of them at a time as the
// operator says, nobody their own, and a louder one takes a place after the hold.
func TestLoudest(t *testing.T) {
	for _, n := range []int{1, loudest, MostLoudest} {
		t.Run(strconv.Itoa(n), func(t *testing.T) { testLoudest(t, n) })
	}
}

func testLoudest(t *testing.T, most int) {
	b := newBench(t, 12, 1)
	b.server.loudest = most
	listener := b.conns[connKey{1, 12}]
	seq := uint16(0)
	// talk lets all talk for a while and returns whom the listener got.
	talk := func(d time.Duration, level func(i int) byte) map[uint32]int {
		got := map[uint32]int{}
		for end := b.now + d; b.now < end; b.now += 20 * time.Millisecond {
			seq++
			for i := range b.senders {
				if l := level(i); l != 0 {
					b.take(i, b.packet(t, i, seq, l))
				}
			}
			for _, p := range b.rooms[1].pending {
				if listener.wanted(p.source) {
					got[p.source.ssrc]++
				}
				if p.source.conn.wanted(p.source) {
					t.Fatal("a sender gets itself")
				}
			}
			b.forward()
			if int(seq)%5 == 0 {
				b.rooms[1].rank(b.now)
			}
		}
		return got
	}
	even := func(int) byte { return 0x80 | 40 }
	if got := talk(time.Second, even); len(got) != most || got[1] != 50 {
		t.Errorf("heard %v", got)
	}
	// One more is heard by the loudest themselves, so that they get as many.
	for i, c := range b.senders[:most] {
		n := 0
		for _, s := range b.rooms[1].sources {
			if s != nil && c.wanted(s) {
				n++
			}
		}
		if n != most {
			t.Errorf("speaker %d gets %d others", i, n)
		}
	}
	shout := func(i int) byte {
		if i == 11 {
			return 0x80 | 5
		}
		return 0x80 | 40
	}
	got := talk(3*time.Second, shout)
	if got[12] < 50 || len(got) != most+1 {
		t.Errorf("heard %v of whom one shouts", got)
	}
	total := 0
	for _, n := range got {
		total += n
	}
	if total != 150*most {
		t.Errorf("%d packets, want %d", total, 150*most)
	}
	silent := func(i int) byte {
		if i < 4 || i == 11 {
			return 0 // left the microphone
		}
		return 0x80 | 40
	}
	talk(1500*time.Millisecond, silent)
	if got := talk(200*time.Millisecond, silent); len(got) != min(most, 7) {
		t.Errorf("heard %v of seven", got)
	}
}

// TestQuarrel lets twelve talk, always another one the loudest: ntgcalls keeps
// the channel of a voice for 1.5 s after it fell silent, and never gives up one
// that was opened as the eleventh.
func TestQuarrel(t *testing.T) {
	const keeps, most = 1500 * time.Millisecond, 10
	b := newBench(t, 12, 1)
	b.now = time.Minute
	channels := map[uint32]time.Duration{}
	for seq := range uint16(1000) {
		b.now += 20 * time.Millisecond
		for i := range b.senders {
			level := byte(0x80 | 60)
			if int(seq)/10%len(b.senders) == i {
				level = 0x80 | 5
			}
			b.take(i, b.packet(t, i, seq+1, level))
		}
		for _, p := range b.rooms[1].pending {
			if p.source.rank != spare {
				channels[p.source.ssrc] = b.now
			}
		}
		b.forward()
		b.rooms[1].rank(b.now)
		maps.DeleteFunc(channels, func(_ uint32, last time.Duration) bool { return b.now-last > keeps })
		if len(channels) > most {
			t.Fatalf("%d voices at a time, after %d ms", len(channels), 20*int(seq))
		}
	}
}

// TestSilenceIsDropped keeps a silent microphone out of everybody's way a second
// after it was heard, and at once lets in one who speaks.
func TestSilenceIsDropped(t *testing.T) {
	b := newBench(t, 12, 1)
	listener := b.conns[connKey{1, 12}]
	b.now = time.Minute
	const silent, noise, speech = 127, 126, 0x80 | 127
	seq := uint16(0)
	step := func(level func(i int) byte) (got map[uint32]bool) {
		got = map[uint32]bool{}
		seq++
		b.now += 20 * time.Millisecond
		for i := range b.senders {
			b.take(i, b.packet(t, i, seq, level(i)))
		}
		for _, p := range b.rooms[1].pending {
			if listener.wanted(p.source) {
				got[p.source.ssrc] = true
			}
		}
		b.forward()
		b.rooms[1].rank(b.now)
		return got
	}
	all := func(level byte) func(int) byte { return func(int) byte { return level } }
	if got := step(all(silent)); len(got) > 0 {
		t.Errorf("heard %v where nobody said anything yet", got)
	}
	if got := step(all(noise)); len(got) != loudest {
		t.Errorf("heard %v", got)
	}
	for i := range 50 {
		if got := step(all(silent)); len(got) != loudest {
			t.Fatalf("heard %v %d ms after they fell silent", got, 20*i)
		}
	}
	if got := step(all(silent)); len(got) > 0 {
		t.Errorf("heard %v after a second of silence", got)
	}
	for _, from := range []int{0, 8} { // whoever is silent is in nobody's way
		got := step(func(i int) byte {
			if i >= from && i < from+4 {
				return speech
			}
			return silent
		})
		if len(got) < 4 || !got[uint32(from+1)] || !got[uint32(from+4)] {
			t.Errorf("heard %v of four from %d on", got, from)
		}
	}
}

// TestFloodOfSound: nobody hears more of a voice than sound takes, and who came
// late all at once is heard.
func TestFloodOfSound(t *testing.T) {
	for name, tt := range map[string]struct {
		every       time.Duration
		size        int
		burst       bool
		least, most int // packets in 10 s
	}{
		"Opus at its most": {2500 * time.Microsecond, 160, false, 4000, 4000},
		"after 2 s":        {10 * time.Millisecond, 640, true, 1000, 1000},
		"many":             {50 * time.Microsecond, 1, false, 15_000, 25_000},
		"large":            {time.Millisecond, 1200, false, 1500, 2500},
	} {
		b := newBench(t, 1, 1)
		payload := make([]byte, tt.size)
		h := ours.Header{SSRC: 1, Type: colibri.OpusType, HasLevel: true, Voice: true}
		index, late := uint64(0), 0
		for at := time.Duration(0); at < 10*time.Second; at += tt.every {
			b.now = at
			if late++; tt.burst && late < 200 {
				continue
			}
			for ; late > 0; late-- {
				b.offer(b.senders[0].audio, index, &h, payload)
				index++
			}
			b.forward()
		}
		if n := int(b.count.Forwarded); n < tt.least || n > tt.most {
			t.Errorf("%s: %d packets of %d were heard", name, n, index)
		}
	}
}

// TestWhoWaitsTakesNoPlace: a connection that is not heard yet, since an older
// one has its SSRC, silences nobody.
func TestWhoWaitsTakesNoPlace(t *testing.T) {
	b := newBench(t, 2, 1)
	b.server.loudest = 1
	first, second := b.senders[0].audio, b.senders[1].audio
	second.waits = true
	for i := range uint16(200) {
		b.now += 20 * time.Millisecond
		b.take(0, b.packet(t, 0, i, 40))
		b.take(1, b.packet(t, 1, i, 0x80))
		b.forward()
		if b.rooms[1].rank(b.now); first.rank != 0 || second.rank >= 0 {
			t.Fatalf("after %d packets: ranks %d and %d", i, first.rank, second.rank)
		}
	}
}

// TestPlayersNeverRepeat lets one after another play as the same participant.
func TestPlayersNeverRepeat(t *testing.T) {
	b := newBench(t, 1, 1)
	used := map[uint16]bool{}
	b.socket.keep = func(packet []byte, _ udp.Peer) {
		seq := binary.BigEndian.Uint16(packet[2:])
		if used[seq] {
			t.Errorf("number %d twice", seq)
		}
		used[seq] = true
	}
	const players, frames = 20, 50
	for range players {
		p := &player{frames: [][]byte{{1}}, frame: 20 * time.Millisecond, header: ours.Header{SSRC: 1, Type: colibri.OpusType}}
		b.startPlayer(p, 1)
		for range frames {
			p.play(b.shard)
			b.forward()
			b.now += p.frame
		}
		b.stopPlayer(p)
	}
	if len(used) != players*frames {
		t.Errorf("%d frames came", len(used))
	}
}

// TestSubscription follows the numbers of one receiver.
func TestSubscription(t *testing.T) {
	type step struct {
		index uint64
		epoch uint32
		want  uint64
		ok    bool
	}
	for name, steps := range map[string][]step{
		"late joiner starts at rollover 0": {{5<<16 | 9, 1, 9, true}, {5<<16 | 10, 1, 10, true}},
		"rollover":                         {{5<<16 | 65535, 1, 32767, true}, {6 << 16, 1, 32768, true}},
		"loss keeps its gap":               {{100, 1, 100, true}, {103, 1, 103, true}, {102, 1, 102, true}},
		"before the first":                 {{100, 1, 100, true}, {99, 1, 0, false}},
		"kept back closes":                 {{100, 1, 100, true}, {150, 2, 101, true}, {151, 2, 102, true}},
		"late from before the gap":         {{100, 1, 100, true}, {150, 2, 101, true}, {149, 2, 0, false}},
		"late before the gap is unseen":    {{100, 1, 100, true}, {99, 2, 101, true}},
		"long silence":                     {{100, 1, 100, true}, {100000, 2, 101, true}, {100001, 2, 102, true}},
		"a jump closes":                    {{100, 1, 100, true}, {100 + maxGap + 1, 1, 101, true}},
	} {
		var s subscription
		for i, st := range steps {
			if got, ok := s.next(st.index, st.epoch); got != st.want || ok != st.ok {
				t.Errorf("%s: step %d gives %d, %v; want %d, %v", name, i, got, ok, st.want, st.ok)
			}
		}
	}
}

// TestSubscriptionNeverRepeats tries random ways: a number used twice under
// one key would break the cipher.
func TestSubscriptionNeverRepeats(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		var s subscription
		used, came := map[uint64]bool{}, map[uint64]bool{}
		index, epoch := uint64(rng.IntN(1<<20)), uint32(1)
		for range 3000 {
			at := index
			switch rng.IntN(20) {
			case 0:
				epoch++
			case 1:
				index += uint64(rng.IntN(5000))
			case 2:
				at -= min(index, uint64(rng.IntN(20)))
			default:
				index++
				at = index
			}
			if came[at] { // the window stops those
				continue
			}
			came[at] = true
			if out, ok := s.next(at, epoch); ok {
				if used[out] {
					t.Fatalf("number %d twice", out)
				}
				used[out] = true
			}
		}
	}
}

func FuzzReceive(f *testing.F) {
	b := newBench(f, 1, 2)
	f.Add(b.packet(f, 0, 1, 20), true)
	f.Add([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, false)
	f.Fuzz(func(_ *testing.T, data []byte, known bool) {
		var d udp.Datagram
		d.N = copy(d.Slot[:], data)
		d.From = udp.Peer{AddrPort: netip.MustParseAddrPort("192.0.2.1:9")}
		if known {
			d.From = b.senders[0].addr
		}
		b.receive(&d)
		b.forward()
	})
}
