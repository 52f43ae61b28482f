// Package bwe estimates how many bits per second the path to one receiver
// holds, from what the receiver reports of the packets sent to it.
//
// Two controllers work side by side and the lower one counts: one watches the
// delay between groups of packets grow, the other the share of packets lost
// (draft-ietf-rmcat-gcc-02; the trend of the delay stands in for its Kalman
// filter). Probes ask whether the path holds more than is being sent.
//
// An Estimator is owned by one goroutine. Times are since any fixed moment; it
// reads no clock, and allocates only when its history grows, up to a bound.
package bwe

import (
	"time"
	"unsafe"
)

const (
	// silent is how long no feedback may come before the rate falls.
	silent       = time.Second
	silentEvery  = 500 * time.Millisecond
	silentFactor = 0.7

	hopeAfter = 3 * time.Second // without a report
	hopeEvery = time.Second

	initialRTT = 100 * time.Millisecond
	maxRTT     = 2 * time.Second
	smoothRTT  = 0.2

	referenceWrap = time.Duration(1<<24) * 64 * time.Millisecond
	transportFor  = 2 * time.Second // so long transport-wide feedback outweighs the rest
)

// Config bounds an estimate, in bits per second.
type Config struct{ Start, Min, Max int64 }

// Estimator is the estimate for one receiver.
type Estimator struct {
	// What Sent needs lies in a row, the first Hot bytes.
	history history
	unfed   time.Duration // since the last feedback, the first packet was sent; 0 for none
	fed     bool          // transport-wide feedback came ever

	cfg   Config
	rate  float64
	acked throughput
	trend trend
	delay aimd
	loss  lossy
	probe prober
	own   own

	rtt       time.Duration
	fedAt     time.Duration
	cutAt     time.Duration // for silence
	uncut     float64       // the rate before that
	reference time.Duration // of the last feedback, as told
	clock     time.Duration // the receiver's, unwrapped
	now       time.Duration // of the feedback being read
	newest    int64         // number received
	newestAt  time.Duration // when it was sent
	fresh     bool          // this feedback told something new
	lone      bool          // nothing but receiver reports came ever
	reported  time.Duration // when the last one did, or the rate rose without
}

// Hot is how many bytes from its beginning on Sent reads of an Estimator.
const Hot = unsafe.Offsetof(Estimator{}.fed) + 1

// Place returns where Sent notes the next packet, for the processor to fetch
// ahead; nil before the first one.
func (e *Estimator) Place() unsafe.Pointer { return e.history.place() }

// New returns an estimator that begins with cfg.Start.
func New(cfg Config) *Estimator {
	cfg.Min = max(cfg.Min, 1)
	cfg.Max = max(cfg.Max, cfg.Min)
	cfg.Start = min(max(cfg.Start, cfg.Min), cfg.Max)
	e := &Estimator{cfg: cfg, rate: float64(cfg.Start), rtt: initialRTT, newest: -1}
	e.delay.rate, e.loss.rate = e.rate, e.rate
	e.trend.reset()
	return e
}

// Rate returns the estimate in bits per second.
func (e *Estimator) Rate() int64 { return int64(e.rate) }

// Acked returns the bits per second that lately arrived; 0 when not known.
func (e *Estimator) Acked() int64 { return int64(e.acked.rate()) }

// Loss returns the share of packets that lately got lost.
func (e *Estimator) Loss() float64 { return e.loss.share }

// RTT returns the round trip time, with what feedback waits at the receiver.
func (e *Estimator) RTT() time.Duration { return e.rtt }

// Moved tells that the path is another one from now on. What is on its way and
// what was learnt say nothing of it: it begins with Start, or with what the old
// path had when that is less.
func (e *Estimator) Moved() {
	if e.cutAt != 0 {
		e.rate = e.uncut
	}
	e.rate = min(e.rate, float64(e.cfg.Start))
	e.history.forget()
	e.trend.reset()
	e.acked, e.delay, e.loss = throughput{}, aimd{rate: e.rate}, lossy{rate: e.rate}
	e.probe = prober{want: e.probe.want, id: e.probe.id}
	e.rtt, e.unfed, e.cutAt = initialRTT, 0, 0
	e.own = own{told: e.own.told, rate: e.own.rate}
}

// Want tells the rate that would be used if there were as much. While it is
// above the estimate, there are probes; it starts as 0.
func (e *Estimator) Want(rate int64) { e.probe.want = float64(min(rate, e.cfg.Max)) }

// Sent notes a packet of so many bytes on the wire; probe is the Probe it
// belongs to, or 0. Sequence numbers are transport-wide and rise.
func (e *Estimator) Sent(seq uint16, size int, probe uint8, now time.Duration) {
	n, ok := e.history.add(seq, size, probe, now, e.fed)
	if !ok {
		return
	}
	if e.unfed == 0 {
		e.unfed = now
	}
	e.probe.sent(probe, n, size)
}

// Begin begins a transport-wide feedback with its reference time. Arrived for
// each packet it speaks of and End follow.
func (e *Estimator) Begin(reference, now time.Duration) {
	d := (reference - e.reference) % referenceWrap
	switch {
	case d > referenceWrap/2:
		d -= referenceWrap
	case d < -referenceWrap/2:
		d += referenceWrap
	}
	if !e.fed {
		d = 0
	}
	e.reference += d
	if !e.fed {
		e.reference = reference
		e.better(float64(e.cfg.Start))
	}
	e.clock = e.reference
	if e.fed && !e.transport(now) { // what was lost meanwhile says nothing of the path as it is now
		e.trend.reset()
		e.acked, e.loss = throughput{}, lossy{rate: e.loss.rate}
		e.history.settled = e.history.next
	}
	e.own.proven, e.own.more = 0, 0
	e.fed, e.fedAt, e.unfed, e.cutAt, e.now, e.fresh = true, now, 0, 0, now, false
}

