package updates

import (
	"context"
	"slices"

	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// Typing shows the others in a chat what the caller is doing, as from; nothing
// is kept.
func (s *Service) Typing(ctx context.Context, c rpc.Caller, chat, from peer.ID, action tg.SendMessageActionClass) error {
	var u tg.UpdateClass
	var to []int64
	switch chat.Kind {
	case peer.User:
		to, u = []int64{chat.ID}, &tg.UpdateUserTyping{UserID: c.User, Action: action}
	case peer.Chat:
		u = &tg.UpdateChatUserTyping{ChatID: chat.ID, FromID: message.Peer(from), Action: action}
	case peer.Channel:
		u = &tg.UpdateChannelUserTyping{ChannelID: chat.ID, FromID: message.Peer(from), Action: action}
	default:
		return rpc.ErrPeerID
	}
	if chat.Kind != peer.User {
		rights, err := s.peers.Rights(ctx, c.User, chat)
		if err != nil {
			return err
		}
		if !rights.Member {
			return ErrWriteForbidden
		}
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
