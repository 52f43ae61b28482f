package bwe

import (
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	seconds = flag.Bool("seconds", false, "log each second of the simulations")
	one     = flag.Int("seed", -1, "simulate with this seed only")
	only    = flag.String("path", "", "simulate this path only")
)

const seeds = 3

// TestPaths cuts paths of many kinds, and opens them again.
func TestPaths(t *testing.T) {
	layers := []float64{100e3, 300e3, 900e3}
	lossy := func(share float64) func(*path) {
		return func(p *path) { p.loss, p.lossBack = share, share }
	}
	jitter := func(p *path) { p.jitter = 100 * time.Millisecond }
	inOrder := func(ms time.Duration) func(*path) {
		return func(p *path) { p.jitter, p.ordered = ms*time.Millisecond, true }
	}
	stalls := func(ms time.Duration) func(*path) {
		return func(p *path) { p.stall, p.ordered = ms*time.Millisecond, true }
	}
	queue := func(d time.Duration) func(*path) { return func(p *path) { p.queue = d } }
	tests := []struct {
		name              string
		full, cut, demand float64
		layers            []float64
		change            func(p *path)
		worst             float64 // share of the capacity, at most, from 3 s after the cut
		share             float64 // at least, on average
	}{
		{"300k to 100k", 300e3, 100e3, 2.5e6, nil, nil, 1.25, 0.7},
		{"1M to 300k", 1e6, 300e3, 2.5e6, nil, nil, 1.25, 0.7},
		{"5M to 300k", 5e6, 300e3, 8e6, nil, nil, 1.25, 0.7},
		{"5M to 1M", 5e6, 1e6, 8e6, nil, nil, 1.25, 0.7},
		// A layer below the capacity proves nothing of the capacity.
		{"layers, 5M to 300k", 5e6, 300e3, 1.1e6, layers, nil, 1.55, 0.7},
		{"layers, 1M to 300k", 1e6, 300e3, 1.1e6, []float64{60e3, 210e3, 850e3}, nil, 1.55, 0.7},
		{"queue 30 ms, 1M to 300k", 1e6, 300e3, 2.5e6, nil, queue(30 * time.Millisecond), 1.25, 0.7},
		{"queue 2 s, 1M to 300k", 1e6, 300e3, 2.5e6, nil, queue(2 * time.Second), 1.25, 0.7},
		{"loss 5 %, 1M to 300k", 1e6, 300e3, 2.5e6, nil, lossy(0.05), 1.25, 0.7},
		{"loss 5 %, 5M to 1M", 5e6, 1e6, 8e6, nil, lossy(0.05), 1.25, 0.7},
		{"loss 20 %, 1M to 300k", 1e6, 300e3, 2.5e6, nil, lossy(0.2), 1.55, 0.45},
		{"loss 20 %, layers, 5M to 300k", 5e6, 300e3, 1.1e6, layers, lossy(0.2), 1.55, 0.45},
		{"jitter 100 ms, 1M to 300k", 1e6, 300e3, 2.5e6, nil, jitter, 1.4, 0.7},
		{"jitter 100 ms, layers, 5M to 300k", 5e6, 300e3, 1.1e6, layers, jitter, 1.55, 0.7},
		{"in order, jitter 40 ms, 1M to 300k", 1e6, 300e3, 2.5e6, nil, inOrder(40), 1.4, 0.7},
		{"in order, jitter 40 ms, 5M to 300k", 5e6, 300e3, 8e6, nil, inOrder(40), 1.4, 0.7},
		{"in order, jitter 40 ms, layers", 5e6, 300e3, 1.1e6, layers, inOrder(40), 1.55, 0.7},
		{"in order, jitter 100 ms, layers", 5e6, 300e3, 1.1e6, layers, inOrder(100), 1.55, 0.7},
		{"stalls of 40 ms, 5M to 300k", 5e6, 300e3, 8e6, nil, stalls(40), 1.4, 0.7},
		{"stalls of 40 ms, layers", 5e6, 300e3, 1.1e6, layers, stalls(40), 1.55, 0.7},
		{"stalls of 100 ms, layers", 5e6, 300e3, 1.1e6, layers, stalls(100), 1.6, 0.7},
		{"150 ms each way, 1M to 300k", 1e6, 300e3, 2.5e6, nil, func(p *path) { p.delay = 150 * time.Millisecond }, 1.25, 0.7},
	}
	t.Logf("the worst of %d runs each:", seeds)
	t.Logf("%-34s %8s %8s %8s %8s %8s %8s %6s %8s", "path", "before", "fell", "worst", "in cut", "back", "after", "lost", "queue")
	for _, tt := range tests {
		if *only != "" && *only != tt.name {
			continue
		}
		sum := outcome{steady: 2, low: 2, end: 2}
		for seed := range uint64(seeds) {
			if *one >= 0 && seed != uint64(*one) {
				continue
			}
			p := &path{
				queue: 300 * time.Millisecond, delay: time.Duration(25+7*seed) * time.Millisecond, report: 50 * time.Millisecond,
				rng: rand.New(rand.NewPCG(seed, 2)),
			}
			if tt.change != nil {
				tt.change(p)
			}
			s := &sender{e: New(Config{Start: 300e3, Min: 30e3, Max: 20e6}), p: p, demand: tt.demand, layers: tt.layers}
			o := run(t, s, tt.full, tt.cut)
			if o.steady < tt.share || o.fell > 3*time.Second || o.worst > tt.worst || o.low < tt.share || o.back > 15*time.Second || o.end < tt.share {
				t.Errorf("%s, seed %d: %+v", tt.name, seed, o)
			}
			sum.add(o)
		}
		t.Logf("%-34s %7.0f%% %8v %7.0f%% %7.0f%% %8v %7.0f%% %5.1f%% %8v", tt.name, 100*sum.steady, sum.fell.Round(10*time.Millisecond), 100*sum.worst,
			100*sum.low, sum.back.Round(10*time.Millisecond), 100*sum.end, 100*sum.lost, sum.queue.Round(time.Millisecond))
	}
}

