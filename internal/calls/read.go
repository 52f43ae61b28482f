package calls

import (
	"context"
	"errors"

	"parley/internal/call"
	"parley/internal/peer"
	"parley/internal/rpc"
)

// View is a call as one user sees it, with a page of its participants.
type View struct {
	Info call.Info
	call.Page
	Subscribed bool                      // waits for the start
	Personal   map[peer.ID]call.Personal // own settings for the page's participants
}

// Get returns a call with its first participants. One that has ended has none.
func (s *Service) Get(ctx context.Context, c rpc.Caller, id call.ID, limit int) (View, error) {
	return s.view(ctx, c, id, func(l *live) (call.Page, error) {
		if l.c.Info().State == call.Discarded {
			return call.Page{}, nil
		}
		return l.c.First(c.User, limit), nil
	})
}

// ListRequest chooses participants: those named, or else a page.
type ListRequest struct {
	Peers   []peer.ID
	Sources []int32
	Offset  string
	Limit   int
}

// Participants returns the participants that are asked for.
func (s *Service) Participants(ctx context.Context, c rpc.Caller, id call.ID, r ListRequest) (View, error) {
	v, err := s.view(ctx, c, id, func(l *live) (call.Page, error) {
		switch {
		case l.c.Info().State == call.Discarded:
			return call.Page{}, call.ErrInvalid
		case len(r.Peers)+len(r.Sources) > 0:
			return call.Page{Participants: l.c.Select(r.Peers, r.Sources)}, nil
		}
		return l.c.List(c.User, r.Offset, r.Limit)
	})
	if errors.Is(err, call.ErrForbidden) {
		err = call.ErrInvalid // the only error this method is documented to have
	}
	return v, err
}

func (s *Service) view(ctx context.Context, c rpc.Caller, id call.ID, page func(l *live) (call.Page, error)) (View, error) {
	return do(ctx, s, id, func(ctx context.Context, l *live) (View, error) {
		a, err := l.actor(ctx, c)
		if err != nil {
			return View{}, err
		}
		if err = l.c.MayRead(a); err != nil {
			return View{}, err
		}
		l.catchUp(ctx, c.User)
		p, err := page(l)
		if err != nil {
			return View{}, err
		}
		return View{l.c.Info(), p, l.c.Subscribed(c.User), l.c.Personal(c.User, p.Participants)}, nil
	})
}
