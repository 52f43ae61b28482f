package load

import (
	"context"
	"encoding/json"
	"math"
	"time"
)

// figure is a measured number; NaN, one that could not be measured, is null in
// JSON.
type figure float64

// MarshalJSON implements json.Marshaler.
func (f figure) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
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
	Lost     int64  `json:"lost"` // below 0: more came than was expected
	P50      figure `json:"p50_ms"`
	P99      figure `json:"p99_ms"`
	RSS      figure `json:"rss_bytes_per_participant"`
	Expected int64  `json:"expected"`
	Received int64  `json:"received"`
	Broken   int64  `json:"undecryptable,omitempty"` // at the probes
	Feedback bool   `json:"feedback,omitempty"`
	Joins    int    `json:"joins,omitempty"` // of a storm
	JoinRate figure `json:"joins_per_second,omitempty"`
	JoinCPU  figure `json:"cpu_ms_per_join,omitempty"`
	Pushes   figure `json:"pushes_per_join,omitempty"` // of updates, to clients that listen
	Late     figure `json:"publishers_late_ms"`        // the worst delay of what was published
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
	w := Window{Scenario: c.scenario.Name, Feedback: c.feedback}
	interval := c.pump.streams[0].interval()
	for i, full := 0, false; i < maxWarmUps && !full; i++ {
		before, after, err := c.play(ctx, pid, int(warmUp/interval))
		if err != nil {
			return w, err
		}
		full = c.warm || after.received-before.received >= c.expected(before, after)
	}
	c.warm = true
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
	w.Lost = w.Expected - w.Received
	w.PPS = figure(float64(w.Received) / after.took.Seconds())
	w.Late = milliseconds(c.pump.late)
	w.CPU, w.RSS = figure(math.NaN()), figure(math.NaN())
	if after.measured {
		w.CPU = figure((after.usage.cpu - before.usage.cpu).Seconds() * 1e6 / float64(w.Received))
		w.RSS = c.memory(after.usage, idle)
	}
	c.latency(&w)
	return w, nil
}

// memory is what one participant takes. A server that was busy before has
// memory left over: nothing can be told then.
func (c *crowd) memory(now, idle usage) figure {
	if now.rss <= idle.rss {
		return figure(math.NaN())
	}
	return figure(float64(now.rss-idle.rss) / float64(c.scenario.Rooms*c.scenario.seats()))
}

// latency adds what the probes measured.
func (c *crowd) latency(w *Window) {
	times, broken := c.times()
	w.Broken, w.P50, w.P99 = broken, figure(math.NaN()), figure(math.NaN())
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
	w := Window{Scenario: s.Name, Feedback: c.feedback, Joins: s.Listeners * s.Rooms}
	pushes := c.target.pushes()
	before, err := c.read(pid)
	if err != nil {
		return w, err
	}
	c.times()
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
	if err = c.hear(ctx); err != nil {
		return w, err
	}
	after, err := c.read(pid)
	if err != nil {
		return w, err
	}
	w.Received = after.received - before.received
	w.Expected = w.Received // who was there when each packet was sent is nobody's to know
	w.PPS = figure(float64(w.Received) / elapsed.Seconds())
	w.Pushes = figure(c.target.pushes()-pushes) / figure(w.Joins)
	w.JoinRate = figure(float64(w.Joins) / elapsed.Seconds())
	w.CPU, w.RSS, w.JoinCPU = figure(math.NaN()), figure(math.NaN()), figure(math.NaN())
	if after.measured {
		w.JoinCPU = milliseconds(after.usage.cpu-before.usage.cpu) / figure(w.Joins)
		w.RSS = c.memory(after.usage, idle)
	}
	c.latency(&w)
	return w, c.leave(ctx, s.Publishers)
}

// hear waits for the last updates, if anybody listens.
func (c *crowd) hear(ctx context.Context) error {
	if c.target.pushes() == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(lastPush):
		return nil
	}
}
