package link

import (
	"container/heap"
	"math/rand/v2"
	"sync"
	"time"
)

// Conditions is what a link does to packets, in each direction.
type Conditions struct {
	Loss    float64       // share of packets that never arrive
	Delay   time.Duration // of every packet
	Jitter  time.Duration // up to so much more, in order
	Reorder float64       // share of packets that overtake those delayed
	Rate    int           // bits per second; 0 is unlimited
	Queue   time.Duration // what a full queue takes at that rate; more is lost
}

// pipe is one direction of a link.
type pipe struct {
	wake chan struct{}
	stop chan struct{}

	mu      sync.Mutex
	on      Conditions // guarded by mu
	random  *rand.Rand // guarded by mu
	waiting queue      // guarded by mu
	busy    time.Time  // until when the last packet is being sent; guarded by mu
	latest  time.Time  // when the last of those in order arrives; guarded by mu
	count   uint64     // guarded by mu
}

// newPipe makes a perfect pipe. What a seed's pipe does is always the same.
func newPipe(seed uint64) *pipe {
	return &pipe{wake: make(chan struct{}, 1), stop: make(chan struct{}), random: rand.New(rand.NewPCG(seed, 1))}
}

func (p *pipe) set(c Conditions) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.on = c
}

// put sends a packet, or loses it.
func (p *pipe) put(b packet) {
	p.mu.Lock()
	now := time.Now()
	at, ok := p.arrival(now, len(b))
	if ok {
		p.count++
		heap.Push(&p.waiting, queued{at: at, order: p.count, packet: b})
	}
	p.mu.Unlock()
	if ok {
		select {
		case p.wake <- struct{}{}:
		default: // it wakes already
		}
	}
}

// arrival tells when a packet of a size arrives, if it does.
func (p *pipe) arrival(now time.Time, size int) (time.Time, bool) {
	c := p.on
	if p.random.Float64() < c.Loss {
		return now, false
	}
	at := now
	if c.Rate > 0 {
		if p.busy.Before(now) {
			p.busy = now
		}
		if p.busy.Sub(now) > c.Queue {
			return now, false
		}
		p.busy = p.busy.Add(time.Duration(size) * 8 * time.Second / time.Duration(c.Rate))
		at = p.busy
	}
	if p.random.Float64() < c.Reorder {
		return at, true
	}
	at = at.Add(c.Delay + time.Duration(p.random.Float64()*float64(c.Jitter)))
	if at.Before(p.latest) {
		at = p.latest
	}
	p.latest = at
	return at, true
}

// run hands packets over when they arrive, until the pipe is closed.
func (p *pipe) run(deliver func(packet)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next := p.due(deliver)
		timer.Reset(next)
		select {
		case <-p.stop:
			return
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// due delivers what has arrived and returns how long the next one takes.
func (p *pipe) due(deliver func(packet)) time.Duration {
	for {
		p.mu.Lock()
		if len(p.waiting) == 0 {
			p.mu.Unlock()
			return time.Hour
		}
		if left := time.Until(p.waiting[0].at); left > 0 {
			p.mu.Unlock()
			return left
		}
		q, _ := heap.Pop(&p.waiting).(queued)
		p.mu.Unlock()
		deliver(q.packet)
	}
}

func (p *pipe) close() { close(p.stop) }

// queued is a packet on its way.
type queued struct {
	at     time.Time
	order  uint64
	packet packet
}

// queue is a heap of packets, the next to arrive first.
type queue []queued

// Len implements heap.Interface.
func (q queue) Len() int { return len(q) }

// Less implements heap.Interface.
func (q queue) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].order < q[j].order
}

// Swap implements heap.Interface.
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	if p, ok := x.(queued); ok {
		*q = append(*q, p)
	}
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	p := (*q)[last]
	*q = (*q)[:last]
	return p
}
