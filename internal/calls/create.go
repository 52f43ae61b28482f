package calls

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"parley/internal/call"
	"parley/internal/event"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// CreateRequest is what a new call is to be.
type CreateRequest struct {
	Chat         peer.ID
	Title        string
	ScheduleDate int64 // 0: starts at once
	RandomID     int   // 0: none
}

// Create creates a call in a chat and ends the one that was there.
func (s *Service) Create(ctx context.Context, c rpc.Caller, r CreateRequest) (tg.UpdatesClass, error) {
	return on(ctx, s.births, func(ctx context.Context) (tg.UpdatesClass, error) { return s.create(ctx, c, r) })
}

func (s *Service) create(ctx context.Context, c rpc.Caller, r CreateRequest) (tg.UpdatesClass, error) {
	a, err := s.actor(ctx, c, r.Chat)
	if err != nil {
		return nil, err
	}
	if err = call.CheckCreate(a, r.Chat); err != nil {
		return nil, err
	}
	if r.RandomID != 0 {
		first, found := s.cfg.Store.FindCall(ctx, c.User, r.Chat, r.RandomID)
		switch {
		case found == nil:
			return s.again(ctx, c, first.ID)
		case !errors.Is(found, ErrNoCall):
			return nil, fmt.Errorf("find call: %w", found)
		}
	}
	next, err := call.Create(a, call.CreateRequest{
		ID: s.last + 1, Chat: r.Chat, Title: r.Title, ScheduleDate: r.ScheduleDate, RandomID: r.RandomID,
	}, time.Now(), rand.Reader)
	if err != nil {
		return nil, err
	}
	s.last++ // also if it fails: nobody can tell then what was kept
	if next.Info().State == call.Active {
		next.Reserve(1, versionBlock)
	}
	return s.replace(ctx, c, a, next)
}

// again answers a request that was repeated, as far as it still holds.
func (s *Service) again(ctx context.Context, c rpc.Caller, id call.ID) (tg.UpdatesClass, error) {
	return do(ctx, s, id, func(ctx context.Context, l *live) (tg.UpdatesClass, error) {
		if l.c.Info().State == call.Discarded {
			return nil, call.ErrAlreadyDiscarded
		}
		l.catchUp(ctx, c.User)
		e := l.changed()
		e.Only = c.User
		return s.links.Publisher.Deliver(ctx, c, []event.Event{e})
	})
}

// replace puts a call in the place of its chat's previous one, on the loop of
// that if there is one.
func (s *Service) replace(ctx context.Context, c rpc.Caller, a call.Actor, next *call.Call) (tg.UpdatesClass, error) {
	prev := s.findChat(next.Info().Chat)
	if prev == nil {
		return s.bear(ctx, c, a, next, nil)
	}
	u, err := on(ctx, prev.loop, func(ctx context.Context) (tg.UpdatesClass, error) {
		if prev.c.Info().State == call.Discarded {
			return s.bear(ctx, c, a, next, nil)
		}
		return s.bear(ctx, c, a, next, prev)
	})
	if errors.Is(err, errStopped) && s.ctx.Err() == nil { // ended meanwhile
		return s.bear(ctx, c, a, next, nil)
	}
	return u, err
}

// bear publishes the end of prev and the beginning of next in one change.
func (s *Service) bear(ctx context.Context, c rpc.Caller, a call.Actor, next *call.Call, prev *live) (tg.UpdatesClass, error) {
	now := time.Now()
	k := Commit{Drafts: []message.Draft{s.notice(a, next.Info(), s.opening(next.Info()), now)}}
	l := &live{s: s, id: next.Info().ID, chat: next.Info().Chat, c: next}
	if prev == nil {
		return l.publish(ctx, c, next.Record(), k, func(posted [][]message.Message) []event.Event {
			return s.born(next, posted[0])
		})
	}
	prev.tellAll(ctx)
	before := prev.c.Record()
	prev.c.End(now)
	ended := prev.ended(a, now)
	k.Calls = []call.Record{prev.c.Record()}
	k.Drafts = append(ended.drafts, k.Drafts...)
	kept := false
	u, err := l.publish(ctx, c, next.Record(), k, func(posted [][]message.Message) []event.Event {
		kept = true
		n := len(posted) - 1
		events := append(ended.events(), postedEvents(posted[:n]...)...)
		s.remove(prev)
		return append(events, s.born(next, posted[n])...)
	})
	if !kept {
		prev.c.Restore(before)
		return nil, err
	}
	prev.finish()
	return u, err
}

// born starts the loop of a call that was kept, and returns what to tell.
func (s *Service) born(next *call.Call, posted []message.Message) []event.Event {
	i := next.Info()
	l := s.begin(next)
	s.enter(l)
	events := append([]event.Event{event.CallChanged{Info: i}}, postedEvents(posted)...)
	return append(events, event.ChatChanged{Chat: i.Chat})
}

// opening returns the action of the message that announces a call.
func (s *Service) opening(i call.Info) tg.MessageActionClass {
	if i.State == call.Scheduled {
		return &tg.MessageActionGroupCallScheduled{Call: s.input(i.ID), ScheduleDate: int(i.ScheduleDate)}
	}
	return &tg.MessageActionGroupCall{Call: s.input(i.ID)}
}

// notice returns a service message of the actor. Channels post as themselves,
// and so do admins who hide behind their group.
func (s *Service) notice(a call.Actor, i call.Info, action tg.MessageActionClass, now time.Time) message.Draft {
	d := message.Draft{Chat: i.Chat, From: peer.OfUser(a.User), Sender: a.User, Date: now.Unix(), Action: action}
	if i.Broadcast || a.Rights.Anonymous {
		d.From = i.Chat
	}
	return d
}
