package load

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// figure is a measured number; NaN, one that could not be measured, is null in
// JSON.
type figure float64

// known tells whether a figure could be measured.
func (f figure) known() bool { return !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0) }

// MarshalJSON implements json.Marshaler.
func (f figure) MarshalJSON() ([]byte, error) {
	if !f.known() {
		return []byte("null"), nil
	}
	return json.Marshal(math.Round(float64(f)*1000) / 1000)
}

// Window is what one window of time showed.
type Window struct {
	Scenario string `json:"scenario"`
	Server   string `json:"server"` // parley or baseline
	PPS      figure `json:"pps"`    // packets that reached participants
	CPU      figure `json:"cpu_us_per_packet"`
	Lost     int64  `json:"lost"`
	P50      figure `json:"p50_ms"`
	P99      figure `json:"p99_ms"`
	RSS      figure `json:"rss_bytes_per_participant"`
	Expected int64  `json:"expected"`
	Received int64  `json:"received"`
	Broken   int64  `json:"undecryptable,omitempty"` // at the probes
	Feedback bool   `json:"feedback,omitempty"`
	Joins    int    `json:"joins,omitempty"` // of a storm
	JoinRate figure `json:"joins_per_second"`
	JoinCPU  figure `json:"cpu_ms_per_join"`
	Pushes   figure `json:"pushes_per_join"`    // of updates, if clients listen
	Late     figure `json:"publishers_late_ms"` // the worst delay of what was published
}

// MarshalJSON leaves out what got lost in a storm: who was there when each
// packet was sent is nobody's to know.
func (w Window) MarshalJSON() ([]byte, error) {
	type plain Window
	if w.Joins == 0 {
		return json.Marshal(plain(w))
	}
	return json.Marshal(struct {
		plain
		Lost     *int64 `json:"lost"`
		Expected *int64 `json:"expected"`
	}{plain: plain(w)})
}

// blank returns a window that nothing is known of yet.
func (c *crowd) blank() Window {
	no := figure(math.NaN())
	return Window{
		Scenario: c.scenario.Name, Feedback: c.feedback, PPS: no, CPU: no, P50: no, P99: no, RSS: no,
		JoinRate: no, JoinCPU: no, Pushes: no, Late: no,
	}
}

const (
	warmUp     = time.Second
	maxWarmUps = 15 // until all that should arrive does: estimates of bandwidth take time
	settleStep = 10 * time.Millisecond
	settleTime = time.Second     // without a packet nothing more comes
	settleMax  = 5 * time.Second // and be it that packets still come
)

// reading is the state of all counters at one moment.
type reading struct {
	usage    usage
	measured bool // usage is known
	received int64
	sent     int64
	took     time.Duration // of the publishing
}

// spent returns the microseconds of CPU that the server took since an earlier
// reading. What is less than a few clock ticks is no measure.
func (r reading) spent(before reading) figure {
	d := r.usage.cpu - before.usage.cpu
	if !r.measured || d < leastCPU {
		return figure(math.NaN())
	}
	return figure(d.Seconds() * 1e6)
}

// settle waits until as many packets arrived as have to, or no more come: on
// a busy machine a server may not run for a while.
func (c *crowd) settle(ctx context.Context, all []*counter, want int64) (n int64, err error) {
	start := time.Now()
	for moved := start; ; {
		now, err := received(all)
		if err != nil {
			return 0, err
		}
		if now != n {
			n, moved = now, time.Now()
		}
		if n >= want || time.Since(moved) > settleTime || time.Since(start) > settleMax {
			return n, nil
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(settleStep):
		}
	}
}

// play lets everybody publish n packets or frames, and reads the counters
// when what came of it has arrived.
func (c *crowd) play(ctx context.Context, pid, n int) (before, after reading, err error) {
	if before, err = c.read(pid); err != nil {
		return before, after, err
	}
	start := time.Now()
	if err = c.pump.play(ctx, n); err != nil {
		return before, after, err
	}
	took := time.Since(start)
	want := before.received + (c.pump.sent()-before.sent)*int64(c.scenario.expected())
	if _, err = c.settle(ctx, c.counters(), want); err != nil {
		return before, after, err
	}
	after, err = c.read(pid)
	after.took = took
	return before, after, err
}

// expected is how many packets have to arrive between two readings.
func (c *crowd) expected(before, after reading) int64 {
	return (after.sent - before.sent) * int64(c.scenario.expected())
}

// read takes a reading.
func (c *crowd) read(pid int) (r reading, err error) {
	r.sent = c.pump.sent()
	if r.received, err = received(c.counters()); err != nil || pid == 0 {
		return r, err
	}
	r.measured = true
	r.usage, err = readUsage(pid)
	return r, err
}

