package calls

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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
		pending: newPending(), wake: make(chan struct{}, 1),
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

// watch handles what is signalled until ctx ends.
func (l *live) watch(ctx context.Context) {
	var quiet <-chan time.Time // after a tale of who spoke, until the next may follow
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-quiet:
			quiet = nil
		}
		told, err := on(ctx, l.loop, func(ctx context.Context) (bool, error) { return l.handle(ctx, quiet == nil), nil })
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			l.log().Error("reports not handled", "err", err)
		}
		if told {
			quiet = time.After(activeEvery)
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
	for conn := range p.gone {
		l.lose(ctx, func() call.Change { return l.c.ConnGone(l.conns[conn], conn) })
	}
	for conn, at := range p.spoke {
		l.speaking(l.conns[conn], at)
	}
	return mayTell && l.tellSpoke(ctx)
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

// reserve makes sure that one more version may be told of an active call.
func (l *live) reserve(ctx context.Context) error {
	before := l.c.Record()
	if before.State != call.Active || !l.c.Reserve(1, versionBlock) {
		return nil
	}
	if _, err := l.s.cfg.Store.CommitCalls(ctx, Commit{Calls: []call.Record{l.c.Record()}}); err != nil {
		l.c.Restore(before)
		return fmt.Errorf("set versions of call %d aside: %w", l.id, err)
	}
	return nil
}

// tell makes the media follow a change of the participants, delivers it and
// returns the caller's view, which begins with first.
func (l *live) tell(ctx context.Context, c rpc.Caller, ch call.Change, first ...event.Event) (tg.UpdatesClass, error) {
	for _, conn := range ch.Closed {
		l.s.links.Media.Leave(int64(l.id), conn)
		delete(l.conns, conn)
	}
	for _, g := range ch.Gates {
		l.s.links.Media.Gate(int64(l.id), g.Conn, g.Audio, g.Video)
	}
	events := append(first, l.entries(ch)...)
	if ch.Counted {
		l.s.setCount(l, l.c.Info().Count)
		events = append(events, l.changed())
	}
	if len(events) == 0 && c.User == 0 {
		return nil, nil
	}
	return l.s.links.Publisher.Deliver(ctx, c, events)
}

// entries returns the events that tell a change of the participants: one for
// all, and one for each whose view differs.
func (l *live) entries(ch call.Change) []event.Event {
	if len(ch.Entries) == 0 {
		return nil
	}
	var events []event.Event
	one := func(user int64, entries []call.Participant) {
		events = append(events, event.ParticipantsChanged{
			Info: l.c.Info(), Entries: entries, Only: user, Personal: l.c.Personal(user, entries),
		})
	}
	if ch.Only != 0 {
		one(ch.Only, ch.Entries)
		return events
	}
	var all []int64
	for _, user := range append(l.c.Users(), ch.Gone...) {
		switch {
		case user == ch.Displaced:
			one(user, displaced(user, ch.Entries))
		case l.c.Personal(user, ch.Entries) != nil:
			one(user, ch.Entries)
		default:
			all = append(all, user)
		}
	}
	slices.Sort(all)
	return append(events, event.ParticipantsChanged{Info: l.c.Info(), Entries: ch.Entries, InCall: slices.Compact(all)})
}

// displaced returns the entries as one sees them whose identity was taken
// over: as its own, with a source that isn't. Clients hang up then.
func displaced(user int64, entries []call.Participant) []call.Participant {
	own := slices.Clone(entries)
	for i := range own {
		if !own[i].Left {
			own[i].User = user
		}
	}
	return own
}

// changed returns the event that tells what the call is now.
func (l *live) changed() event.CallChanged {
	return event.CallChanged{Info: l.c.Info(), Subscribers: l.c.Subscribers(), InCall: l.c.Users()}
}

// publish keeps the record of the call, which the rules have changed since
// before, and tells what events make of it and of the messages posted.
func (l *live) publish(ctx context.Context, c rpc.Caller, before call.Record, k Commit, events func(posted [][]message.Message) []event.Event) (tg.UpdatesClass, error) {
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
