package bwe

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// path is a simulated way to a receiver: a bottleneck with a drop-tail queue,
// loss, delay and jitter that may reorder, and feedback on the way back.
type path struct {
	capacity func(at time.Duration) float64 // bits per second
	queue    time.Duration                  // most
	loss     float64                        // of media
	lossBack float64                        // of feedback
	delay    time.Duration                  // each way
	jitter   time.Duration
	ordered  bool          // jitter does not reorder
	stall    time.Duration // now and then nothing comes for so long
	report   time.Duration // between feedbacks

	rng     *rand.Rand
	busy    time.Duration          // until
	arrived [1 << 16]time.Duration // 0 for not yet
	newest  time.Duration
	stalled time.Duration // until
	due     []arriving
	news    []uint16
	next    uint16
	back    []feedback
	dropped int
	longest time.Duration
}

type arriving struct {
	seq  uint16
	size int
	at   time.Duration
}

type feedback struct {
	at        time.Duration
	reference time.Duration
	base      uint16
	deltas    []time.Duration // -1 for missing
}

func (p *path) send(seq uint16, size int, now time.Duration) {
	p.busy = max(p.busy, now)
	if p.rng.Float64() < p.loss || p.busy-now > p.queue {
		p.dropped++
		return
	}
	p.longest = max(p.longest, p.busy-now)
	p.busy += time.Duration(float64(8*size) / p.capacity(now) * float64(time.Second))
	at := p.busy + p.delay
	if p.jitter > 0 {
		at += time.Duration(p.rng.Int64N(int64(p.jitter)))
	}
	if p.stall > 0 && at > p.stalled+2*p.stall && p.rng.IntN(20) == 0 {
		p.stalled = at + p.stall
	}
	if at = max(at, p.stalled); p.ordered {
		at = max(at, p.newest)
	}
	p.newest = max(p.newest, at)
	p.due = append(p.due, arriving{seq, size, at})
}

// step brings packets to the receiver, and makes its feedback.
func (p *path) step(now time.Duration) {
	for i := 0; i < len(p.due); i++ {
		if d := p.due[i]; d.at <= now {
			p.arrived[d.seq] = d.at
			p.news = append(p.news, d.seq)
			p.due = slices.Delete(p.due, i, i+1)
			i--
		}
	}
	if now%p.report != 0 || len(p.news) == 0 {
		return
	}
	from, to := p.next, p.news[0]
	for _, seq := range p.news {
		if int16(seq-from) < 0 {
			from = seq
		}
		if int16(seq-to) > 0 {
			to = seq
		}
	}
	p.news = p.news[:0]
	if int16(to+1-p.next) > 0 {
		p.next = to + 1
	}
	f := feedback{at: now + p.delay, base: from, reference: -1}
	const tick = 250 * time.Microsecond
	last := time.Duration(0)
	for seq := from; seq != to+1; seq++ {
		at := p.arrived[seq]
		if at == 0 {
			f.deltas = append(f.deltas, -1<<60)
			continue
		}
		if f.reference < 0 {
			f.reference = at / (64 * time.Millisecond) * 64 * time.Millisecond
			last = f.reference
		}
		d := (at - last) / tick * tick
		last += d
		f.deltas = append(f.deltas, d)
	}
	if p.rng.Float64() >= p.lossBack {
		p.back = append(p.back, f)
	}
}

// deliver gives the estimator what feedback came.
func (p *path) deliver(e *Estimator, now time.Duration) {
	for len(p.back) > 0 && p.back[0].at <= now {
		f := p.back[0]
		p.back = p.back[1:]
		e.Begin(f.reference+900*time.Second, now) // the clocks differ
		for i, d := range f.deltas {
			e.Arrived(f.base+uint16(i), d != -1<<60, max(d, -1<<40))
		}
		e.End()
	}
}

// sender sends media as the estimate allows, and padding for probes.
type sender struct {
	e      *Estimator
	p      *path
	demand float64   // of media
	layers []float64 // steps of the rate of media; nil for any
	seq    uint16
	budget float64 // bytes
	probe  Probe
	extra  float64
	probes int
}

func (s *sender) media() float64 {
	rate := min(float64(s.e.Rate()), s.demand)
	if s.layers == nil {
		return rate
	}
	best := s.layers[0] / 2
	for _, l := range s.layers {
		if l <= rate {
			best = l
		}
	}
	return best
}

