package sfu

import (
	"testing"
	"time"
)

// TestNarrowPath cuts the way to one of two receivers to 300 kbit/s and opens
// it again; the other one sees nothing of it.
func TestNarrowPath(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 100, groups: simulcast(100, 3)})
	b := connect(t, s, options{conn: 2, ssrc: 200})
	c := connect(t, s, options{conn: 3, ssrc: 300})
	ready(t, s, 3)
	k := film(a, 180, 360, 720)
	for i, n := range []int{20, 70, 1000} {
		k.layers[i].filling = n
	}
	b.channel().want(t, 720, endpointOf(1))
	c.channel().want(t, 720, endpointOf(1))
	defer k.roll()()
	layer := func(c *client) (layer int) {
		for layer = -1; len(c.rtp) > 0; {
			if p := <-c.rtp; p.SSRC == 101 {
				layer = int(p.Payload[len(p.Payload)-1])
			}
		}
		return layer
	}
	follow := func(limit time.Duration, f func(now int) bool) {
		t.Helper()
		began := time.Now()
		for !f(layer(b)) {
			<-time.After(pictureEvery)
			if now := layer(c); now >= 0 && now < 2 && time.Since(began) > time.Second {
				t.Fatalf("the other receiver sees layer %d", now)
			}
			if time.Since(began) > limit {
				_ = home(s).do(t.Context(), func() {
					p := home(s).conns[connKey{1, 2}].path
					t.Errorf("estimate %d, acked %d, loss %f, planned %d", p.estimate.Rate(), p.estimate.Acked(), p.estimate.Loss(), p.planned)
				})
				t.Fatalf("nothing after %v", limit)
			}
		}
		t.Logf("after %v", time.Since(began))
	}
	follow(5*time.Second, func(now int) bool { return now == 2 })
	b.limit.Store(300e3)
	follow(3*time.Second, func(now int) bool { return now == 0 || now == 1 })
	follow(5*time.Second, func(now int) bool { return now == 1 })
	b.limit.Store(0)
	follow(15*time.Second, func(now int) bool { return now == 2 })
}

// newWavering shows layers of 60, 150 and 900 kbit/s as high as there is room in
// what the receiver tells.
func newWavering(t *testing.T, told int64) (*stage, *view) {
	t.Helper()
	s := newStage(t)
	s.show(180)
	for i := range 3 {
		s.take(i, typeVP8, 0, slim(i, true, 1))
		s.from.video.layers[i].rate = []int{60e3, 150e3, 900e3}[i]
	}
	s.now += time.Minute
	s.to.path.fed = true
	s.to.path.estimate.REMB(told, s.now)
	s.show(720)
	return s, s.to.view(s.from.video)
}

// TestKeepsWhatItShows does not follow an estimate that wavers.
func TestKeepsWhatItShows(t *testing.T) {
	s, w := newWavering(t, 1000e3)
	for _, tt := range []struct {
		rate int64
		want int
	}{{1000e3, 1}, {1200e3, 2}, {1000e3, 2}, {800e3, 2}, {700e3, 1}, {1200e3, 1}} {
		s.to.path.estimate.REMB(tt.rate, s.now)
		if s.allocate(s.to); w.target.rank != tt.want {
			t.Errorf("layer %d at %d bit/s, want %d", w.target.rank, tt.rate, tt.want)
		}
	}
	if s.now += upAfter; w.target.rank != 1 {
		t.Error("up at once")
	}
	if s.allocate(s.to); w.target.rank != 2 {
		t.Error("never up again")
	}
}

// TestUpInVain waits longer before each higher layer that had no room before,
// and forgets that once there was room.
func TestUpInVain(t *testing.T) {
	s, w := newWavering(t, 1200e3)
	// after makes the layer too much, and returns how long it takes to come back.
	after := func(shown time.Duration) time.Duration {
		s.now += shown
		s.to.path.estimate.REMB(700e3, s.now)
		if s.allocate(s.to); w.target.rank != 1 {
			t.Fatalf("layer %d where there is no room", w.target.rank)
		}
		s.to.path.estimate.REMB(1200e3, s.now)
		began := s.now
		for s.allocate(s.to); w.target.rank != 2; s.allocate(s.to) {
			s.now += 100 * time.Millisecond
		}
		return s.now - began
	}
	const vain = 2 * time.Second
	for i, tt := range []struct{ shown, want time.Duration }{
		{time.Minute, upAfter},
		{vain, 2 * upAfter},
		{vain, 4 * upAfter},
		{vain, upMost},
		{vain, upMost},
		{upProven, upAfter},
		{vain, 2 * upAfter},
	} {
		if got := after(tt.shown); got != tt.want {
			t.Errorf("fall %d: it comes back after %v, want %v", i, got, tt.want)
		}
	}
}

// TestRoomForAll divides a narrow path: what is on stage first, then something
// of everyone.
func TestRoomForAll(t *testing.T) {
	const none = -1
	for _, tt := range []struct {
		rate   int
		stage  int
		height int
		want   []int
	}{
		{5000e3, none, 720, []int{2, 2, 2}},
		{2600e3, none, 720, []int{2, 2, 1}},
		{700e3, none, 720, []int{1, 1, 1}},
		{380e3, none, 720, []int{1, 0, 0}},
		{1200e3, 1, 720, []int{1, 2, 0}},
		{1600e3, 2, 720, []int{1, 1, 2}},
		{130e3, none, 720, []int{0, 0, none}},
		{50e3, none, 720, []int{0, none, none}},
		{5000e3, none, 360, []int{1, 1, 1}},
	} {
		b := newBench(t, 1, 0)
		b.now = time.Hour
		c := b.senders[0]
		c.path = b.newPath()
		for i := range tt.want {
			v := &video{conn: &conn{room: c.room}, slot: i, open: true}
			for rank := range 3 {
				v.layers = append(v.layers, &layer{video: v, rank: rank, live: true, rate: []int{60e3, 150e3, 900e3}[rank], stream: &stream{}})
			}
			w := c.open(v)
			w.height, w.stage = tt.height, i == tt.stage
		}
		c.path.fed = true
		c.path.estimate.REMB(int64(tt.rate), b.now)
		b.allocate(c)
		for i, want := range tt.want {
			got := none
			if l := c.views[i].target; l != nil {
				got = l.rank
			}
			if got != want {
				t.Errorf("%d bit/s, stage %d, height %d: video %d has layer %d, want %d", tt.rate, tt.stage, tt.height, i, got, want)
			}
		}
	}
}

// TestOneLayerRamps shows cameras of one layer while it is found out what they
// take and whether there is room, and keeps all but one back when there is not.
func TestOneLayerRamps(t *testing.T) {
	b := newBench(t, 2, 1)
	films := b.film(t, 1100)
	c := b.order[2]
	c.path.fed = true
	run := func(d time.Duration) {
		for end := b.now + d; b.now < end; b.now += 4 * time.Millisecond {
			for _, f := range films {
				f.next(b.shard)
			}
			b.forward()
			b.lookAfter(c.room)
			b.runPlans()
		}
		b.plan(c)
		b.runPlans()
	}
	seen := func() (n int) {
		for _, w := range c.views {
			if w != nil && w.layer != nil {
				n++
			}
		}
		return n
	}
	run(2 * time.Second)
	if rate := films[0].layer.rate; seen() != 2 || rate < 2000e3 {
		t.Errorf("sees %d of %d bit/s", seen(), rate)
	}
	c.path.estimate.REMB(2500e3, b.now)
	if run(2 * time.Second); seen() != 1 {
		t.Errorf("sees %d where there is room for one", seen())
	}
}
