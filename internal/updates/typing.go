package updates

import (
	"context"
	"slices"

	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// Typing shows the others in a chat what the caller is doing; nothing is kept.
func (s *Service) Typing(ctx context.Context, c rpc.Caller, chat peer.ID, action tg.SendMessageActionClass) error {
	from, err := s.author(ctx, c.User, chat)
	if err != nil {
		return err
	}
	return s.showTyping(ctx, c, chat, from, action)
}

// Speaking shows the others in a chat that the caller, a guest perhaps, speaks
// in its call as from.
func (s *Service) Speaking(ctx context.Context, c rpc.Caller, chat, from peer.ID) error {
	return s.showTyping(ctx, c, chat, from, &tg.SpeakingInGroupCallAction{})
}

func (s *Service) showTyping(ctx context.Context, c rpc.Caller, chat, from peer.ID, action tg.SendMessageActionClass) error {
	var u tg.UpdateClass
	to := []int64{chat.ID}
	switch chat.Kind {
	case peer.User:
		u = &tg.UpdateUserTyping{UserID: c.User, Action: action}
	case peer.Chat:
		u = &tg.UpdateChatUserTyping{ChatID: chat.ID, FromID: message.Peer(from), Action: action}
	case peer.Channel:
		u = &tg.UpdateChannelUserTyping{ChannelID: chat.ID, FromID: message.Peer(from), Action: action}
	default:
		return rpc.ErrPeerID
	}
	if chat.Kind != peer.User {
		var err error
		if to, err = s.peers.Members(ctx, chat); err != nil {
			return err
		}
	}
	others := slices.DeleteFunc(slices.Clone(to), func(user int64) bool { return user == c.User })
	_, err := s.deliver(ctx, rpc.Caller{}, []telling{{to: others, show: func(_ context.Context, n *names) []tg.UpdateClass {
		n.addUpdate(u)
		return one(u)
	}}})
	return err
}