func (s *sender) step(now time.Duration) {
	const ms = 0.001
	media := s.media()
	s.budget += media / 8 * ms
	if s.probe.Bytes > 0 {
		s.extra += max(float64(s.probe.Rate)-media, 0) / 8 * ms
	}
	size := min(1200, max(200, int(media/8/60)))
	for ; s.budget >= float64(size); s.budget -= float64(size) {
		s.out(size, now)
	}
	for ; s.extra >= 1200 && s.probe.Bytes > 0; s.extra -= 1200 {
		s.out(1200, now)
	}
	if now%(25*time.Millisecond) == 0 {
		if p, ok := s.e.Tick(now); ok {
			s.probe, s.extra = p, 1200
			s.probes++
		}
	}
}

func (s *sender) out(size int, now time.Duration) {
	id := uint8(0)
	if s.probe.Bytes > 0 {
		id = s.probe.ID
		s.probe.Bytes -= size
	}
	s.e.Sent(s.seq, size, id, now)
	s.p.send(s.seq, size, now)
	s.seq++
}

// outcome is what is to be known of a run.
type outcome struct {
	fell   time.Duration // from the cut until below the capacity
	worst  float64       // highest share of the capacity from 3 s after the cut
	steady float64       // mean share of capacity used before the cut
	low    float64       // mean estimate during the cut, of its capacity
	back   time.Duration // from the end of the cut until 80 % of what is wanted
	end    float64       // mean share at the end
	lost   float64       // share of packets
	queue  time.Duration // longest
}

// add makes o the worse of both in each respect.
func (o *outcome) add(p outcome) {
	o.steady, o.low, o.end = min(o.steady, p.steady), min(o.low, p.low), min(o.end, p.end)
	o.fell, o.back, o.queue = max(o.fell, p.fell), max(o.back, p.back), max(o.queue, p.queue)
	o.worst, o.lost = max(o.worst, p.worst), max(o.lost, p.lost)
}

const (
	cutAt  = 30 * time.Second
	backAt = 50 * time.Second
	endAt  = 80 * time.Second
	never  = time.Hour
)

// run simulates 30 s, a cut of 20 s and 30 s after it.
func run(t *testing.T, s *sender, full, cut float64) (o outcome) {
	t.Helper()
	p := s.p
	p.capacity = func(at time.Duration) float64 {
		if at >= cutAt && at < backAt {
			return cut
		}
		return full
	}
	goal := min(full, s.demand)
	var steady, low, end float64
	o.fell, o.back = never, never
	for now := time.Duration(0); now < endAt; now += time.Millisecond {
		s.e.Want(int64(s.demand))
		s.step(now)
		p.step(now)
		p.deliver(s.e, now)
		rate := float64(s.e.Rate())
		if s.demand < full {
			rate = min(rate, s.demand)
		}
		switch {
		case now >= 15*time.Second && now < cutAt:
			steady += rate / goal / 15000
		case now >= cutAt && now < backAt:
			if o.fell == never && rate < cut {
				o.fell = now - cutAt
			}
			if now >= cutAt+3*time.Second {
				o.worst = max(o.worst, rate/cut)
			}
			if now >= cutAt+5*time.Second {
				low += rate / cut / 15000
			}
		case now >= backAt:
			if o.back == never && rate > 0.8*goal {
				o.back = now - backAt
			}
			if now >= endAt-10*time.Second {
				end += rate / goal / 10000
			}
		}
		if testing.Verbose() && now%time.Second == 0 && *seconds {
			t.Logf("%3.0fs rate %7d delay %7.0f loss %7.0f acked %7d lost %.2f own %.2f queue %4.0f thr %.1f jit %.1f state %d probes %d rtt %v", now.Seconds(),
				s.e.Rate(), s.e.delay.rate, s.e.loss.rate, s.e.Acked(), s.e.Loss(), s.e.loss.own, s.e.trend.queue(), s.e.trend.threshold, s.e.trend.jitter, s.e.trend.state, s.probes, s.e.RTT())
		}
	}
	o.steady, o.low, o.end = steady, low, end
	o.lost, o.queue = float64(p.dropped)/float64(s.seq), p.longest
	return o
}
