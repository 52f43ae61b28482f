package sfu

import (
	"errors"
	"testing"
	"time"

	"parley/internal/calls"
	"parley/internal/media/udp"
	"parley/internal/rpc"
)

// tick is how a shard does in one tenth of a second, and what it leaves.
type tick struct {
	waited time.Duration
	busy   int
}

var (
	hardTick = tick{hardWait, hardBusy}
	easyTick = tick{time.Second, easyBusy - 1}
)

// TestStrain lets a shard have more or less to do, and checks by how much less
// than it should it does then.
func TestStrain(t *testing.T) {
	type step struct {
		tick
		span time.Duration
		want int32
	}
	hard := func(d time.Duration, want int32) step { return step{hardTick, d, want} }
	easy := func(d time.Duration, want int32) step { return step{easyTick, d, want} }
	const up, down, first = riseAfter, fallAfter, riseAfter + tickEvery
	for name, steps := range map[string][]step{
		"idle":                   {{tick{}, time.Minute, 0}},
		"behind for a moment":    {hard(up, 0), easy(tickEvery, 0), hard(up, 0)},
		"busy, but in time":      {{tick{hardWait - 1, 1000}, time.Minute, 0}},
		"late, but not busy":     {{tick{time.Second, hardBusy - 1}, time.Minute, 0}},
		"rises step by step":     {hard(first, 1), hard(up-tickEvery, 1), hard(tickEvery, 2), hard(up, 3), hard(up, 4), hard(time.Minute, 4)},
		"stays where it is":      {hard(first, 1), {tick{0, 1000}, time.Hour, 1}, {tick{hardWait, hardBusy - 1}, time.Hour, 1}, {tick{0, easyBusy}, time.Hour, 1}},
		"falls step by step":     {hard(first+up, 2), easy(down, 2), easy(tickEvery, 1), easy(down-tickEvery, 1), easy(tickEvery, 0), easy(time.Hour, 0)},
		"easy for too short":     {hard(first, 1), easy(down, 1), {tick{0, easyBusy}, tickEvery, 1}, easy(down, 1), easy(tickEvery, 0)},
		"fell in vain":           {hard(first, 1), easy(down+tickEvery, 0), hard(first, 1), easy(2*down, 1), easy(tickEvery, 0), hard(first, 1), easy(4*down, 1), easy(tickEvery, 0)},
		"fell for some time":     {hard(first, 1), easy(down+tickEvery, 0), easy(down, 0), hard(first, 1), easy(down, 1), easy(tickEvery, 0)},
		"fell in vain from high": {hard(first+3*up, 4), easy(down+tickEvery, 3), hard(first, 4), easy(2*down, 4), easy(tickEvery, 3), easy(2*down, 2), easy(4*down, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			var s strain
			now := time.Hour
			for i, step := range steps {
				for end := now + step.span; now < end; now += tickEvery {
					s.waited = step.waited
					if s.bear(now, step.busy); s.waited != 0 {
						t.Fatalf("%v counts again", s.waited)
					}
				}
				if got := s.level.Load(); got != step.want {
					t.Fatalf("step %d: level %d, want %d", i, got, step.want)
				}
			}
		})
	}
	var s strain
	now := time.Hour
	for range 100 { // in vain, again and again
		for end := now + time.Hour; s.level.Load() == 0 && now < end; now += tickEvery {
			s.waited = hardWait
			s.bear(now, 1000)
		}
		for end := now + time.Hour; s.level.Load() > 0 && now < end; now += tickEvery {
			s.bear(now, 0)
		}
	}
	if s.calm != fallMost {
		t.Errorf("waits %v before it tries again", s.calm)
	}
}

// toil lets a shard have so many ticks.
func (b *bench) toil(n int, how tick) {
	for range n {
		b.now += tickEvery
		b.count.Busy += tickEvery * time.Duration(how.busy) / 1000
		b.waited = how.waited
		for _, c := range b.order {
			c.seen = b.now
		}
		b.timers()
	}
}