func config() Config { return Config{Start: 300e3, Min: 50e3, Max: 2e6} }

func TestConfig(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want int64
	}{
		{Config{Start: 300, Min: 100, Max: 500}, 300},
		{Config{Start: 30, Min: 100, Max: 500}, 100},
		{Config{Start: 900, Min: 100, Max: 500}, 500},
		{Config{}, 1},
	} {
		if got := New(tt.cfg).Rate(); got != tt.want {
			t.Errorf("%+v begins with %d", tt.cfg, got)
		}
	}
}

// TestREMB follows the estimate of a receiver without transport-wide feedback,
// and its loss.
func TestREMB(t *testing.T) {
	e, now := New(config()), time.Second
	for _, tt := range []struct{ told, want int64 }{{800e3, 800e3}, {200e3, 200e3}, {10, 50e3}, {9e9, 2e6}} {
		e.REMB(tt.told, now)
		if e.Rate() != tt.want {
			t.Errorf("told %d, estimate %d", tt.told, e.Rate())
		}
		if _, due := e.Tick(now); due {
			t.Error("a probe that nothing would come of")
		}
	}
	least := e.Rate()
	for range 8 {
		now += time.Second
		e.Report(64, 100, 0, now)
		e.Trip(80*time.Millisecond, now)
		least = min(least, e.Rate())
	}
	if least > 1300e3 || e.Loss() < 0.2 || e.RTT() != 80*time.Millisecond {
		t.Errorf("a quarter lost: %d, %.2f", least, e.Loss())
	}
	for range 30 {
		now += time.Second
		e.Report(0, 100, 0, now)
	}
	if e.Rate() < 1900e3 {
		t.Errorf("nothing lost: %d", e.Rate())
	}
}

