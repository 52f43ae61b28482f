package calls

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"parley/internal/call"
	"parley/internal/event"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// edit runs a rule for the caller on a call's loop and tells what it
// changed.
func (s *Service) edit(ctx context.Context, c rpc.Caller, id call.ID, f func(ctx context.Context, l *live, a call.Actor) (tg.UpdatesClass, error)) (tg.UpdatesClass, error) {
	return do(ctx, s, id, func(ctx context.Context, l *live) (tg.UpdatesClass, error) {
		a, err := l.actor(ctx, c)
		if err != nil {
			return nil, err
		}
		return f(ctx, l, a)
	})
}

// Start starts a scheduled call and tells those who asked for it.
func (s *Service) Start(ctx context.Context, c rpc.Caller, id call.ID) (tg.UpdatesClass, error) {
	return s.edit(ctx, c, id, func(ctx context.Context, l *live, a call.Actor) (tg.UpdatesClass, error) {
		now, before := time.Now(), l.c.Record()
		if err := l.c.Start(a, now); err != nil {
			return nil, err
		}
		l.c.Reserve(1, versionBlock)
		title, _, err := s.names(ctx, c, l.chat)
		if err != nil {
			l.c.Restore(before)
			return nil, err
		}
		waiting, err := l.waiting(ctx, before.Subscribers)
		if err != nil {
			l.c.Restore(before)
			return nil, err
		}
		k := Commit{Drafts: []message.Draft{s.notice(a, l.c.Info(), s.opening(l.c.Info()), now)}}
		for _, user := range waiting {
			k.Drafts = append(k.Drafts, startNotice(l.c.Info(), title, user, now))
		}
		u, err := l.publish(ctx, c, before, k, func(posted [][]message.Message) []event.Event {
			return append([]event.Event{l.changed()}, postedEvents(posted...)...)
		})
		if err == nil {
			l.log().Info("call started", "user", c.User)
		}
		return u, err
	})
}

// waiting returns the subscribers who still are members: the others can't even
// unsubscribe.
func (l *live) waiting(ctx context.Context, subscribers []int64) ([]int64, error) {
	var members []int64
	for _, user := range subscribers {
		a, err := l.actor(ctx, rpc.Caller{User: user})
		if err != nil {
			return nil, err
		}
		if a.Rights.Member {
			members = append(members, user)
		}
	}
	return members, nil
}

// startNotice returns the message to a user who waited for the start.
func startNotice(i call.Info, title string, user int64, now time.Time) message.Draft {
	kind := "video chat"
	if i.Broadcast {
		kind = "live stream"
	}
	service := peer.OfUser(peer.Service)
	return message.Draft{
		Chat: service, From: service, To: user, Date: now.Unix(),
		Text: fmt.Sprintf("The %s in %s has started.", kind, title),
	}
}

// Subscribe notes whether the caller wants to hear of the start.
func (s *Service) Subscribe(ctx context.Context, c rpc.Caller, id call.ID, on bool) (tg.UpdatesClass, error) {
	return s.edit(ctx, c, id, func(ctx context.Context, l *live, a call.Actor) (tg.UpdatesClass, error) {
		before := l.c.Record()
		if err := l.c.Subscribe(a, on); err != nil {
			return nil, err
		}
		k := Commit{Subscription: &Subscription{id, c.User, on}}
		return l.publish(ctx, c, before, k, func([][]message.Message) []event.Event {
			e := l.changed()
			e.Only = c.User
			return []event.Event{e}
		})
	})
}

// Discard ends a call.
func (s *Service) Discard(ctx context.Context, c rpc.Caller, id call.ID) (tg.UpdatesClass, error) {
	return s.edit(ctx, c, id, func(ctx context.Context, l *live, a call.Actor) (tg.UpdatesClass, error) {
		now, before := time.Now(), l.c.Record()
		if err := l.c.Discard(a, now); err != nil {
			return nil, err
		}
		return l.close(ctx, c, before, l.ended(a, now))
	})
}

// abandon ends a call whose chat is gone: there is nowhere to post.
func (l *live) abandon(ctx context.Context) error {
	now, before := time.Now(), l.c.Record()
	l.c.End(now)
	e := l.ended(call.Actor{}, now)
	e.drafts = nil
	_, err := l.close(ctx, rpc.Caller{}, before, e)
	return err
}

// ending is what the end of a call makes happen.
type ending struct {
	changed event.CallChanged
	drafts  []message.Draft
}

func (e ending) events() []event.Event { return []event.Event{e.changed} }

// ended returns what to tell of a call that the actor has just ended. One that
// was never started leaves no message.
func (l *live) ended(a call.Actor, now time.Time) ending {
	i := l.c.Info()
	e := ending{changed: l.changed()}
	if i.StartDate != 0 {
		e.drafts = []message.Draft{l.s.notice(a, i, &tg.MessageActionGroupCall{
			Call: l.s.input(l.id), Duration: new(i.Duration()),
		}, now)}
	}
	return e
}

// close publishes the end of a call.
func (l *live) close(ctx context.Context, c rpc.Caller, before call.Record, e ending) (tg.UpdatesClass, error) {
	kept := false
	u, err := l.publish(ctx, c, before, Commit{Drafts: e.drafts}, func(posted [][]message.Message) []event.Event {
		kept = true
		l.s.remove(l)
		events := append(e.events(), postedEvents(posted...)...)
		return append(events, event.ChatChanged{Chat: l.chat})
	})
	if kept {
		l.finish()
	}
	return u, err
}

// finish closes what a call that has ended still holds.
func (l *live) finish() {
	l.s.links.Media.End(int64(l.id))
	l.log().Info("call ended", "seconds", l.c.Info().Duration())
	l.stop()
}

// EditTitle changes the title of a call.
func (s *Service) EditTitle(ctx context.Context, c rpc.Caller, id call.ID, title string) (tg.UpdatesClass, error) {
	return s.edit(ctx, c, id, func(ctx context.Context, l *live, a call.Actor) (tg.UpdatesClass, error) {
		before := l.c.Record()
		if err := l.c.EditTitle(a, title); err != nil {
			return nil, err
		}
		return l.publish(ctx, c, before, Commit{}, func([][]message.Message) []event.Event {
			return []event.Event{l.changed()}
		})
	})
}

// Settings changes how others join.
func (s *Service) Settings(ctx context.Context, c rpc.Caller, id call.ID, r call.SettingsRequest) (tg.UpdatesClass, error) {
	return s.edit(ctx, c, id, func(ctx context.Context, l *live, a call.Actor) (tg.UpdatesClass, error) {
		before := l.c.Record()
		if err := l.c.Settings(a, r, rand.Reader); err != nil {
			return nil, err
		}
		return l.publish(ctx, c, before, Commit{}, func([][]message.Message) []event.Event {
			return []event.Event{l.changed()}
		})
	})
}

// ChatGone tells that a chat was deleted: its call ends. It does not wait.
func (s *Service) ChatGone(chat peer.ID) {
	if l := s.findChat(chat); l != nil {
		l.signal(func(p *pending) { p.over = true })
	}
}

// ChatHidden tells that only members may see a chat now: guests leave its call.
// It does not wait.
func (s *Service) ChatHidden(chat peer.ID) {
	if l := s.findChat(chat); l != nil {
		l.signal(func(p *pending) { p.hidden = true })
	}
}

// MemberGone tells that a user was removed from a chat, left it or was banned:
// it leaves the call, too. It does not wait.
func (s *Service) MemberGone(chat peer.ID, user int64) {
	if l := s.findChat(chat); l != nil {
		l.signal(func(p *pending) { p.removed[user] = struct{}{} })
	}
}