// TestStrainTakesLayers shows what receivers see while a shard has more and more
// to do: changes wait for key frames, and all comes back.
func TestStrainTakesLayers(t *testing.T) {
	for name, tt := range map[string]struct {
		height int
		stage  bool
		layers []int // that send
		want   [mostStrain + 1]int
	}{
		"in full":          {720, false, []int{0, 1, 2}, [...]int{2, 2, 1, 0, 0}},
		"on stage":         {360, true, []int{0, 1, 2}, [...]int{1, 1, 0, 0, 0}},
		"one of many":      {360, false, []int{0, 1, 2}, [...]int{1, 0, 0, 0, 0}},
		"smallest":         {180, false, []int{0, 1, 2}, [...]int{0, 0, 0, 0, 0}},
		"one layer":        {720, false, []int{0}, [...]int{0, 0, 0, 0, 0}},
		"no middle one":    {720, false, []int{0, 2}, [...]int{2, 2, 0, 0, 0}},
		"no lowest one":    {719, false, []int{1, 2}, [...]int{1, 1, 1, 1, 1}},
		"does not want it": {0, true, []int{0, 1, 2}, [...]int{-1, -1, -1, -1, -1}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			stamp := uint32(0)
			pictures := func(key bool) {
				stamp += 3000
				for _, layer := range tt.layers {
					s.take(layer, typeVP8, stamp, slim(layer, key, uint8(stamp/3000)))
				}
			}
			pictures(true)
			s.show(tt.height)
			w := s.to.view(s.from.video)
			if w != nil {
				w.stage = tt.stage
			}
			sees := func() int {
				if w == nil || w.layer == nil {
					return -1
				}
				return w.layer.rank
			}
			pictures(true)
			s.toil(int(time.Second/tickEvery), tick{0, hardBusy}) // until it counts
			for level, want := range tt.want {
				if level > 0 {
					before := sees()
					for n := 0; s.level.Load() < int32(level) && n < 100; n++ {
						s.toil(1, hardTick)
					}
					if pictures(false); sees() != before {
						t.Errorf("level %d: another layer without a key frame", level)
					}
				}
				if pictures(true); sees() != want {
					t.Errorf("level %d: sees layer %d, want %d", level, sees(), want)
				}
			}
			if w == nil {
				return
			}
			if s.to.path.limited || s.to.path.fell != 0 {
				t.Error("counts as lack of room")
			}
			s.toil(int((mostStrain*fallAfter+2*time.Second)/tickEvery), tick{})
			if pictures(true); s.level.Load() != 0 || sees() != tt.want[0] {
				t.Errorf("in the end level %d, sees layer %d", s.level.Load(), sees())
			}
		})
	}
}

// TestStrainTakesVoices lets many talk to a shard that has too much to do:
// everyone hears the four loudest others, whoever they are, until it is over.
func TestStrainTakesVoices(t *testing.T) {
	for _, many := range []int{12, 6} {
		b := newBench(t, many, 1)
		r, listener, seq := b.rooms[1], b.order[many], uint16(0)
		// talk returns who is heard after all talked for a while.
		talk := func(level func(i int) int) map[uint32]bool {
			var heard map[uint32]bool
			for range 400 {
				seq++
				b.now += 20 * time.Millisecond
				for i := range b.senders {
					b.take(i, b.packet(t, i, seq, byte(0x80|level(i))))
				}
				heard = map[uint32]bool{}
				for _, p := range r.pending {
					if listener.wanted(p.source) {
						heard[p.source.ssrc] = true
					}
				}
				b.forward()
				r.rank(b.now)
			}
			return heard
		}
		rising, falling := func(i int) int { return 120 - 10*i }, func(i int) int { return 10 + 10*i }
		all := min(many, loudest)
		for _, step := range []struct {
			strain int32
			level  func(i int) int
			want   int
			first  int // of them
		}{
			{mostStrain - 1, rising, all, many - all},
			{mostStrain, rising, fewest, many - fewest},
			{mostStrain, falling, fewest, 0},
			{0, falling, all, 0},
		} {
			b.level.Store(step.strain)
			got := talk(step.level)
			for i := range step.want {
				if len(got) != step.want || !got[uint32(step.first+i+1)] {
					t.Fatalf("of %d at strain %d are heard %v, want %d from %d on", many, step.strain, got, step.want, step.first+1)
				}
			}
			for i, c := range b.senders {
				n := 0
				for _, s := range r.sources {
					if s != nil && c.wanted(s) {
						n++
					}
				}
				if n != min(step.want, many-1) {
					t.Errorf("at strain %d speaker %d hears %d", step.strain, i, n)
				}
			}
		}
	}
}

