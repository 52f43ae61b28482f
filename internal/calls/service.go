// Package calls keeps the group calls that go on: it asks the rules of package
// call, keeps what outlives the process, opens and closes media connections
// and publishes what happened.
//
// Every call that has not ended has one loop, which owns its call.Call and
// publishes from within, so that everybody hears of changes in the order of
// their versions. Calls begin on a loop common to all. Loops wait in one
// direction only: beginnings, one call, the publisher.
package calls

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"parley/internal/call"
	"parley/internal/event"
	"parley/internal/loop"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// versionBlock is how many versions are set aside with one write. After a
// restart a call goes on with the last one, which was not told.
const versionBlock = 1000

// ErrNoCall is returned by a store that does not know a call.
var ErrNoCall = errors.New("calls: no such call")

// errStopped tells that f did not run: the loop's call has ended, or all have.
var errStopped = errors.New("calls: loop stopped")

// Commit is one change of calls with its messages: all of it or nothing.
type Commit struct {
	Calls        []call.Record // Subscribers and Silenced are not read
	Subscription *Subscription
	Silence      *Silence
	Drafts       []message.Draft
}

// Subscription says whether a user wants to hear of the start of a call. Calls
// that are not scheduled any more have none.
type Subscription struct {
	Call call.ID
	User int64
	On   bool
}

// Silence says whether an admin muted a user for as long as the call goes on.
// Calls that have ended have none.
type Silence struct {
	Call call.ID
	User int64
	On   bool
}

// Store keeps calls; they are never deleted, so that ids are not used again.
type Store interface {
	// LoadCalls returns the calls that have not ended, and the highest id ever.
	LoadCalls(ctx context.Context) (live []call.Record, last call.ID, err error)
	// LoadCall returns any call, or ErrNoCall.
	LoadCall(ctx context.Context, id call.ID) (call.Record, error)
	// FindCall returns the call that a request created, or ErrNoCall.
	FindCall(ctx context.Context, creator int64, chat peer.ID, randomID int) (call.Record, error)
	// CommitCalls makes a change and returns the copies of each draft.
	CommitCalls(ctx context.Context, c Commit) ([][]message.Message, error)
}

// Publisher tells everybody what happened and gives the caller's view of it.
type Publisher interface {
	// Publish runs commit and delivers what it returns, one after another.
	Publish(ctx context.Context, c rpc.Caller, commit func(ctx context.Context) ([]event.Event, error)) (tg.UpdatesClass, error)
	// Deliver delivers events that are in no history.
	Deliver(ctx context.Context, c rpc.Caller, events []event.Event) (tg.UpdatesClass, error)
}

// Directory knows chats and who may do what in them.
type Directory interface {
	Rights(ctx context.Context, user int64, chat peer.ID) (peer.Rights, error)
	// Chats returns chats as viewer sees them.
	Chats(ctx context.Context, viewer int64, ids []peer.ID) ([]tg.ChatClass, error)
	// JoinAs returns whom the user may appear as in calls of the chat.
	JoinAs(ctx context.Context, user int64, chat peer.ID) ([]peer.ID, error)
	// DefaultJoinAs returns whom the user appeared as last; zero: not known.
	DefaultJoinAs(ctx context.Context, user int64, chat peer.ID) (peer.ID, error)
	SaveDefaultJoinAs(ctx context.Context, c rpc.Caller, chat, as peer.ID) error
}

// Config is what a Service needs.
type Config struct {
	Store     Store
	Hasher    peer.Hasher
	TellEvery time.Duration // how long news of a call wait for more; 0: 100 ms, less: not at all
	Log       *slog.Logger
}

// Links is what a Service learns once the other parts exist.
type Links struct {
	Directory Directory
	Publisher Publisher
	Media     Media
}

// Service is all calls.
type Service struct {
	cfg   Config
	links Links // set by Connect before Open, then immutable

	ctx     context.Context // its end stops the loops
	cancel  context.CancelFunc
	running sync.WaitGroup // watchers of calls
	births  *loop.Loop
	last    call.ID // owned by births
	conns   atomic.Int64

	mu    sync.RWMutex
	calls map[call.ID]*live // guarded by mu; those that have not ended
	chats map[peer.ID]state // guarded by mu; their calls
}

// state is what others see of a chat's call.
type state struct {
	call  *live
	count int
}

// New returns a Service; Connect and Open have to follow before it is used.
func New(cfg Config) *Service {
	cfg.TellEvery = cmp.Or(cfg.TellEvery, tellEvery)
	return &Service{cfg: cfg, calls: map[call.ID]*live{}, chats: map[peer.ID]state{}}
}

// Connect gives the service its links to others.
func (s *Service) Connect(l Links) { s.links = l }

