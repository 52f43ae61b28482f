package calls

import (
	"context"
	"fmt"
	"time"

	"parley/internal/call"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// Edit changes a participant. The request's TargetManages is found out here.
func (s *Service) Edit(ctx context.Context, c rpc.Caller, id call.ID, r call.EditRequest) (tg.UpdatesClass, error) {
	return s.edit(ctx, c, id, func(ctx context.Context, l *live, a call.Actor) (tg.UpdatesClass, error) {
		if user, ok := l.c.UserOf(r.Target); ok && user != c.User && a.Rights.ManageCall && r.Muted != nil {
			target, err := l.actor(ctx, rpc.Caller{User: user})
			if err != nil {
				return nil, err
			}
			r.TargetManages = target.Rights.ManageCall
		}
		if err := l.reserve(ctx); err != nil {
			return nil, err
		}
		if user, on := l.c.Silences(a, r); user != 0 {
			if _, err := s.cfg.Store.CommitCalls(ctx, Commit{Silence: &Silence{id, user, on}}); err != nil {
				return nil, fmt.Errorf("keep that user %d is silenced: %w", user, err)
			}
		}
		ch, err := l.c.Edit(a, r)
		if err != nil {
			return nil, err
		}
		return l.tell(ctx, c, ch)
	})
}

// Speaking notes that a client says that its user speaks in the chat's call. It
// returns whom the user appears as there; zero: it is muted, nobody hears it.
func (s *Service) Speaking(ctx context.Context, c rpc.Caller, chat peer.ID) (peer.ID, error) {
	l := s.findChat(chat)
	if l == nil {
		return peer.ID{}, call.ErrForbidden
	}
	return do(ctx, s, l.id, func(_ context.Context, l *live) (peer.ID, error) {
		p, ok := l.c.Joined(c.User)
		switch {
		case !ok:
			return peer.ID{}, call.ErrForbidden
		case p.Muted:
			return peer.ID{}, nil
		}
		l.speaking(c.User, time.Now())
		l.nudge()
		return p.Peer, nil
	})
}
