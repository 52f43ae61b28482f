package sfu

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"parley/internal/media/rtp"
	"parley/internal/media/udp"
)

const (
	tickEvery   = 100 * time.Millisecond // feedback and selection
	perSecond   = int(time.Second / tickEvery)
	scratchSize = 2048

	// A socket that only fails is given time, and costs no processor.
	failuresInRow = 100
	failurePause  = 10 * time.Millisecond
)

// shard owns the connections of the socket and everything packets touch. All
// fields but the inbox belong to its goroutine.
type shard struct {
	steering
	load
	strain
	waiting
	server *Server
	socket udp.Socket
	events *notifier

	start time.Time
	now   time.Duration // since start, as of the current batch
	wall  int64         // now, in ns of Unix time
	came  time.Duration // when the current datagram did
	due   time.Duration // of the next tick
	ticks int

	draining bool // no new handshakes
	stopped  bool

	rooms     map[int64]*room
	conns     map[connKey]*conn
	order     []*conn // all conns, for jobs done once a second
	byUfrag   map[string]*conn
	byAddr    map[udp.Peer]*conn // authenticated addresses only
	reporting []*conn            // conns with arrivals to tell about
	players   []*player
	dirty     []*room              // rooms with packets to forward
	planning  []*conn              // whose layers are to be chosen
	batch     uint64               // number of the batch being forwarded
	sendTime  uint32               // of now, as packets tell it
	gapped    []*layer             // layers that miss packets
	pacing    []*conn              // with packets held back
	paceDue   time.Duration        // when to send some
	probing   []*conn              // that padding is sent to
	probeDue  time.Duration        // when to send some
	gapDue    time.Duration        // when to ask for some
	header    [rtp.EgressSize]byte // scratch: arguments of an interface would escape
	slots     []*udp.Datagram
	scratch   []byte
	count     Metrics
	published atomic.Pointer[Metrics]

	mu      sync.Mutex
	inbox   []func() // guarded by mu
	pending atomic.Bool
	done    chan struct{}
}

type connKey struct{ call, id int64 }

func newShard(s *Server, place steering, socket udp.Socket) *shard {
	sh := &shard{
		steering: place, waiting: waiting{first: never}, server: s, socket: socket, events: s.events, start: time.Now(),
		rooms: map[int64]*room{}, conns: map[connKey]*conn{}, byUfrag: map[string]*conn{},
		byAddr: map[udp.Peer]*conn{}, scratch: make([]byte, 0, scratchSize), gapDue: never, probeDue: never, paceDue: never, done: make(chan struct{}),
	}
	for range maxDatagrams {
		sh.slots = append(sh.slots, new(udp.Datagram))
	}
	sh.publish()
	return sh
}

// post hands f to the shard; it is dropped once the shard has stopped.
func (sh *shard) post(f func()) {
	sh.mu.Lock()
	sh.inbox = append(sh.inbox, f)
	sh.mu.Unlock()
	sh.pending.Store(true)
	sh.socket.Wake()
}

// do runs f on the shard and waits for it.
func (sh *shard) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	sh.post(func() { f(); close(done) })
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-sh.done:
		return ErrClosed
	}
}

// run is the loop. A deadline wakes the read for ticks and players, and Wake
// for the inbox: the inbox is looked at after the deadline was set, so that no
// wake-up gets lost.
func (sh *shard) run() {
	defer close(sh.done)
	failures, armed := 0, never
	for rearm := true; !sh.stopped; {
		if rearm || sh.active() && sh.next() < armed {
			armed = sh.next()
			sh.socket.SetDeadline(sh.deadline())
			rearm = false
		}
		if sh.runInbox() {
			sh.socket.Flush()
			sh.publish()
			rearm = true
			continue
		}
		sh.rest()
		n, err := sh.socket.Read(sh.slots)
		sh.wind()
		if err != nil && !errors.Is(err, udp.ErrWoken) {
			if sh.server.closed.Load() {
				return
			}
			sh.count.ReadErrors++
			if failures++; failures >= failuresInRow {
				time.Sleep(failurePause)
			}
			continue
		}
		failures = 0
		sh.queued(n)
		sh.gather(n)
		sh.forward() // before anything else uses the slots
		sh.runPlans()
		rearm = err != nil
		if sh.active() && sh.now >= sh.next() {
			sh.timers()
			rearm = true
		}
		sh.socket.Flush()
	}
}