// window lets publishers publish for some seconds and measures. Before and
// after it nobody publishes for a moment, so that what is expected is exact.
func (c *crowd) window(ctx context.Context, pid int, seconds int, idle usage) (Window, error) {
	w := c.blank()
	interval := c.pump.streams[0].interval()
	if err := c.rehearse(ctx, pid, int(warmUp/interval)); err != nil {
		return w, err
	}
	c.times()
	c.pump.late = 0
	before, after, err := c.play(ctx, pid, int(time.Duration(seconds)*time.Second/interval))
	if err != nil {
		return w, err
	}
	if err = c.alive(); err != nil {
		return w, err
	}
	w.Received = after.received - before.received
	w.Expected = c.expected(before, after)
	w.Lost = max(w.Expected-w.Received, 0)
	w.PPS = figure(float64(w.Received) / after.took.Seconds())
	w.Late = milliseconds(c.pump.late)
	w.CPU = after.spent(before) / figure(w.Received)
	w.RSS = c.memory(after, idle)
	c.latency(&w)
	return w, nil
}

// rehearse lets publishers publish a second at a time: before the first window,
// until all that should arrive does.
func (c *crowd) rehearse(ctx context.Context, pid, n int) error {
	said := c.scenario.Loudest
	for i, last := 0, said; i < maxWarmUps; i++ {
		before, after, err := c.play(ctx, pid, n)
		if err != nil {
			return err
		}
		// Later, more can be what came late. Loss can look like fewer voices once,
		// by chance. A server with too much to do sends fewer, but not in the first
		// two seconds.
		got := after.received - before.received
		seen := c.scenario.voices(got, after.sent-before.sent)
		if !c.warm && (i == 0 && seen > said || i == 1 && seen < said && seen == last) {
			return fmt.Errorf("%w: the server forwards %d of the loudest, not %d: give --loudest %d", ErrSetting, seen, said, seen)
		}
		last = seen
		if c.warm || got >= c.expected(before, after) {
			break
		}
	}
	c.warm = true
	return nil
}

// memory is what one participant takes. A server that was busy before has
// memory left over: nothing can be told then.
func (c *crowd) memory(now reading, idle usage) figure {
	if !now.measured || now.usage.rss <= idle.rss {
		return figure(math.NaN())
	}
	return figure(float64(now.usage.rss-idle.rss) / float64(c.scenario.Rooms*c.scenario.seats()))
}

// latency adds what the probes measured.
func (c *crowd) latency(w *Window) {
	times, broken := c.times()
	w.Broken = broken
	if v, ok := percentile(times, 0.5); ok {
		w.P50 = milliseconds(v)
	}
	if v, ok := percentile(times, 0.99); ok {
		w.P99 = milliseconds(v)
	}
}

func milliseconds(d time.Duration) figure { return figure(float64(d) / float64(time.Millisecond)) }

// storm lets all listeners join at once, while publishers publish, and leave
// again. What of the server's CPU was spent on forwarding is in the cost of
// the joins, too.
func (c *crowd) storm(ctx context.Context, pid int, idle usage) (Window, error) {
	s := c.scenario
	w := c.blank()
	w.Joins = s.Listeners * s.Rooms
	pushes, listening := c.target.pushes()
	before, err := c.read(pid)
	if err != nil {
		return w, err
	}
	c.times()
	c.pump.late = 0
	playing, stop := context.WithCancel(ctx)
	played := make(chan error, 1)
	go func() { played <- c.pump.play(playing, -1) }()
	start := time.Now()
	err = c.enter(ctx, s.Publishers, s.seats())
	elapsed := time.Since(start)
	stop()
	if perr := <-played; err == nil {
		err = perr
	}
	if err != nil {
		return w, err
	}
	if listening {
		if err = c.hear(ctx); err != nil {
			return w, err
		}
		heard, _ := c.target.pushes()
		w.Pushes = figure(heard-pushes) / figure(w.Joins)
	}
	after, err := c.read(pid)
	if err != nil {
		return w, err
	}
	w.Received = after.received - before.received
	w.PPS = figure(float64(w.Received) / elapsed.Seconds())
	w.JoinRate = figure(float64(w.Joins) / elapsed.Seconds())
	w.JoinCPU = after.spent(before) / 1000 / figure(w.Joins)
	w.RSS = c.memory(after, idle)
	if s.Publishers > 0 {
		w.Late = milliseconds(c.pump.late)
	}
	c.latency(&w)
	return w, c.leave(ctx, s.Publishers)
}

// hear waits for the last updates.
func (c *crowd) hear(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(lastPush):
		return nil
	}
}