// TestFull refuses those who are not there yet when no shard has time for more.
func TestFull(t *testing.T) {
	const newCall = 10
	s, _ := start(t, func(c *Config) { c.Shards = 2 })
	join := func(j calls.MediaJoin) error {
		t.Helper()
		_, err := s.Join(t.Context(), j)
		return err
	}
	settle := func() { _ = total(s, func(*shard) int { return 0 }) }                                  // what was posted is done, and published
	for _, j := range []calls.MediaJoin{{Conn: 1, User: 7}, {Conn: 2}, {Call: 1, Conn: 1, User: 7}} { // both shards have a call
		if err := join(j); err != nil {
			t.Fatal(err)
		}
	}
	const just = refuseAfter / 2
	for name, tt := range map[string]struct {
		level   [2]int32
		ease    int
		since   time.Duration
		join    calls.MediaJoin
		refused bool
	}{
		"somebody new":         {[2]int32{4, 4}, -1, refuseAfter, calls.MediaJoin{Conn: 3, User: 8}, true},
		"no user":              {[2]int32{4, 4}, -1, refuseAfter, calls.MediaJoin{Conn: 3}, true},
		"comes again":          {[2]int32{4, 4}, -1, refuseAfter, calls.MediaJoin{Conn: 3, User: 7}, false},
		"shows a screen, too":  {[2]int32{4, 4}, 0, refuseAfter, calls.MediaJoin{Conn: 3, User: 7, Presentation: true}, true},
		"another call":         {[2]int32{4, 4}, -1, refuseAfter, calls.MediaJoin{Call: newCall, Conn: 3, User: 7}, true},
		"another call's shard": {[2]int32{4, 3}, -1, refuseAfter, calls.MediaJoin{Call: newCall, Conn: 3, User: 8}, false},
		"not that much":        {[2]int32{3, 4}, -1, refuseAfter, calls.MediaJoin{Conn: 3, User: 8}, false},
		"not for long":         {[2]int32{4, 4}, -1, just, calls.MediaJoin{Conn: 3, User: 8}, false},
		"it became easy":       {[2]int32{4, 4}, 1, refuseAfter, calls.MediaJoin{Conn: 3, User: 9}, false},
	} {
		t.Run(name, func(t *testing.T) {
			for i, sh := range s.shards {
				_ = sh.do(t.Context(), func() {
					sh.level.Store(tt.level[i])
					sh.ease, sh.moved, sh.due = tt.ease, sh.now-tt.since, never // and stays so
				})
			}
			before := s.Metrics().Refused
			err := join(tt.join)
			settle()
			var visible *rpc.Error
			if errors.As(err, &visible) != tt.refused || err != nil && !errors.Is(err, errFull) {
				t.Errorf("join: %v", err)
			}
			if tt.refused && (visible.Code != 420 || visible.Name != "FLOOD_WAIT_5") {
				t.Errorf("join: %v", visible)
			}
			if m := s.Metrics(); (m.Refused > before) != tt.refused || m.Strain != 4 {
				t.Errorf("%d refused, strain %d", m.Refused, m.Strain)
			}
			if at := s.at(newCall); tt.join.Call == newCall && (at == nil) != tt.refused || at == s.shards[0] {
				t.Errorf("new call is at %p", at)
			}
			s.Leave(tt.join.Call, tt.join.Conn)
			settle()
		})
	}
}

// TestIdleHasNoStrain forgets what a shard had to do once nobody is there.
func TestIdleHasNoStrain(t *testing.T) {
	b := newBench(t, 1, 0)
	b.toil(int(time.Second/tickEvery), hardTick)
	if b.toil(int(riseAfter/tickEvery), hardTick); b.level.Load() != 1 {
		t.Fatalf("level %d", b.level.Load())
	}
	b.now += 2 * b.server.timeout
	for end := b.now + time.Second; b.now <= end; b.now += tickEvery {
		b.timers()
	}
	if b.active() || b.level.Load() != 0 || b.published.Load().Conns != 0 {
		t.Errorf("level %d, active %v, %+v", b.level.Load(), b.active(), b.published.Load())
	}
}

// TestBusyWithInbox lets something be posted while a batch is worked on: the
// time of both counts.
func TestBusyWithInbox(t *testing.T) {
	b := newBench(t, 1, 0)
	b.wind()
	b.start = b.start.Add(-time.Hour) // so long it takes
	b.post(func() { b.start = b.start.Add(-time.Hour) })
	b.runInbox()
	if b.rest(); b.count.Busy < 2*time.Hour || b.count.Busy >= 3*time.Hour {
		t.Errorf("busy for %v", b.count.Busy)
	}
}

// TestShare gives each call its part of the time by its packets.
func TestShare(t *testing.T) {
	b := newBench(t, 1, 1)
	r := b.order[0].room
	other := &room{call: 99}
	b.rooms[99] = other
	r.count.PacketsIn, other.count.Forwarded = 100, 300
	b.share(4 * time.Second)
	b.share(time.Second) // without a packet
	other.count.Forwarded++
	b.share(2 * time.Second)
	if mine, others := r.measure().Busy, other.measure().Busy; mine != time.Second || others != 5*time.Second {
		t.Errorf("%v and %v", mine, others)
	}
}

// lastMail is a socket whose shard stops after it read.
type lastMail struct {
	mailed
	shard *shard
}

func (m *lastMail) Read(ds []*udp.Datagram) (int, error) {
	m.shard.stopped = true
	return m.mailed.Read(ds)
}

// TestLoopNotesWaits reads datagrams late: how late the first was counts.
func TestLoopNotesWaits(t *testing.T) {
	b := newBench(t, 1, 1)
	m := &lastMail{mailed{counting: b.socket}, b.shard}
	for seq := range 2 {
		d := udp.Datagram{From: b.senders[0].addr, At: time.Now().UnixNano()}
		if seq == 0 {
			d.At -= int64(hardWait)
		}
		d.N = copy(d.Slot[:], b.packet(t, 0, uint16(seq), 20))
		m.left = append(m.left, d)
	}
	b.shard.socket, b.due = m, never
	if b.run(); b.waited < hardWait || b.count.Forwarded == 0 {
		t.Errorf("waited for %v, %d packets forwarded", b.waited, b.count.Forwarded)
	}
}
