package load

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/dtls/v3/pkg/crypto/selfsign"

	"parley/internal/colibri"
)

const (
	probes     = 2 // listeners of the first room that read their media
	checkEvery = 2500 * time.Millisecond
	wantEvery  = 2 // checks; so as often as tgcalls
	stepEvery  = 50 * time.Millisecond
	silent     = 10 * time.Second // without an answer a client is lost
)

// crowd is all clients of one server.
type crowd struct {
	scenario Scenario
	target   target
	feedback bool
	allowed  func(netip.Addr) error // may packets go there?
	cert     *certificate
	clock    func() time.Duration
	pump     *pump
	warm     bool // a window was measured

	mu      sync.Mutex
	clients [][]*client // by room and seat; nil is absent; guarded by mu
}

func newCrowd(s Scenario, t target, feedback bool, allowed func(netip.Addr) error) (*crowd, error) {
	cert, err := selfsign.GenerateSelfSigned()
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	start := time.Now()
	c := &crowd{
		scenario: s, target: t, feedback: feedback, allowed: allowed, pump: new(pump),
		cert:  &certificate{cert, colibri.Print(sha256.Sum256(cert.Certificate[0]))},
		clock: func() time.Duration { return time.Since(start) },
	}
	for range s.Rooms {
		c.clients = append(c.clients, make([]*client, s.seats()))
	}
	return c, nil
}

// enter lets the participants of some seats join and connect, in all rooms.
func (c *crowd) enter(ctx context.Context, from, to int) error {
	n := to - from
	return each(ctx, n*c.scenario.Rooms, func(ctx context.Context, i int) error {
		room, seat := i/n, from+i%n
		if err := c.join(ctx, room, seat); err != nil {
			return fmt.Errorf("participant %d of room %d: %w", seat, room, err)
		}
		return nil
	})
}

// join makes one client and connects it.
func (c *crowd) join(ctx context.Context, room, seat int) error {
	s := c.scenario
	m := &client{
		offer: offer{ssrc: randomSSRC(), ufrag: token(8), pwd: token(24), cert: c.cert, publishes: s.publishes(seat)},
		clock: c.clock,
	}
	switch {
	case s.publishes(seat):
		m.publish(s)
	case room == 0 && seat < s.Publishers+probes:
		m.probe = newProbe()
	}
	if c.feedback && s.hears(seat) > 0 {
		m.hearing = &hearing{ssrc: m.ssrc}
	}
	if m.sees = s.Video; m.sees && s.hears(seat) > 0 {
		m.peers = c.endpoints(room)
	}
	r, err := c.target.join(ctx, room, seat, m.offer)
	if err != nil {
		return err
	}
	if err = c.allowed(r.addr.Addr()); err != nil {
		return err
	}
	if err = m.connect(ctx, r); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clients[room][seat] = m
	if s.publishes(seat) {
		c.pump.add(m, seat, s.Publishers)
	}
	return nil
}

// endpoints are the videos of a room.
func (c *crowd) endpoints(room int) (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.clients[room][:c.scenario.Publishers] {
		if m != nil && m.endpoint != "" {
			all = append(all, m.endpoint)
		}
	}
	return all
}

// all returns the clients that are there.
func (c *crowd) all() (clients []*client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, room := range c.clients {
		for _, m := range room {
			if m != nil {
				clients = append(clients, m)
			}
		}
	}
	return clients
}

// leave takes the participants from a seat on out of their rooms.
func (c *crowd) leave(ctx context.Context, from int) error {
	n := c.scenario.seats() - from
	return each(ctx, n*c.scenario.Rooms, func(ctx context.Context, i int) error {
		room, seat := i/n, from+i%n
		c.mu.Lock()
		m := c.clients[room][seat]
		c.clients[room][seat] = nil
		c.mu.Unlock()
		if m == nil {
			return nil
		}
		defer m.close()
		return c.target.leave(ctx, room, seat, m.offer)
	})
}

// close ends all clients and their rooms.
func (c *crowd) close(ctx context.Context) {
	for _, m := range c.all() {
		m.close()
	}
	c.target.close(ctx)
}

// keep reads what came to those who need not hear it at once, and sends what
// engines send all the time, until ctx ends: checks, wishes and feedback, each
// client's at its own time.
func (c *crowd) keep(ctx context.Context) {
	tick := time.NewTicker(stepEvery)
	defer tick.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for i, m := range c.all() {
			report := (turn+i)%int(feedbackEvery/stepEvery) == 0
			if m.probe == nil && report {
				m.socket.collect(m.take, m.noted)
			}
			m.step(turn + i)
			if report && m.hearing != nil {
				m.sendFeedback()
			}
		}
	}
}

// step sends the check and the wishes that are due in one of a client's steps.
func (c *client) step(turn int) {
	const steps = int(checkEvery / stepEvery)
	if turn%steps == 0 {
		_ = c.check()
	}
	if c.data != nil && turn%(wantEvery*steps) == 0 {
		_ = c.want()
	}
}

// sendFeedback sends the RTCP that is due.
func (c *client) sendFeedback() {
	for _, b := range c.hearing.feedback(c.clock()) {
		if sealed, err := c.reports.EncryptRTCP(nil, b, nil); err == nil {
			_ = c.write(sealed)
		}
	}
}

var errSilent = errors.New("clients get no answers to their checks any more")

// alive tells whether the server still answers everybody.
func (c *crowd) alive() error {
	now, lost := c.clock(), 0
	for _, m := range c.all() {
		if now-time.Duration(m.answered.Load()) > silent {
			lost++
		}
	}
	if lost > 0 {
		return fmt.Errorf("%d %w", lost, errSilent)
	}
	return nil
}

// counters returns what counts the packets of everybody.
func (c *crowd) counters() (all []*counter) {
	for _, m := range c.all() {
		all = append(all, m.count)
	}
	return all
}

// times returns the latencies the probes measured since the last call, and
// how many packets they could not decrypt.
func (c *crowd) times() (all []time.Duration, broken int64) {
	for _, m := range c.all() {
		if m.probe != nil {
			all = slices.Concat(all, m.probe.drain())
			broken += m.probe.broken.Swap(0)
		}
	}
	return all, broken
}
