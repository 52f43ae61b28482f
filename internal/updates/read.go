package updates

import (
	"context"
	"time"

	"parley/internal/event"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// ReadHistory notes how far the caller has read a private chat or basic group;
// maxID 0 means all. The answer counts as a change of the caller's box.
func (s *Service) ReadHistory(ctx context.Context, c rpc.Caller, chat peer.ID, maxID int) (*tg.MessagesAffectedMessages, error) {
	r, err := s.markRead(ctx, c, chat, maxID)
	if err != nil {
		return nil, err
	}
	affected := &tg.MessagesAffectedMessages{Pts: r.Pts}
	if r.Changed {
		affected.PtsCount = 1
	}
	return affected, nil
}

// ReadChannel notes how far the caller has read a channel and tells whether
// that is farther than before.
func (s *Service) ReadChannel(ctx context.Context, c rpc.Caller, channel peer.ID, maxID int) (bool, error) {
	if err := s.checkRead(ctx, c.User, channel); err != nil {
		return false, err
	}
	r, err := s.markRead(ctx, c, channel, maxID)
	return r.Changed, err
}

// markRead tells the caller's other sessions and the authors of a reading.
func (s *Service) markRead(ctx context.Context, c rpc.Caller, chat peer.ID, maxID int) (r message.Reading, err error) {
	_, err = s.Publish(ctx, c, func(ctx context.Context) ([]event.Event, error) {
		r, err = s.dialogs.MarkRead(ctx, c.User, chat, maxID, time.Now().Unix())
		if err != nil || !r.Changed {
			return nil, err
		}
		own := message.Change{Box: peer.OfUser(c.User), Pts: r.Pts, Kind: message.InboxRead, Chat: chat, ID: r.MaxID}
		events := []event.Event{event.Raw{User: c.User, Update: inboxRead(own, r.Unread)}}
		for _, o := range r.Others {
			events = append(events, event.Raw{User: o.Box.ID, Update: outboxRead(o)})
		}
		return events, nil
	})
	return r, err
}

// inboxRead tells a user's sessions that the user read a chat.
func inboxRead(c message.Change, unread int) tg.UpdateClass {
	if c.Chat.Kind == peer.Channel {
		return &tg.UpdateReadChannelInbox{ChannelID: c.Chat.ID, MaxID: c.ID, StillUnreadCount: unread, Pts: c.Pts}
	}
	return &tg.UpdateReadHistoryInbox{Peer: message.Peer(c.Chat), MaxID: c.ID, StillUnreadCount: unread, Pts: c.Pts, PtsCount: 1}
}

// outboxRead tells a user that somebody read the user's messages.
func outboxRead(c message.Change) tg.UpdateClass {
	if c.Chat.Kind == peer.Channel {
		return &tg.UpdateReadChannelOutbox{ChannelID: c.Chat.ID, MaxID: c.ID}
	}
	return &tg.UpdateReadHistoryOutbox{Peer: message.Peer(c.Chat), MaxID: c.ID, Pts: c.Pts, PtsCount: 1}
}
