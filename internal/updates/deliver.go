package updates

import (
	"context"
	"fmt"
	"slices"
	"time"

	"parley/internal/event"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// Publish runs commit and tells everybody what it made happen, one publication
// after another: pts are told in the order in which they were given out. It
// returns the caller's view, which the caller's session is not pushed; the
// caller's other sessions are. Once commit has succeeded nothing is undone,
// whoever hangs up. commit must not publish itself.
func (s *Service) Publish(ctx context.Context, c rpc.Caller, commit func(ctx context.Context) ([]event.Event, error)) (tg.UpdatesClass, error) {
	return s.publish(ctx, c, func(ctx context.Context) ([]telling, error) {
		events, err := commit(ctx)
		if err != nil {
			return nil, err
		}
		return s.tellAll(context.WithoutCancel(ctx), events), nil
	})
}

func (s *Service) publish(ctx context.Context, c rpc.Caller, commit func(ctx context.Context) ([]telling, error)) (tg.UpdatesClass, error) {
	var reply *tg.Updates
	var failed error
	err := s.turn(ctx, func() {
		var all []telling
		if all, failed = commit(ctx); failed == nil {
			reply, failed = s.deliver(context.WithoutCancel(ctx), c, all)
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	return reply, nil
}

// turn runs f when all earlier turns are over. A panic in it is the caller's.
func (s *Service) turn(ctx context.Context, f func()) error {
	var panicked any
	err := s.turns.Do(ctx, func() {
		defer func() { panicked = recover() }()
		f()
	})
	if panicked != nil {
		panic(panicked)
	}
	if err != nil {
		return fmt.Errorf("wait for turn: %w", err)
	}
	return nil
}

// Deliver tells everybody concerned of events that have no pts, and returns
// the caller's view. The order of two deliveries is the caller's business.
func (s *Service) Deliver(ctx context.Context, c rpc.Caller, events []event.Event) (tg.UpdatesClass, error) {
	ctx = context.WithoutCancel(ctx) // what has happened is told
	reply, err := s.deliver(ctx, c, s.tellAll(ctx, events))
	if err != nil {
		return nil, err
	}
	return reply, nil
}

// telling is one event on its way: whom it is for and how it looks to each.
type telling struct {
	to     []int64 // users to tell
	caller bool    // the caller sees it, in to or not
	reply  bool    // only the caller's own session sees it
	show   func(ctx context.Context, n *names) []tg.UpdateClass
	common *common // how most see it when they are told nothing else; nil: everybody differently
}

// deliver pushes tellings and returns the caller's view.
func (s *Service) deliver(ctx context.Context, c rpc.Caller, all []telling) (*tg.Updates, error) {
	p := pusher{s: s, now: time.Now(), bodies: map[string]*body{}}
	for user, mine := range s.plan(c, all) {
		p.push(ctx, user, nil, mine)
	}
	if c.User == 0 { // the server acted by itself
		return p.view(ctx, newNames(0), nil)
	}
	var own, pushed []telling
	for _, t := range all {
		if !t.isFor(c.User) {
			continue
		}
		own = append(own, t)
		if !t.reply {
			pushed = append(pushed, t)
		}
	}
	p.push(ctx, c.User, c.Session, pushed)
	return p.view(ctx, newNames(c.User), own)
}

// isFor tells whether the caller sees it.
func (t telling) isFor(caller int64) bool {
	return t.caller || t.reply || caller != 0 && slices.Contains(t.to, caller)
}

// plan returns what each user with a session, but for the caller, has to be
// told, in order. Whoever is not connected costs a look into a map.
func (s *Service) plan(c rpc.Caller, all []telling) map[int64][]telling {
	plan := map[int64][]telling{}
	for _, t := range all {
		if t.reply {
			continue
		}
		for user := range s.sessions.listening(t.to) {
			if user != c.User {
				plan[user] = append(plan[user], t)
			}
		}
	}
	return plan
}

// pusher makes one delivery: users who see the same share one body.
type pusher struct {
	s      *Service
	now    time.Time
	bodies map[string]*body // by their encoding
}

// push tells a user's sessions, but one. Whoever misses a push because it
// cannot be shown finds it in the difference.
func (p *pusher) push(ctx context.Context, user int64, except *rpc.Session, all []telling) {
	sessions := p.s.sessions.of(user, except)
	if len(sessions) == 0 || len(all) == 0 {
		return
	}
	b, err := p.shared(ctx, user, all)
	if err != nil {
		p.s.logger.Warn("update not pushed", "user", user, "err", err)
		return
	}
	for _, session := range sessions {
		session.Push(b)
	}
}

// shared returns the body for a user; for most, one made before.
func (p *pusher) shared(ctx context.Context, user int64, all []telling) (b *body, err error) {
	c := all[0].common
	if len(all) > 1 || c == nil || c.differs(ctx, user) {
		return p.body(ctx, user, all)
	}
	if c.body == nil {
		c.body, err = p.body(ctx, user, all)
	}
	return c.body, err
}

func (p *pusher) body(ctx context.Context, user int64, all []telling) (*body, error) {
	u, err := p.view(ctx, newNames(user), all)
	if err != nil {
		return nil, err
	}
	bytes, err := tg.Encode(u, tg.Layer)
	if err != nil {
		return nil, err
	}
	b, ok := p.bodies[string(bytes)]
	if !ok {
		b = newBody(u, bytes)
		p.bodies[string(bytes)] = b
	}
	return b, nil
}

// view returns what happened as one user sees it.
func (p *pusher) view(ctx context.Context, n *names, all []telling) (*tg.Updates, error) {
	u := &tg.Updates{Updates: make([]tg.UpdateClass, 0, len(all)), Date: int(p.now.Unix())}
	for _, t := range all {
		u.Updates = append(u.Updates, t.show(ctx, n)...)
	}
	var err error
	u.Users, u.Chats, err = p.s.resolve(ctx, n)
	return u, err
}