// runInbox runs what was posted, and tells whether there was something.
func (sh *shard) runInbox() bool {
	if !sh.pending.Load() {
		return false
	}
	sh.mu.Lock()
	tasks := sh.inbox
	sh.inbox = nil
	sh.pending.Store(false)
	sh.mu.Unlock()
	sh.rest()
	sh.wind()
	for _, f := range tasks {
		f()
	}
	sh.runPlans()
	return true
}

// wind sets the clock.
func (sh *shard) wind() {
	t := time.Now()
	sh.now, sh.wall = t.Sub(sh.start), t.UnixNano()
	sh.sendTime = rtp.SendTime(sh.now)
}

// active tells whether there is anything to do without packets. The reader tells
// what it did for others.
func (sh *shard) active() bool { return len(sh.order) > 0 || len(sh.players) > 0 || len(sh.away) > 0 }

// next returns when the next timed job is due.
func (sh *shard) next() time.Duration { return min(sh.due, sh.jobs()) }

// jobs returns when the next job is due that can't wait for packets.
func (sh *shard) jobs() time.Duration {
	at := min(sh.gapDue, sh.probeDue, sh.paceDue)
	for _, p := range sh.players {
		at = min(at, p.next)
	}
	return at
}

// deadline returns when the read has to return; never, for an idle server.
func (sh *shard) deadline() time.Time {
	if !sh.active() {
		return time.Time{}
	}
	return sh.start.Add(sh.next())
}

// timers does the timed jobs that are due.
func (sh *shard) timers() {
	for _, p := range sh.players {
		p.play(sh)
	}
	sh.forward()
	sh.askMissing()
	sh.drain()
	sh.sendProbes()
	if sh.now < sh.due {
		return
	}
	sh.due = sh.now + tickEvery
	sh.ticks++
	sh.tune(sh.now, len(sh.rooms), sh.count.Forwarded)
	sh.adapt()
	sh.feedback()
	for _, r := range sh.rooms {
		r.rank(sh.now)
		sh.lookAfter(r)
	}
	sh.runPlans()
	for i := sh.ticks % perSecond; i < len(sh.order); i += perSecond {
		sh.everySecond(sh.order[i])
	}
	if sh.ticks%perSecond == 0 {
		sh.publish()
	}
}

// everySecond looks after one connection.
func (sh *shard) everySecond(c *conn) {
	switch {
	case c.builtin:
	case c.parted != 0:
		if sh.now-c.parted >= farewellFor {
			sh.gone(c)
		}
	case c.out == nil && sh.now-c.created > sh.server.timeout:
		if !c.addr.IsValid() { // the operator's affair, most often
			sh.server.log.Warn("no packet of a participant came: is the media port open, and --public-ip right?",
				"call", c.call, "told", sh.server.candidates)
		}
		sh.gone(c)
	case c.out != nil && sh.now-c.seen > sh.server.timeout:
		sh.gone(c)
	default:
		sh.report(c)
		sh.byDefault(c)
		sh.plan(c)
		c.session.everySecond()
	}
}

// lookAfter does what the videos of a room need.
func (sh *shard) lookAfter(r *room) {
	for _, v := range r.videos {
		if v == nil {
			continue
		}
		if v.measure(sh.now) {
			sh.planAll(v)
		}
		sh.askKeys(v)
	}
	if len(r.videos) > 0 {
		sh.tend(r)
	}
	if r.unheard {
		sh.tellSenders(r)
	}
}

// gone ends a connection and tells the listener.
func (sh *shard) gone(c *conn) {
	if c.removed {
		return
	}
	sh.remove(c)
	sh.count.Gone++
	sh.events.gone(c.call, c.id)
}
