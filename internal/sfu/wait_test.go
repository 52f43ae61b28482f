package sfu

import (
	"testing"
	"time"

	"parley/internal/media/udp"
)

const fullWait = 5 * time.Millisecond

// TestTune checks who waits: only where packets for one receiver would join.
func TestTune(t *testing.T) {
	for name, tt := range map[string]struct {
		rooms                     int
		sounds, pictures, forward uint64 // a second
		reports                   uint64
		want, quiet               time.Duration
	}{
		"nothing":             {},
		"a small call":        {rooms: 1, sounds: 200, forward: 600, reports: 600},
		"one speaker":         {rooms: 1, sounds: 50, forward: 40_000},
		"ten speakers":        {rooms: 1, sounds: 500, forward: 50_000, want: fullWait},
		"few listeners":       {rooms: 1, sounds: 500, forward: 20_000},
		"many small calls":    {rooms: 200, sounds: 40_000, forward: 160_000},
		"a camera":            {rooms: 1, pictures: 260, forward: 26_000, want: burst},
		"a camera, one looks": {rooms: 1, pictures: 260, forward: 260},
		"many reports":        {rooms: 1, pictures: 100, forward: 10_000, reports: 1000, quiet: calm},
		"few reports":         {rooms: 1, pictures: 100, forward: 10_000, reports: 100},
		"slow screen":         {rooms: 1, pictures: 50, forward: 20_000},
		"both":                {rooms: 1, sounds: 500, pictures: 1000, forward: 90_000, want: fullWait},
	} {
		t.Run(name, func(t *testing.T) {
			w := waiting{most: fullWait}
			forwarded := uint64(0)
			for now := tickEvery; now <= time.Second; now += tickEvery {
				w.sounds += tt.sounds / 10
				w.pictures += tt.pictures / 10
				w.reported += tt.reports / 10
				forwarded += tt.forward / 10
				w.tune(now, tt.rooms, forwarded)
			}
			if w.wait != tt.want || w.quiet != tt.quiet {
				t.Errorf("waits %v, without media %v, want %v and %v", w.wait, w.quiet, tt.want, tt.quiet)
			}
			w.most = 0
			w.sounds += tt.sounds
			w.reported += tt.reports
			w.tune(2*time.Second, tt.rooms, forwarded+tt.forward)
			if w.wait != 0 || w.quiet != 0 {
				t.Errorf("waits %v and %v where nothing may", w.wait, w.quiet)
			}
		})
	}
}

// mailed is a socket with datagrams that came.
type mailed struct {
	*counting
	left []udp.Datagram
}

func (m *mailed) Read(ds []*udp.Datagram) (int, error) { return m.Poll(ds), nil }

func (m *mailed) Poll(ds []*udp.Datagram) int {
	n := min(len(m.left), len(ds), udp.MaxBatch)
	for i := range n {
		*ds[i] = m.left[i]
	}
	m.left = m.left[n:]
	return n
}

// TestGather counts what a tick of a busy shard costs: 150 packets of ten
// speakers, three read calls, and one run of packets for each receiver.
func TestGather(t *testing.T) {
	b := newBench(t, 10, 50)
	m := &mailed{counting: b.socket}
	b.shard.socket, b.wait = m, time.Microsecond
	b.wind()
	for seq := range 15 {
		for i := range b.senders {
			d := udp.Datagram{From: b.senders[i].addr, At: b.wall - int64(time.Millisecond)}
			d.N = copy(d.Slot[:], b.packet(t, i, uint16(seq), 20))
			m.left = append(m.left, d)
		}
	}
	n, err := m.Read(b.slots)
	if err != nil {
		t.Fatal(err)
	}
	if n = b.gather(n); n != 150 {
		t.Fatalf("%d datagrams gathered of 150", n)
	}
	for i, d := range b.slots[:n] {
		b.slots[i] = b.receive(d)
	}
	b.forward()
	if b.socket.runs != 60 || b.socket.sent.Packets != b.count.Forwarded || b.count.Forwarded < 15*8*50 {
		t.Errorf("%d packets in %d runs, %d forwarded", b.socket.sent.Packets, b.socket.runs, b.count.Forwarded)
	}
	if late := b.now - b.came; late < time.Millisecond || late > oldest {
		t.Errorf("a packet that came 1 ms ago counts as %v old", late)
	}
}

