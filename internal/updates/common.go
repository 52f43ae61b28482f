package updates

import (
	"context"

	"parley/internal/event"
	"parley/internal/peer"
)

// common is what most viewers of a telling see: the entries of strangers. It is
// made for the first of them.
type common struct {
	s     *Service
	users []int64 // whom the telling names
	body  *body
}

// common returns what most see of changes of a call's list, nil if there is no
// such thing: chats look different to every member.
func (s *Service) common(e event.ParticipantsChanged) *common {
	if e.Personal != nil {
		return nil
	}
	c := &common{s: s}
	for _, ch := range e.Changes {
		for _, p := range ch.Entries {
			if p.Peer.Kind != peer.User {
				return nil
			}
			c.users = append(c.users, p.Peer.ID)
		}
	}
	return c
}

// differs tells whether the viewer sees something else.
func (c *common) differs(ctx context.Context, viewer int64) bool {
	knows, err := c.s.peers.Knows(ctx, viewer, c.users)
	return knows || err != nil
}
