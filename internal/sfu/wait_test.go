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
			if w.wait != tt.want || w.quiet != tt.quiet || w.looking != (tt.want == burst) {
				t.Errorf("waits %v, without media %v, want %v and %v; for the rest of a picture: %v", w.wait, w.quiet, tt.want, tt.quiet, w.looking)
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
	if b.gather(n); b.sounds != 9*15 || len(m.left) > 0 {
		t.Fatalf("%d packets gathered of nine voices, %d datagrams not read", b.sounds, len(m.left))
	}
	b.forward()
	if b.socket.runs != 60 || b.socket.sent.Packets != b.count.Forwarded || b.count.Forwarded < 15*8*50 {
		t.Errorf("%d packets in %d runs, %d forwarded", b.socket.sent.Packets, b.socket.runs, b.count.Forwarded)
	}
	if late := b.now - b.came; late < time.Millisecond || late > oldest {
		t.Errorf("a packet that came 1 ms ago counts as %v old", late)
	}
}

// TestGatherReports lets reports wait for more; media waits no longer than it
// may, and what is read and not forwarded not at all.
func TestGatherReports(t *testing.T) {
	report := []byte{0x80, 201, 0, 1, 0, 0, 0, 1}
	for name, tt := range map[string]struct {
		none  bool // nothing was there
		first bool // a packet of sound, else a report
		muted bool
		wait  time.Duration
		quiet time.Duration
		left  int // of one that came meanwhile
	}{
		"reports":         {quiet: time.Millisecond},
		"nothing to wait": {left: 1},
		"with media":      {first: true, quiet: time.Millisecond, left: 1},
		"media waits":     {first: true, wait: time.Millisecond},
		"muted":           {first: true, muted: true, wait: time.Millisecond, left: 1},
		"nothing":         {none: true, quiet: time.Millisecond, left: 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 1, 1)
			first := report
			if tt.first {
				first = b.packet(t, 0, 1, 20)
			}
			b.senders[0].audio.open = !tt.muted
			m := &mailed{counting: b.socket, left: make([]udp.Datagram, 1)}
			b.shard.socket, b.wait, b.quiet = m, tt.wait, tt.quiet
			b.wind()
			b.slots[0].N, b.slots[0].From = copy(b.slots[0].Slot[:], first), b.senders[0].addr
			n := 1
			if tt.none {
				n = 0
			}
			if b.gather(n); len(m.left) != tt.left {
				t.Errorf("%d datagrams not read, want %d", len(m.left), tt.left)
			}
		})
	}
}

// TestPatience lets packets wait that most of a room get, from when the first
// one came on, and no longer than until the next job that can't wait.
func TestPatience(t *testing.T) {
	b := newBench(t, 1, 1)
	ms := time.Millisecond
	for name, tt := range map[string]struct {
		came, first time.Duration // before now; -1 = none
		dirty       bool
		job, due    time.Duration // from now on
		want        time.Duration
	}{
		"nothing to forward": {came: ms, first: -1, job: time.Hour, want: ms},
		"for few":            {came: ms, first: -1, dirty: true, job: time.Hour},
		"for all":            {came: 3 * ms, first: 2 * ms, dirty: true, job: time.Hour, want: 3 * ms},
		"long ago":           {came: 9 * ms, first: 9 * ms, dirty: true, job: time.Hour, want: -4 * ms},
		"a job":              {came: ms, first: ms, dirty: true, job: 2 * ms, want: 2 * ms},
		"a tick":             {came: ms, first: ms, dirty: true, job: time.Hour, due: ms, want: 4 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			b.wait, b.quiet, b.first, b.dirty = fullWait, calm, never, nil
			if tt.dirty {
				b.dirty = []*room{nil}
			}
			if tt.first >= 0 {
				b.first = b.now - tt.first
			}
			b.gapDue, b.due = b.now+tt.job, b.now+tt.due
			if got := b.patience(b.now - tt.came); got != tt.want {
				t.Errorf("waits %v, want %v", got, tt.want)
			}
		})
	}
}

// TestSpareWaitsNot has eleven speakers: the voices that all hear wait for
// others, that of the ninth, which only the other eight hear, does not.
func TestSpareWaitsNot(t *testing.T) {
	b := newBench(t, 11, 1)
	b.wait = fullWait
	for i, c := range b.senders {
		b.take(i, b.packet(t, i, 1, 20))
		if waits := b.first != never; waits != (c.audio.rank >= 0 && c.audio.rank != spare) {
			t.Errorf("speaker %d has place %d, waits: %v", i, c.audio.rank, waits)
		}
		b.forward()
		if b.first != never {
			t.Error("waits for what was forwarded")
		}
	}
	if b.senders[8].audio.rank != spare {
		t.Errorf("the ninth speaker has place %d", b.senders[8].audio.rank)
	}
}

// slow is a socket to which datagrams come one by one.
type slow struct{ mailed }

func (s *slow) Poll(ds []*udp.Datagram) int { return s.mailed.Poll(ds[:1]) }

// TestPicture looks for the rest of a picture until it is whole, or nothing
// more comes; a whole one waits for nothing.
func TestPicture(t *testing.T) {
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
		look := func() *slow {
			s := &slow{mailed{counting: b.socket, left: []udp.Datagram{datagram(0), datagram(tt.last), datagram(0), datagram(0), datagram(0)}}}
			b.shard.socket = s
			b.wind()
			*b.slots[0] = datagram(0)
			return s
		}
		look()
		if n, whole := b.picture(1); n != tt.want || whole != (tt.last != 0) {
			t.Errorf("%s: %d datagrams, want %d; whole: %v", name, n, tt.want, whole)
		}
		s := look()
		b.looking, b.quiet = true, time.Millisecond
		if b.gather(1); 6-len(s.left) != tt.want {
			t.Errorf("%s: %d datagrams gathered, want %d", name, 6-len(s.left), tt.want)
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