// TestGatherReports reads what came in the meantime if all there is are
// reports; with media among them it goes on at once.
func TestGatherReports(t *testing.T) {
	b := newBench(t, 1, 1)
	report, sound := []byte{0x80, 201, 0, 1, 0, 0, 0, 1}, b.packet(t, 0, 1, 20)
	for name, tt := range map[string]struct {
		first [][]byte
		quiet time.Duration
		want  int
	}{
		"reports":           {[][]byte{report, report}, time.Microsecond, 3},
		"with media":        {[][]byte{report, sound}, time.Microsecond, 2},
		"nothing to wait":   {[][]byte{report, report}, 0, 2},
		"nothing was there": {nil, time.Microsecond, 0},
	} {
		m := &mailed{counting: b.socket, left: make([]udp.Datagram, 1)}
		b.shard.socket, b.quiet = m, tt.quiet
		b.wind()
		for i, bytes := range tt.first {
			b.slots[i].N = copy(b.slots[i].Slot[:], bytes)
		}
		if n := b.gather(len(tt.first)); n != tt.want {
			t.Errorf("%s: %d datagrams, want %d", name, n, tt.want)
		}
	}
}

// slow is a socket to which datagrams come one by one.
type slow struct{ mailed }

func (s *slow) Poll(ds []*udp.Datagram) int { return s.mailed.Poll(ds[:1]) }

// TestGatherPicture goes on as soon as a picture is whole, and otherwise reads
// all that comes while it waits.
func TestGatherPicture(t *testing.T) {
	b := newBench(t, 1, 1)
	datagram := func(marker byte) (d udp.Datagram) {
		d.N = copy(d.Slot[:], []byte{0x80, typeVP8 | marker, 0, 1})
		return d
	}
	for name, tt := range map[string]struct {
		last byte
		want int
	}{
		"whole": {0x80, 3},
		"not":   {0, 6},
	} {
		s := &slow{mailed{counting: b.socket, left: []udp.Datagram{datagram(0), datagram(tt.last), datagram(0), datagram(0), datagram(0)}}}
		b.shard.socket, b.wait = s, burst
		b.wind()
		*b.slots[0] = datagram(0)
		if n := b.gather(1); n != tt.want {
			t.Errorf("%s: %d datagrams, want %d", name, n, tt.want)
		}
	}
}

// TestArrival checks that a datagram says when it came, not when it was read.
func TestArrival(t *testing.T) {
	b := newBench(t, 1, 1)
	b.wind()
	for name, tt := range map[string]struct {
		at   int64
		want time.Duration
	}{
		"not told":         {0, b.now},
		"just now":         {b.wall, b.now},
		"before":           {b.wall - int64(3*time.Millisecond), b.now - 3*time.Millisecond},
		"clock went ahead": {b.wall - int64(time.Hour), b.now - oldest},
		"clock went back":  {b.wall + int64(time.Hour), b.now},
	} {
		if got := b.arrivedAt(&udp.Datagram{At: tt.at}); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// TestShed lets packets wait too long: once is forgiven, all the time is not,
// for sound; reports are always read.
func TestShed(t *testing.T) {
	b := newBench(t, 1, 1)
	seq, report := uint16(0), []byte{0x80, 201, 0, 1, 0, 0, 0, 1}
	// late reads two datagrams that are so old, and tells whether sound was shed.
	late := func(age time.Duration) bool {
		shed, read := b.count.Drops.Late, b.count.Drops.Auth
		seq++
		b.slot.At = b.wall - int64(age)
		b.take(0, b.packet(t, 0, seq, 20))
		b.take(0, report)
		b.forward()
		if b.count.Drops.Auth != read+1 {
			t.Errorf("a report is not looked at")
		}
		return b.count.Drops.Late > shed
	}
	for i, step := range []struct {
		after, age time.Duration
		want       bool
	}{
		{0, tooLate, false},
		{time.Minute, 2 * tooLate, false}, // a pause
		{10 * time.Millisecond, 0, false},
		{2 * time.Second, 2 * tooLate, false},
		{lateFor / 2, 2 * tooLate, false},
		{lateFor, tooLate + 1, true}, // still behind
		{10 * time.Millisecond, tooLate, false},
		{lateUntil - 20*time.Millisecond, tooLate + 1, true},
		{lateUntil + 20*time.Millisecond, 2 * tooLate, false}, // was on time for long
	} {
		b.now += step.after
		b.wall += int64(step.after)
		if got := late(step.age); got != step.want {
			t.Errorf("step %d: shed %v, want %v", i, got, step.want)
		}
	}
	if b.reported != uint64(seq) {
		t.Errorf("%d reports counted of %d", b.reported, seq)
	}
	if b.count.Forwarded != uint64(seq)-2 {
		t.Errorf("%d forwarded of %d", b.count.Forwarded, seq)
	}
}
