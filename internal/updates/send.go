package updates

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley/internal/event"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

const textMax = 4096 // characters

// SendMessage posts a text into a chat and returns the caller's view, which
// begins with the update that maps randomID to the message's id. Repeating
// randomID returns the first outcome.
func (s *Service) SendMessage(ctx context.Context, c rpc.Caller, chat peer.ID, text string, randomID int64) (tg.UpdatesClass, error) {
	text = strings.TrimSpace(strings.ToValidUTF8(text, "\uFFFD"))
	switch {
	case text == "":
		return nil, ErrMessageEmpty
	case utf8.RuneCountInString(text) > textMax:
		return nil, ErrMessageTooLong
	case randomID == 0:
		return nil, ErrRandomID
	}
	from, err := s.author(ctx, c.User, chat)
	if err != nil {
		return nil, err
	}
	return s.publish(ctx, c, func(ctx context.Context) ([]telling, error) {
		all, fresh, err := s.dialogs.PostMessage(ctx, message.Draft{
			Chat: chat, From: from, Sender: c.User, Date: time.Now().Unix(), Text: text, RandomID: randomID,
		})
		if err != nil {
			return nil, err
		}
		if fresh {
			return s.tellAll(ctx, sent(c.User, randomID, all)), nil
		}
		own := slices.DeleteFunc(all, func(m message.Message) bool { return !isOwn(m, c.User) })
		tellings := s.tellAll(ctx, sent(c.User, randomID, own))
		for i := range tellings {
			tellings[i].reply = true // everybody else knows already
		}
		return tellings, nil
	})
}

// author returns who a message of user appears as in a chat, if user may write
// there.
func (s *Service) author(ctx context.Context, user int64, chat peer.ID) (peer.ID, error) {
	if chat.Kind == peer.User {
		found, err := s.peers.Users(ctx, user, []int64{chat.ID})
		if err != nil {
			return peer.ID{}, err
		}
		for _, u := range found {
			if _, ok := u.(*tg.User); ok {
				return peer.OfUser(user), nil
			}
		}
		return peer.ID{}, rpc.ErrPeerID
	}
	rights, err := s.peers.Rights(ctx, user, chat)
	switch {
	case err != nil:
		return peer.ID{}, err
	case chat.Kind == peer.Channel && !rights.CanRead:
		return peer.ID{}, ErrChannelPrivate
	case !rights.Member || rights.Broadcast && !rights.Admin:
		return peer.ID{}, ErrWriteForbidden
	case rights.Broadcast || rights.Anonymous && chat.Kind == peer.Channel:
		return chat, nil
	}
	return peer.OfUser(user), nil
}

// sent returns what sending a message made happen.
func sent(user, randomID int64, all []message.Message) []event.Event {
	var events []event.Event
	for _, m := range all {
		if isOwn(m, user) {
			events = append(events, event.Raw{Update: &tg.UpdateMessageID{ID: m.ID, RandomID: randomID}})
		}
		events = append(events, event.Posted{Message: m})
	}
	return events
}

// isOwn tells whether a copy is the one its sender reads.
func isOwn(m message.Message, user int64) bool {
	return m.Box.Kind == peer.Channel || m.Box == peer.OfUser(user)
}