// Open loads the calls that have not ended and starts their loops. Calls whose
// chat was deleted right before a crash end now.
func (s *Service) Open(ctx context.Context) error {
	records, last, err := s.cfg.Store.LoadCalls(ctx)
	if err != nil {
		return fmt.Errorf("load calls: %w", err)
	}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.last = last
	s.births = loop.Start(s.ctx)
	for _, r := range records {
		s.enter(s.begin(call.Load(r)))
		_, err = s.actor(ctx, rpc.Caller{User: r.Creator}, r.Chat)
		if errors.Is(err, rpc.ErrPeerID) {
			s.ChatGone(r.Chat)
		}
	}
	return nil
}

// Close stops all loops and waits for them. The calls go on when they are
// loaded again.
func (s *Service) Close() {
	if s.cancel == nil {
		return
	}
	s.cancel()
	<-s.births.Done()
	s.running.Wait()
}

// OfChat returns the call that is scheduled or active in a chat, if there is
// one; it always agrees with what was published.
func (s *Service) OfChat(chat peer.ID) (id int64, notEmpty, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st, ok := s.chats[chat]
	if !ok {
		return 0, false, false
	}
	return int64(st.call.id), st.count > 0, true
}

// Counts returns how many calls have not ended and how many participants they
// have together.
func (s *Service) Counts() (calls, participants int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, st := range s.chats {
		participants += st.count
	}
	return len(s.chats), participants
}

// enter makes a call known.
func (s *Service) enter(l *live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[l.id] = l
	s.chats[l.chat] = state{call: l}
}

// remove makes a call unknown.
func (s *Service) remove(l *live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.calls, l.id)
	if s.chats[l.chat].call == l {
		delete(s.chats, l.chat)
	}
}

func (s *Service) setCount(l *live, count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.chats[l.chat].call == l {
		s.chats[l.chat] = state{l, count}
	}
}

func (s *Service) find(id call.ID) *live {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.calls[id]
}

func (s *Service) findChat(chat peer.ID) *live {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.chats[chat].call
}

// on runs f on a loop. What has begun is not cut short when the caller goes
// away. A panic costs its caller an answer, not everybody their calls.
func on[T any](ctx context.Context, l *loop.Loop, f func(ctx context.Context) (T, error)) (result T, err error) {
	stopped := l.Do(ctx, func() {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("change calls: panic: %v\n%s", p, debug.Stack())
			}
		}()
		result, err = f(context.WithoutCancel(ctx))
	})
	switch {
	case errors.Is(stopped, loop.ErrStopped):
		return result, errStopped
	case stopped != nil:
		return result, fmt.Errorf("wait for loop: %w", stopped)
	}
	return result, err
}

// do runs f on the loop of a call. One that has ended has no loop: f gets it as
// it was kept, and the rules refuse what is asked.
func do[T any](ctx context.Context, s *Service, id call.ID, f func(ctx context.Context, l *live) (T, error)) (none T, err error) {
	if l := s.find(id); l != nil {
		result, failed := on(ctx, l.loop, func(ctx context.Context) (T, error) { return f(ctx, l) })
		if !errors.Is(failed, errStopped) || s.ctx.Err() != nil {
			return result, failed
		}
	}
	r, err := s.cfg.Store.LoadCall(ctx, id)
	switch {
	case errors.Is(err, ErrNoCall) || err == nil && r.State != call.Discarded:
		return none, call.ErrInvalid
	case err != nil:
		return none, fmt.Errorf("load call %d: %w", id, err)
	}
	return f(ctx, &live{s: s, id: id, chat: r.Chat, c: call.Load(r)})
}

// actor returns the caller with its rights in the chat; rpc.ErrPeerID when
// there is no such chat.
func (s *Service) actor(ctx context.Context, c rpc.Caller, chat peer.ID) (call.Actor, error) {
	rights, err := s.links.Directory.Rights(ctx, c.User, chat)
	if err == nil {
		return call.Actor{User: c.User, Rights: rights}, nil
	}
	if _, meant := rpc.Visible(err); meant {
		return call.Actor{}, rpc.ErrPeerID
	}
	return call.Actor{}, fmt.Errorf("load rights in %s: %w", chat, err)
}

// actor returns the caller with its rights in the call's chat.
func (l *live) actor(ctx context.Context, c rpc.Caller) (call.Actor, error) {
	a, err := l.s.actor(ctx, c, l.chat)
	if errors.Is(err, rpc.ErrPeerID) { // deleted; the call ends or has ended
		return a, call.ErrForbidden
	}
	return a, err
}

// input returns the reference to a call that objects carry.
func (s *Service) input(id call.ID) *tg.InputGroupCall {
	return &tg.InputGroupCall{ID: int64(id), AccessHash: s.cfg.Hasher.Of(peer.Call, int64(id))}
}
