package bwe

import "time"

const (
	probeFactor   = 2 // of the estimate
	probeEnough   = 1.05
	probeTime     = 25 * time.Millisecond
	probeJitter   = 4 // times the jitter on top, for it stretches bursts
	probeLongest  = 250 * time.Millisecond
	probePackets  = 6
	probeLeast    = 4   // packets that came
	probeShare    = 0.4 // of the packets sent
	probeSize     = 1200
	probeFor      = 1500 * time.Millisecond // until there has to be a result
	probeKept     = 0.9                     // arrives when the path is not full
	probeUse      = 0.95                    // of a full path
	probeQueue    = 30                      // ms that then stand before all: jitter fills no path
	probeBunched  = 2                       // arrived that much faster than sent
	probeGain     = 1.1                     // of a successful one
	probeSoonest  = 50 * time.Millisecond
	probeAgain    = 300 * time.Millisecond // when there was no telling
	probeWait     = 2 * time.Second        // when the path was full
	probeMostWait = 5 * time.Second
)

// Probe asks to send so many bytes at a rate, in packets of about 1200, and to
// give ID to Sent with each, media that is due anyway included.
type Probe struct {
	ID    uint8
	Rate  int64 // bits per second
	Bytes int
}

// Span is how long the probe takes: of the least rates, more than half a second.
func (p Probe) Span() time.Duration {
	return time.Duration(int64(p.Bytes) * 8 * int64(time.Second) / max(p.Rate, 1))
}

// prober schedules probes and measures them.
type prober struct {
	want float64
	wait time.Duration
	due  time.Duration // not before then
	id   uint8
	open bool    // a result is awaited
	left int     // bytes to be sent
	full float64 // rate of the last one that filled the path; 0 = none did

	began     time.Duration
	last      int64 // number of the last packet sent
	packets   int   // sent
	came      int
	bytes     int // that came
	firstSize int
	lastSize  int
	sentFrom  time.Duration
	sentTo    time.Duration
	cameFrom  time.Duration
	cameTo    time.Duration
}

// next returns a probe when one is due; jitter is in ms, loss a share.
func (p *prober) next(rate, jitter, loss float64, rtt, now time.Duration) (probe Probe, due bool) {
	if p.open && now-p.began > probeFor+rtt {
		p.open = false
		p.postpone(probeAgain, now)
	}
	if p.open || now < p.due || p.want < probeEnough*rate {
		return probe, false
	}
	target := min(probeFactor*rate, p.want*probeEnough)
	seconds := probeTime.Seconds() + min(probeJitter*jitter/1000, probeLongest.Seconds())
	size := int(max(target/8*seconds, probePackets*probeSize) / max(1-loss, probeShare))
	*p = prober{want: p.want, wait: p.wait, full: p.full, id: max(p.id+1, 1), open: true, left: size, began: now, due: now, last: -1}
	return Probe{ID: p.id, Rate: int64(target), Bytes: size}, true
}

// postpone lets some time pass before the next probe, each time more.
func (p *prober) postpone(least time.Duration, now time.Duration) {
	p.wait = min(max(2*p.wait, least), probeMostWait)
	p.due = now + p.wait
}

func (p *prober) sent(id uint8, n int64, size int) {
	if id != 0 && id == p.id && p.open {
		p.packets++
		p.last = n
		p.left -= size
	}
}

func (p *prober) arrived(id uint8, size int, sent, came time.Duration) {
	if id == 0 || id != p.id || !p.open {
		return
	}
	if p.came == 0 || sent < p.sentFrom {
		p.sentFrom = sent
	}
	if p.came == 0 || sent >= p.sentTo {
		p.sentTo, p.lastSize = sent, size
	}
	if p.came == 0 || came < p.cameFrom {
		p.cameFrom, p.firstSize = came, size
	}
	if p.came == 0 || came > p.cameTo {
		p.cameTo = came
	}
	p.came++
	p.bytes += size
}

// result returns the rate that came through, once all packets are spoken of,
// and whether that is all the path holds; 0 when it cannot be told.
func (p *prober) result(newest int64) (rate float64, full, ok bool) {
	if !p.open || p.left > 0 || newest < p.last {
		return 0, false, false
	}
	p.open = false
	if p.came < probeLeast || float64(p.came) < probeShare*float64(p.packets) {
		return 0, false, true
	}
	sent, came := (p.sentTo - p.sentFrom).Seconds(), (p.cameTo - p.cameFrom).Seconds()
	if sent <= 0 || came <= 0 {
		return 0, false, true
	}
	sentRate := float64(8*(p.bytes-p.lastSize)) / sent
	cameRate := float64(8*(p.bytes-p.firstSize)) / came
	switch {
	case cameRate > probeBunched*sentRate:
		return 0, false, true
	case cameRate < probeKept*sentRate:
		return probeUse * cameRate, true, true
	}
	return min(sentRate, cameRate), false, true
}

// judge tells whether a result raises the rate, and when the next probe is due.
// What filled the path before is no gain, though the rate fell since to let the
// queue drain: the next probe would only fill it again.
func (p *prober) judge(result float64, full bool, rate float64, now time.Duration) bool {
	known := full && result < probeGain*p.full
	if full {
		p.full = result
	}
	switch {
	case result == 0:
		p.postpone(probeAgain, now)
	case result < probeGain*rate, known:
		p.postpone(probeWait, now)
	default:
		p.wait, p.due = 0, now+probeSoonest
	}
	return result > rate
}