// feed tells that packets came, one each 10 ms.
func feed(e *Estimator, seq *uint16, count int, now *time.Duration) {
	from := *seq
	for range count {
		e.Sent(*seq, 500, 0, *now)
		*seq++
		*now += 10 * time.Millisecond
	}
	e.Begin(*now/(64*time.Millisecond)*(64*time.Millisecond), *now)
	for i := range count {
		e.Arrived(from+uint16(i), true, 10*time.Millisecond)
	}
	e.End()
}

// TestSilence stops the feedback of a receiver that gave some.
func TestSilence(t *testing.T) {
	e, seq, now := New(config()), uint16(0), time.Second
	for range 20 {
		feed(e, &seq, 5, &now)
	}
	before := e.Rate()
	e.Want(2e6)
	now += 10 * time.Second // nothing was sent: silence is no wonder
	if _, due := e.Tick(now); !due {
		t.Error("no probe where nothing is sent")
	}
	if e.Rate() != before {
		t.Errorf("%d fell to %d while nothing was sent", before, e.Rate())
	}
	e.Sent(seq, 500, 0, now) // gets lost, and nothing follows
	seq++
	for end := now + 10*time.Second; now < end; now += 100 * time.Millisecond {
		e.Tick(now)
	}
	if e.Rate() != before {
		t.Errorf("%d fell to %d by one packet", before, e.Rate())
	}
	for range 100 {
		e.Sent(seq, 500, 0, now)
		seq++
		now += 50 * time.Millisecond
		if _, due := e.Tick(now); due && e.Rate() < before {
			t.Fatal("probes where nothing comes back")
		}
	}
	if e.Rate() > before/4 {
		t.Errorf("%d fell to %d in 5 s of silence", before, e.Rate())
	}
	e.REMB(700e3, now)
	if e.Rate() != 700e3 {
		t.Errorf("another kind of feedback: %d", e.Rate())
	}
}

// TestFarNumbers sends with gaps and wraps, and with clocks that wrap and jump.
func TestFarNumbers(t *testing.T) {
	e, seq, now := New(config()), uint16(65000), 100*time.Hour
	for i := range 200 {
		feed(e, &seq, 10, &now)
		switch i % 20 {
		case 5:
			seq += 3000
		case 11:
			seq += 30000
		case 17:
			e.Begin(referenceWrap-time.Duration(i)*time.Minute, now)
			e.Arrived(seq-3, false, 0)
			e.Arrived(seq-1, true, -time.Hour)
			e.End()
		}
	}
	if e.Rate() < 250e3 || e.Loss() != 0 {
		t.Errorf("estimate %d, loss %.2f", e.Rate(), e.Loss())
	}
}

func TestHistory(t *testing.T) {
	var h history
	if _, p := h.find(0); p != nil {
		t.Error("found in nothing")
	}
	for i := range 5000 {
		n, ok := h.add(uint16(65000+i), 100+i%7, 0, time.Duration(i)*time.Millisecond, true)
		if !ok || n != int64(65000+i) {
			t.Fatalf("%d is %d", i, n)
		}
	}
	if len(h.ring) != mostHistory {
		t.Errorf("grew to %d", len(h.ring))
	}
	now := 5 * time.Second
	for i := 5000 - mostHistory; i < 5000; i++ {
		n, p := h.find(uint16(65000 + i))
		if p == nil || n != int64(65000+i) || p.at(now) != time.Duration(i)*time.Millisecond || int(p.size) != 100+i%7 {
			t.Fatalf("%d is %d %+v", i, n, p)
		}
	}
	if _, p := h.find(uint16((65000 + 5000 - mostHistory - 1) & 0xffff)); p != nil {
		t.Error("found what is forgotten")
	}
	if _, p := h.find(uint16((65000 + 5000) & 0xffff)); p != nil {
		t.Error("found what was never sent")
	}
	if _, ok := h.add(uint16(65000), 1, 0, now, true); ok {
		t.Error("went back")
	}
}

