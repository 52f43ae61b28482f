package calls

import (
	"context"
	"fmt"
	"time"

	"parley/internal/call"
	"parley/internal/colibri"
	"parley/internal/event"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// JoinRequest is how somebody joins.
type JoinRequest struct {
	As           peer.ID
	Muted        bool
	VideoStopped bool
	InviteHash   string
	Params       []byte // join payload, JSON
}

// Join puts the caller into a call, in place of its previous connection.
func (s *Service) Join(ctx context.Context, c rpc.Caller, id call.ID, r JoinRequest) (tg.UpdatesClass, error) {
	return s.edit(ctx, c, id, func(ctx context.Context, l *live, a call.Actor) (tg.UpdatesClass, error) {
		err := l.c.CheckEnter(a)
		if err != nil {
			return nil, err
		}
		allowed, err := s.joinAs(ctx, c, l.chat, r.As)
		if err != nil {
			return nil, err
		}
		payload, n, err := s.payload(r.Params)
		if err != nil {
			return nil, err
		}
		req := call.JoinRequest{
			As: r.As, Allowed: allowed, Muted: r.Muted, VideoStopped: r.VideoStopped, InviteHash: r.InviteHash, Connection: n,
		}
		if err = l.c.CheckJoin(a, req); err != nil {
			return nil, err
		}
		answer, err := l.connect(ctx, c.User, payload, n, false)
		if err != nil {
			return nil, err
		}
		ch, err := l.c.Join(a, req, time.Now())
		if err != nil {
			s.links.Media.Leave(int64(id), n.Conn)
			return nil, err
		}
		l.conns[n.Conn] = c.User
		if err = s.keepJoinAs(ctx, c, l.chat, r.As); err != nil {
			l.log().Warn("default join_as not kept", "user", c.User, "err", err)
		}
		return l.tell(ctx, c, ch, event.Connected{Params: answer})
	})
}

// Leave takes the caller out of a call; source 0 stands for any connection.
func (s *Service) Leave(ctx context.Context, c rpc.Caller, id call.ID, source int32) (tg.UpdatesClass, error) {
	return s.change(ctx, c, id, func(l *live) (call.Change, error) { return l.c.Leave(c.User, source) })
}

// Check returns which of the sources are the caller's living connections.
func (s *Service) Check(ctx context.Context, c rpc.Caller, id call.ID, sources []int32) ([]int32, error) {
	return do(ctx, s, id, func(_ context.Context, l *live) ([]int32, error) { return l.c.Check(c.User, sources) })
}

// JoinPresentation adds a connection for the caller's screen.
func (s *Service) JoinPresentation(ctx context.Context, c rpc.Caller, id call.ID, params []byte) (tg.UpdatesClass, error) {
	return do(ctx, s, id, func(ctx context.Context, l *live) (tg.UpdatesClass, error) {
		if l.c.Info().State != call.Active {
			return nil, call.ErrForbidden
		}
		payload, n, err := s.payload(params)
		if err != nil {
			return nil, err
		}
		if err = l.c.CheckPresentation(c.User, n); err != nil {
			return nil, err
		}
		answer, err := l.connect(ctx, c.User, payload, n, true)
		if err != nil {
			return nil, err
		}
		ch, err := l.c.JoinPresentation(c.User, n)
		if err != nil {
			s.links.Media.Leave(int64(id), n.Conn)
			return nil, err
		}
		l.conns[n.Conn] = c.User
		return l.tell(ctx, c, ch, event.Connected{Presentation: true, Params: answer})
	})
}

// LeavePresentation ends the caller's presentation.
func (s *Service) LeavePresentation(ctx context.Context, c rpc.Caller, id call.ID) (tg.UpdatesClass, error) {
	return s.change(ctx, c, id, func(l *live) (call.Change, error) { return l.c.LeavePresentation(c.User) })
}

// connect sets a version aside and opens a media connection.
func (l *live) connect(ctx context.Context, user int64, j colibri.Join, n call.Connection, presentation bool) ([]byte, error) {
	if err := l.reserve(ctx); err != nil {
		return nil, err
	}
	return l.open(ctx, user, j, n, presentation)
}

// change runs a rule that changes the participants, and tells what it changed.
func (s *Service) change(ctx context.Context, c rpc.Caller, id call.ID, rule func(l *live) (call.Change, error)) (tg.UpdatesClass, error) {
	return do(ctx, s, id, func(ctx context.Context, l *live) (tg.UpdatesClass, error) {
		if err := l.reserve(ctx); err != nil {
			return nil, err
		}
		ch, err := rule(l)
		if err != nil {
			return nil, err
		}
		return l.tell(ctx, c, ch)
	})
}

// joinAs returns whom the caller may appear as: itself, always, so that most
// need not ask.
func (s *Service) joinAs(ctx context.Context, c rpc.Caller, chat, as peer.ID) ([]peer.ID, error) {
	self := peer.OfUser(c.User)
	if as == self {
		return []peer.ID{self}, nil
	}
	allowed, err := s.links.Directory.JoinAs(ctx, c.User, chat)
	if err != nil {
		return nil, fmt.Errorf("load join_as in %s: %w", chat, err)
	}
	return allowed, nil
}

// keepJoinAs makes the peer that the caller has joined as the default, as
// clients do on their side (methods.md, joinGroupCall).
func (s *Service) keepJoinAs(ctx context.Context, c rpc.Caller, chat, as peer.ID) error {
	old, err := s.links.Directory.DefaultJoinAs(ctx, c.User, chat)
	if err != nil || old == as || old.IsZero() && as == peer.OfUser(c.User) {
		return err
	}
	return s.links.Directory.SaveDefaultJoinAs(ctx, c, chat, as)
}
