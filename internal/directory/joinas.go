package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"parley/internal/peer"
	"parley/internal/rpc"
)

// DefaultJoinAs returns whom a user joins the calls of a chat as unless they
// say otherwise; zero when nothing was saved.
func (s *Service) DefaultJoinAs(ctx context.Context, user int64, chat peer.ID) (peer.ID, error) {
	as, err := s.joinAsCache.one(memberKey{chat.ID, user}, func() (peer.ID, error) {
		return s.store.DefaultJoinAs(ctx, user, chat.ID)
	})
	if err != nil {
		return peer.ID{}, fmt.Errorf("load default join_as: %w", err)
	}
	return as, nil
}

// SaveDefaultJoinAs keeps whom the caller joins the calls of a chat as.
func (s *Service) SaveDefaultJoinAs(ctx context.Context, c rpc.Caller, chat, as peer.ID) error {
	choices, err := s.JoinAs(ctx, c.User, chat)
	switch {
	case errors.Is(err, errChannelInvalid):
		return rpc.ErrPeerID
	case err != nil:
		return err
	}
	if !slices.Contains(choices, as) {
		return errJoinAs
	}
	defer s.joinAsCache.drop(memberKey{chat.ID, c.User})
	if err := s.store.SaveDefaultJoinAs(ctx, c.User, chat.ID, as); err != nil {
		return fmt.Errorf("save default join_as: %w", err)
	}
	return nil
}

// JoinAs returns whom a user may join the calls of a chat as: an anonymous
// admin as the group first, then themselves, then the channels they created.
func (s *Service) JoinAs(ctx context.Context, user int64, chat peer.ID) ([]peer.ID, error) {
	c, err := s.chat(ctx, chat)
	switch {
	case errors.Is(err, errChatID):
		return nil, rpc.ErrPeerID
	case err != nil:
		return nil, err
	}
	m, err := s.member(ctx, chat.ID, user)
	if err != nil {
		return nil, err
	}
	if !c.canSee(m) {
		return nil, rpc.ErrPeerID
	}
	return s.joinAs(ctx, c, m)
}

// joinAs is JoinAs for a chat and a member that are loaded.
func (s *Service) joinAs(ctx context.Context, c Chat, m Member) ([]peer.ID, error) {
	var choices []peer.ID
	if c.isAnonymous(m) {
		choices = append(choices, c.ID)
	}
	choices = append(choices, peer.OfUser(m.User))
	mine, err := s.ChatsOf(ctx, m.User)
	if err != nil {
		return nil, err
	}
	for _, id := range mine {
		other, err := s.chat(ctx, id)
		if err != nil {
			return nil, err
		}
		if other.Broadcast && other.Creator == m.User {
			choices = append(choices, id)
		}
	}
	return choices, nil
}