// Arrived tells of one packet whether it came, and if so how long after the
// one before. Numbers that were never sent are ignored.
func (e *Estimator) Arrived(seq uint16, received bool, delta time.Duration) {
	if received {
		e.clock += delta
	}
	n, p := e.history.find(seq)
	if p == nil || p.state == came || !received && p.state == missed {
		return
	}
	e.fresh = true
	if !received {
		p.state = missed
		return
	}
	p.state = came
	at := p.at(e.now)
	e.acked.add(e.clock, int(p.size))
	e.probe.arrived(p.probe, int(p.size), at, e.clock)
	if n > e.newest {
		e.newest, e.newestAt = n, at
		e.trend.add(at, e.clock)
	}
}

// End ends a feedback and brings the estimate up to date.
func (e *Estimator) End() {
	if !e.fresh || e.newest < 0 {
		return
	}
	now := e.now
	sample := min(max(now-e.newestAt, 0), maxRTT)
	e.rtt += time.Duration(smoothRTT * float64(sample-e.rtt))
	acked := e.acked.rate()
	e.delay.update(e.trend.state, acked, e.rtt, now)
	lost, total := e.history.settle(e.newest, e.newestAt, now)
	e.loss.count(lost, total)
	e.loss.update(e, acked, now)
	if rate, full, ok := e.probe.result(e.newest); ok {
		e.probed(rate, full && e.trend.queue() >= probeQueue, now)
	}
	e.settle()
}

// probed takes in the result of a probe.
func (e *Estimator) probed(rate float64, full bool, now time.Duration) {
	if e.probe.judge(rate, full, e.rate, now) && !e.loss.heavy() {
		e.delay.rate = max(e.delay.rate, rate)
		e.loss.raise(rate)
	}
}

// settle makes the estimate of what the controllers say.
func (e *Estimator) settle() {
	lowest, highest := float64(e.cfg.Min), float64(e.cfg.Max)
	e.delay.rate = min(max(e.delay.rate, lowest), highest)
	e.loss.rate = min(max(e.loss.rate, lowest), e.delay.rate)
	e.rate = min(e.delay.rate, e.loss.rate)
}

// Report takes in a receiver report about a stream: the share of lost packets
// in 1/256, of how many, and how many bits per second are sent. It counts for
// receivers that send no transport-wide feedback.
func (e *Estimator) Report(lost uint8, packets int, sent int64, now time.Duration) {
	if e.transport(now) {
		return
	}
	if e.own.filling(now) && beyond(float64(lost)/256, e.loss.own) > fillLoss {
		e.own.full(now)
		e.bound()
	}
	e.loss.count(packets*int(lost)/256, packets)
	if e.lone = !e.fed && !e.own.told; e.lone { // of more than is sent, nothing is known
		e.delay.rate, e.reported = float64(e.cfg.Max), now
		if float64(lost) > highLoss*256 {
			e.rate = min(e.rate, float64(max(sent, e.cfg.Min)))
		}
	}
	e.loss.update(e, 0, now)
	e.settle()
}

// better forgets what reports alone said, beyond a rate.
func (e *Estimator) better(rate float64) {
	if e.lone {
		e.lone = false
		e.delay.rate = min(e.rate, rate)
		e.settle()
	}
}

// Suffers tells whether all that is known of a receiver is that it lacks packets.
func (e *Estimator) Suffers() bool { return e.lone && e.loss.heavy() }

// hope lets the rate rise where nothing is sent that could be reported of.
func (e *Estimator) hope(now time.Duration) {
	if e.lone && now-e.reported >= hopeAfter {
		e.reported += hopeEvery
		e.loss.rate = min(e.rate*increase+lossStep, e.delay.rate)
		e.settle()
	}
}

// transport tells whether transport-wide feedback comes.
func (e *Estimator) transport(now time.Duration) bool { return e.fed && now-e.fedAt < transportFor }

// Tick is to be called every 20 to 100 ms. It lowers the rate when feedback
// has stopped, and returns a probe to be sent, if one is due: padding, or
// retransmissions, on top of or around the media. Where nothing is sent that
// could be answered, probes go on.
func (e *Estimator) Tick(now time.Duration) (p Probe, due bool) {
	e.hope(now)
	if e.unfed != 0 && now-e.history.last(now) > silent {
		e.unfed = 0 // what is answered no more by now got lost, and no more was sent
	}
	if e.fed && e.unfed != 0 && now-e.unfed > silent+e.rtt && now-e.cutAt >= silentEvery {
		if e.cutAt == 0 {
			e.uncut = e.rate
		}
		e.cutAt = now
		e.delay.rate, e.loss.rate = e.rate*silentFactor, e.rate*silentFactor
		e.settle()
	}
	switch {
	case e.Own():
		return e.fill(now)
	case !e.fed, e.unfed != 0 && (!e.transport(now) || now-e.unfed > silent):
		return p, false
	case !e.transport(now): // nothing is sent, maybe for lack of room: only a probe can tell that there is some
	case e.loss.heavy() || e.trend.state == over:
		e.probe.due = max(e.probe.due, now+probeAgain)
		return p, false
	}
	return e.probe.next(e.rate, e.trend.jitter, e.loss.share, e.rtt, now)
}
