package bwe

import (
	"math"
	"time"
)

const (
	groupSpan = 5 * time.Millisecond // of packets sent as one
	burstSpan = 100 * time.Millisecond
	window    = 20 // groups
	smoothing = 0.9
	gain      = 4
	mostCount = 60

	firstThreshold = 12.5 // ms
	leastThreshold = 6
	mostThreshold  = 600
	thresholdUp    = 0.0087
	thresholdDown  = 0.039
	outlier        = 15  // ms over the threshold: a jump of the path
	adaptAtMost    = 100 // ms
	overTime       = 10  // ms

	// standing is the least queue, in ms, to speak of overuse. The shortest
	// delay among many packets tells a queue from jitter, if it is more than
	// this share of the jitter.
	standing      = 10
	standingShare = 0.7
	jitterNew     = 0.05 // weight of a group
	baseFor       = 10 * time.Second
	jump          = 3 * time.Second // of the receiver's clock
)

// signal is what the delay says of the path.
type signal uint8

const (
	normal signal = iota
	over
	under
)

// group is packets that were sent at about the same time.
type group struct {
	first, last time.Duration // sent
	arrival     time.Duration
}

// trend watches the one-way delay of groups of packets (draft 5.2 to 5.4).
type trend struct {
	group  group
	began  bool
	zero   time.Duration // delay that counts as none: clocks differ
	start  time.Duration
	count  int
	smooth float64
	at     [window]float64 // ms since start
	delays [window]float64 // smoothed, ms
	raw    [window]float64

	jitter   float64    // ms, bends of the delay
	base     [2]float64 // shortest delay of this period and of the last
	baseFrom time.Duration

	threshold float64
	overFor   float64 // ms
	overCount int
	state     signal
}

func (t *trend) reset() {
	*t = trend{threshold: firstThreshold, base: [2]float64{math.Inf(1), math.Inf(1)}}
}

// add takes in a packet; packets come in the order of their numbers.
func (t *trend) add(at, arrival time.Duration) {
	g := &t.group
	if t.began && (arrival-g.arrival > jump || g.arrival-arrival > jump) {
		t.reset()
	}
	if !t.began {
		t.began, t.start, t.zero, t.baseFrom = true, at, arrival-at, at
		*g = group{at, at, arrival}
		return
	}
	d := arrival - g.arrival
	burst := d-(at-g.last) < 0 && d >= 0 && d <= groupSpan && at-g.first < burstSpan
	if at-g.first <= groupSpan || burst {
		g.last, g.arrival = at, max(g.arrival, arrival)
		return
	}
	t.sample(millis(g.last-t.start), millis(g.arrival-g.last-t.zero))
	*g = group{at, at, arrival}
}

// sample takes in the delay of a group.
func (t *trend) sample(at, delay float64) {
	if t.count == 0 {
		t.smooth = delay
	}
	t.smooth = smoothing*t.smooth + (1-smoothing)*delay
	previous := t.at[t.back(1)]
	if t.count >= 2 {
		bend := math.Abs(delay - 2*t.raw[t.back(1)] + t.raw[t.back(2)])
		t.jitter += jitterNew * (bend - t.jitter)
	}
	i := t.count % window
	t.at[i], t.delays[i], t.raw[i] = at, t.smooth, delay
	t.count++
	t.rebase(delay)
	if t.count >= 2 {
		t.detect(at-previous, t.slope())
	}
}

// back returns where the n-th last group is.
func (t *trend) back(n int) int { return (t.count + window - n) % window }

// rebase follows the shortest delay of the last one to two periods.
func (t *trend) rebase(delay float64) {
	if t.group.last-t.baseFrom >= baseFor {
		t.baseFrom = t.group.last
		t.base[1], t.base[0] = t.base[0], math.Inf(1)
	}
	t.base[0] = min(t.base[0], delay)
}

// queue returns how many ms of queue every packet of the window stood in.
func (t *trend) queue() float64 {
	if t.count == 0 {
		return 0
	}
	least := math.Inf(1)
	for _, d := range t.raw[:min(t.count, window)] {
		least = min(least, d)
	}
	return least - min(t.base[0], t.base[1])
}

// queued tells whether there is a queue, and not just jitter.
func (t *trend) queued() bool { return t.queue() >= max(standing, standingShare*t.jitter) }

// slope returns how fast the delay grows, by least squares.
func (t *trend) slope() float64 {
	n := min(t.count, window)
	var x, y float64
	for i := range n {
		x += t.at[i]
		y += t.delays[i]
	}
	x, y = x/float64(n), y/float64(n)
	var xy, xx float64
	for i := range n {
		dx := t.at[i] - x
		xy += dx * (t.delays[i] - y)
		xx += dx * dx
	}
	if xx == 0 {
		return 0
	}
	return xy / xx
}

// detect compares the slope with the threshold (draft 5.4).
func (t *trend) detect(passed, slope float64) {
	value := slope * gain * float64(min(t.count, mostCount))
	switch {
	case value > t.threshold:
		t.overFor += passed
		t.overCount++
		if t.overFor > overTime && t.overCount > 1 && t.queued() {
			t.state, t.overFor, t.overCount = over, 0, 0
		}
	case value < -t.threshold:
		t.state, t.overFor, t.overCount = under, 0, 0
	default:
		t.state, t.overFor, t.overCount = normal, 0, 0
	}
	size := math.Abs(value)
	if size > t.threshold+outlier {
		return
	}
	speed := thresholdUp
	if size < t.threshold {
		speed = thresholdDown
	}
	t.threshold += speed * (size - t.threshold) * min(max(passed, 0), adaptAtMost)
	t.threshold = min(max(t.threshold, leastThreshold), mostThreshold)
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
