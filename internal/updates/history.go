package updates

import (
	"context"
	"strings"

	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/tg"
)

const historyMax = 100 // messages of one answer

// History returns a page of a chat's history as viewer sees it, newest first.
// Box and Chat of the query are the viewer's business, not the caller's.
func (s *Service) History(ctx context.Context, viewer int64, chat peer.ID, q message.Query) (tg.MessagesMessagesClass, error) {
	if err := s.checkRead(ctx, viewer, chat); err != nil {
		return nil, err
	}
	q.Box, q.Chat = boxOf(viewer, chat), chat
	q.Limit = max(0, min(q.Limit, historyMax))
	q.AddOffset = max(q.AddOffset, -historyMax)
	all, count, err := s.log.History(ctx, q)
	if err != nil {
		return nil, err
	}
	return s.messageList(ctx, viewer, chat, all, count)
}

// Search returns the messages of a chat that contain a text; without a text it
// finds nothing.
func (s *Service) Search(ctx context.Context, viewer int64, chat peer.ID, q message.Query) (tg.MessagesMessagesClass, error) {
	if q.Text = strings.TrimSpace(q.Text); q.Text != "" {
		return s.History(ctx, viewer, chat, q)
	}
	if err := s.checkRead(ctx, viewer, chat); err != nil {
		return nil, err
	}
	return s.messageList(ctx, viewer, chat, nil, 0)
}

// Messages returns messages by id: of a channel, or for the zero peer of the
// viewer's own box. Those that don't exist are answered as empty.
func (s *Service) Messages(ctx context.Context, viewer int64, channel peer.ID, ids []int) (tg.MessagesMessagesClass, error) {
	if err := s.checkRead(ctx, viewer, channel); err != nil {
		return nil, err
	}
	if len(ids) > historyMax {
		ids = ids[:historyMax]
	}
	found, err := s.log.MessagesByID(ctx, boxOf(viewer, channel), ids)
	if err != nil {
		return nil, err
	}
	byID := map[int]message.Message{}
	for _, m := range found {
		byID[m.ID] = m
	}
	n := newNames(viewer)
	views := make([]tg.MessageClass, len(ids))
	for i, id := range ids {
		if m, ok := byID[id]; ok {
			views[i] = n.message(m)
		} else {
			views[i] = &tg.MessageEmpty{ID: id}
		}
	}
	return s.messageAnswer(ctx, n, channel, views, len(views))
}

// boxOf returns the box in which viewer finds a chat's messages.
func boxOf(viewer int64, chat peer.ID) peer.ID {
	if chat.Kind == peer.Channel {
		return chat
	}
	return peer.OfUser(viewer)
}

func (s *Service) messageList(ctx context.Context, viewer int64, chat peer.ID, all []message.Message, count int) (tg.MessagesMessagesClass, error) {
	n := newNames(viewer)
	n.add(chat)
	return s.messageAnswer(ctx, n, chat, n.messages(all), count)
}

// messageAnswer returns messages in the form for their chat: a channel's come
// with its pts.
func (s *Service) messageAnswer(ctx context.Context, n *names, chat peer.ID, all []tg.MessageClass, count int) (tg.MessagesMessagesClass, error) {
	pts := 0
	if chat.Kind == peer.Channel {
		n.add(chat)
		box, err := s.log.BoxState(ctx, chat)
		if err != nil {
			return nil, err
		}
		pts = box.Pts
	}
	users, chats, err := s.resolve(ctx, n)
	switch {
	case err != nil:
		return nil, err
	case pts != 0:
		return &tg.MessagesChannelMessages{
			Pts: pts, Count: count, Messages: all, Chats: chats, Users: users,
		}, nil
	case len(all) < count:
		return &tg.MessagesMessagesSlice{Count: count, Messages: all, Chats: chats, Users: users}, nil
	}
	return &tg.MessagesMessages{Messages: all, Chats: chats, Users: users}, nil
}
