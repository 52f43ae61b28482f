package calls

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"parley/internal/call"
	"parley/internal/event"
	"parley/internal/loop"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// activeEvery is how often a call tells who spoke.
const activeEvery = 5 * time.Second

// live is a call that has not ended, and its loop.
type live struct {
	s    *Service
	id   call.ID
	chat peer.ID
	loop *loop.Loop
	stop context.CancelFunc

	c     *call.Call      // owned by the loop
	conns map[int64]int64 // owned by the loop: user of each connection
	spoke map[int64]bool  // owned by the loop: users whose active_date is untold
	news  news            // owned by the loop

	mu      sync.Mutex
	pending pending       // guarded by mu
	wake    chan struct{} // holds one signal: something is pending
}

// pending is what others reported and the loop has not handled. Connections
// and members bound it.
type pending struct {
	gone    map[int64]struct{} // connections that died
	spoke   map[int64]time.Time
	removed map[int64]struct{} // users who are no members any more
	hidden  bool               // who is no member may not see the chat any more
	over    bool               // the chat is gone
}

func newPending() pending {
	return pending{gone: map[int64]struct{}{}, spoke: map[int64]time.Time{}, removed: map[int64]struct{}{}}
}

// begin starts the loop of a call that nobody knows yet.
func (s *Service) begin(c *call.Call) *live {
	ctx, stop := context.WithCancel(s.ctx)
	i := c.Info()
	l := &live{
		s: s, id: i.ID, chat: i.Chat, loop: loop.Start(ctx), stop: stop,
		c: c, conns: map[int64]int64{}, spoke: map[int64]bool{},
		news: news{heard: map[int64]int{}}, pending: newPending(), wake: make(chan struct{}, 1),
	}
	s.running.Go(func() {
		l.watch(ctx)
		<-l.loop.Done()
	})
	return l
}

func (l *live) log() *slog.Logger { return l.s.cfg.Log.With("call", int64(l.id)) }

// signal notes something for the loop without waiting for it.
func (l *live) signal(note func(p *pending)) {
	l.mu.Lock()
	note(&l.pending)
	l.mu.Unlock()
	l.nudge()
}

func (l *live) nudge() {
	select {
	case l.wake <- struct{}{}:
	default: // the watcher is about to look anyway
	}
}

// watch handles what is signalled, and tells what waits when it is time, until
// ctx ends.
func (l *live) watch(ctx context.Context) {
	var quiet <-chan time.Time // after a tale of who spoke, until the next may follow
	var due <-chan time.Time   // when to tell what waits
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-due:
		case <-quiet:
			quiet = nil
		}
		var wait time.Duration
		told, err := on(ctx, l.loop, func(ctx context.Context) (told bool, _ error) {
			told = l.handle(ctx, quiet == nil)
			wait = l.tellWaiting(ctx)
			return told, nil
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			l.log().Error("reports not handled", "err", err)
		}
		if told {
			quiet = time.After(activeEvery)
		}
		due = nil
		if wait > 0 {
			due = time.After(wait)
		}
	}
}

// handle does what was signalled; it reports whether it told who spoke.
func (l *live) handle(ctx context.Context, mayTell bool) (told bool) {
	l.mu.Lock()
	p := l.pending
	l.pending = newPending()
	l.mu.Unlock()
	if l.c.Info().State == call.Discarded {
		return false
	}
	if p.over {
		if err := l.abandon(ctx); err != nil {
			l.log().Error("call of a deleted chat not ended", "err", err)
		}
		return false
	}
	for user := range p.removed {
		l.lose(ctx, func() call.Change { return l.c.Remove(user) })
	}
	if p.hidden {
		l.dismiss(ctx)
	}
	for conn := range p.gone {
		l.lose(ctx, func() call.Change { return l.c.ConnGone(l.conns[conn], conn) })
	}
	for conn, at := range p.spoke {
		l.speaking(l.conns[conn], at)
	}
	return mayTell && l.tellSpoke(ctx)
}

// dismiss takes out who may not see the chat.
func (l *live) dismiss(ctx context.Context) {
	for _, user := range l.c.Users() {
		a, err := l.actor(ctx, rpc.Caller{User: user})
		switch {
		case err != nil && !errors.Is(err, call.ErrForbidden):
			l.log().Error("guest not taken out", "user", user, "err", err)
		case l.c.MayRead(a) != nil:
			l.lose(ctx, func() call.Change { return l.c.Remove(user) })
		}
	}
}

// lose tells a change that nobody asked for.
func (l *live) lose(ctx context.Context, change func() call.Change) {
	if err := l.reserve(ctx); err != nil {
		l.log().Error("versions not set aside", "err", err)
	}
	if _, err := l.tell(ctx, rpc.Caller{}, change()); err != nil {
		l.log().Error("participants not told", "err", err)
	}
}

// speaking notes who spoke, to be told later.
func (l *live) speaking(user int64, at time.Time) {
	if ch := l.c.Speaking(user, at); len(ch.Entries) > 0 {
		l.spoke[user] = true
	}
}

func (l *live) tellSpoke(ctx context.Context) bool {
	var ch call.Change
	for user := range l.spoke {
		if p, ok := l.c.Joined(user); ok {
			ch.Entries = append(ch.Entries, p)
		}
	}
	clear(l.spoke)
	if len(ch.Entries) == 0 {
		return false
	}
	if _, err := l.tell(ctx, rpc.Caller{}, ch); err != nil {
		l.log().Error("speakers not told", "err", err)
	}
	return true
}

// reserve makes sure that one more version may be told of an active call. The
// one behind it stays untold: that is where a call begins after a crash.
func (l *live) reserve(ctx context.Context) error {
	before := l.c.Record()
	if before.State != call.Active || !l.c.Reserve(2, versionBlock) {
		return nil
	}
	if _, err := l.s.cfg.Store.CommitCalls(ctx, Commit{Calls: []call.Record{l.c.Record()}}); err != nil {
		l.c.Restore(before)
		return fmt.Errorf("set versions of call %d aside: %w", l.id, err)
	}
	return nil
}

// changed returns the event that tells what the call is now.
func (l *live) changed() event.CallChanged {
	return event.CallChanged{Info: l.c.Info(), Subscribers: l.c.Subscribers(), InCall: l.c.Users()}
}

// publish keeps the record of the call, which the rules have changed since
// before, and tells what events make of it and of the messages posted. All that
// still waits to be told is told first.
func (l *live) publish(ctx context.Context, c rpc.Caller, before call.Record, k Commit, events func(posted [][]message.Message) []event.Event) (tg.UpdatesClass, error) {
	l.tellAll(ctx) // what happened before
	k.Calls = append(k.Calls, l.c.Record())
	kept := false
	u, err := l.s.links.Publisher.Publish(ctx, c, func(ctx context.Context) ([]event.Event, error) {
		posted, err := l.s.cfg.Store.CommitCalls(ctx, k)
		if err != nil {
			return nil, fmt.Errorf("keep call %d: %w", l.id, err)
		}
		kept = true
		return events(posted), nil
	})
	if !kept {
		l.c.Restore(before)
		if err == nil {
			err = errors.New("publisher did not commit")
		}
	}
	return u, err
}

// postedEvents returns the events of posted messages.
func postedEvents(posted ...[]message.Message) []event.Event {
	var events []event.Event
	for _, copies := range posted {
		for _, m := range copies {
			events = append(events, event.Posted{Message: m})
		}
	}
	return events
}