// TestProbe measures probes over paths that are wide, narrow and bunching.
func TestProbe(t *testing.T) {
	for _, tt := range []struct {
		name  string
		every time.Duration // arrivals
		low   float64
		high  float64
	}{
		{"wide", 9600 * time.Microsecond, 950e3, 1050e3},
		{"narrow", 20 * time.Millisecond, 450e3, 500e3},
		{"bunched", 3 * time.Millisecond, 0, 0},
	} {
		p := prober{want: 1e6}
		probe, due := p.next(500e3, 0, 0, initialRTT, time.Second)
		if !due || probe.Rate != 1e6 || probe.Bytes != probePackets*probeSize || probe.ID == 0 {
			t.Fatalf("%s: %+v", tt.name, probe)
		}
		for i := range int64(probePackets) {
			if _, _, ok := p.result(i); ok {
				t.Errorf("%s: result of %d packets", tt.name, i)
			}
			p.sent(probe.ID, i, 1200)
			p.arrived(probe.ID, 1200, time.Duration(i)*9600*time.Microsecond, time.Duration(i)*tt.every)
		}
		if rate, _, ok := p.result(probePackets - 1); !ok || rate < tt.low || rate > tt.high {
			t.Errorf("%s: %f %v", tt.name, rate, ok)
		}
	}
	p := prober{want: 1e6}
	if _, due := p.next(990e3, 0, 0, initialRTT, 0); due {
		t.Error("probed for what there is")
	}
	p.next(100e3, 0, 0, initialRTT, 0)
	if _, due := p.next(100e3, 0, 0, initialRTT, time.Second); due {
		t.Error("a second probe beside the first")
	}
	if _, due := p.next(100e3, 0, 0, initialRTT, 1700*time.Millisecond); due {
		t.Error("probed at once after a probe without result")
	}
	if _, due := p.next(100e3, 0, 0, initialRTT, 5*time.Second); !due {
		t.Error("gave up probing")
	}
}

func TestNoAllocation(t *testing.T) {
	e, seq, now := New(config()), uint16(0), time.Second
	e.Want(2e6)
	for range 100 {
		feed(e, &seq, 10, &now)
	}
	if n := testing.AllocsPerRun(200, func() {
		feed(e, &seq, 10, &now)
		e.Tick(now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzEstimator takes any feedback; the estimate stays within its bounds.
func FuzzEstimator(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, now, seq := New(config()), time.Duration(0), uint16(0)
		e.Want(2e6)
		for ; len(b) >= 5; b = b[5:] {
			v := binary.BigEndian.Uint32(b[1:])
			now += time.Duration(b[0]>>4) * 7 * time.Millisecond
			switch b[0] & 7 {
			case 0:
				seq += uint16(v >> 16)
				fallthrough
			case 1, 2:
				e.Sent(seq, int(uint16(v)), e.probe.id&b[0]>>3, now)
				seq++
			case 3:
				e.Begin(time.Duration(int32(v)>>8)*64*time.Millisecond, now)
			case 4, 5:
				e.Arrived(seq-uint16(v>>24), b[0]&8 != 0, time.Duration(int16(v))*250*time.Microsecond)
			case 6:
				e.End()
				e.Tick(now)
			case 7:
				e.REMB(int64(v), now)
				e.Report(uint8(v), int(v>>16), int64(v), now)
				e.Trip(time.Duration(v), now)
			}
			if rate := e.Rate(); rate < e.cfg.Min || rate > e.cfg.Max || !(e.Loss() >= 0 && e.Loss() <= 1) || e.Acked() < 0 {
				t.Fatalf("estimate %d, loss %f, acked %d", rate, e.Loss(), e.Acked())
			}
		}
	})
}

// BenchmarkPacket sends a packet and takes in what feedback says of it, ten in
// a feedback.
func BenchmarkPacket(b *testing.B) {
	e, seq, now := New(config()), uint16(0), time.Second
	b.ReportAllocs()
	for i := 0; i < b.N; i += 10 {
		feed(e, &seq, 10, &now)
	}
}
