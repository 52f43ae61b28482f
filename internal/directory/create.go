package directory

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"

	"parley/internal/event"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// NewChannel is what a channel or supergroup starts with.
type NewChannel struct {
	Title     string
	About     string
	Broadcast bool
}

// CreateChannel makes a supergroup or a broadcast channel of the caller's.
func (s *Service) CreateChannel(ctx context.Context, c rpc.Caller, n NewChannel) (peer.ID, tg.UpdatesClass, error) {
	title := clean(n.Title, maxTitle)
	switch {
	case title == "":
		return peer.ID{}, nil, errTitleEmpty
	case len([]rune(n.About)) > maxChatAbout:
		return peer.ID{}, nil, errChatAboutLong
	}
	chat := Chat{Broadcast: n.Broadcast, Title: title, About: clean(n.About, maxChatAbout)}
	chat.ID.Kind = peer.Channel
	return s.create(ctx, c, chat, nil, &tg.MessageActionChannelCreate{Title: title})
}

// CreateChat makes a basic group of the caller and users.
func (s *Service) CreateChat(ctx context.Context, c rpc.Caller, title string, users []int64) (peer.ID, tg.UpdatesClass, error) {
	title = clean(title, maxTitle)
	if title == "" {
		return peer.ID{}, nil, errTitleEmpty
	}
	users = slices.DeleteFunc(unique(users), func(u int64) bool { return u == c.User })
	if len(users)+1 > maxGroupMembers {
		return peer.ID{}, nil, errUsersTooMuch
	}
	found, err := s.users(ctx, users...)
	if err != nil {
		return peer.ID{}, nil, err
	}
	if len(found) != len(users) {
		return peer.ID{}, nil, errUserID
	}
	chat := Chat{Title: title}
	chat.ID.Kind = peer.Chat
	return s.create(ctx, c, chat, users, &tg.MessageActionChatCreate{Title: title, Users: append([]int64{c.User}, users...)})
}

// create enters a new chat with its first members and announces it.
func (s *Service) create(ctx context.Context, c rpc.Caller, chat Chat, users []int64, action tg.MessageActionClass) (peer.ID, tg.UpdatesClass, error) {
	u, err := s.links.Publisher.Publish(ctx, c, func(ctx context.Context) ([]event.Event, error) {
		id, err := s.store.NextID(ctx)
		if err != nil {
			return nil, fmt.Errorf("take chat id: %w", err)
		}
		chat.ID.ID, chat.Creator, chat.Created, chat.Version = id, c.User, unix(), 1
		me := Member{User: c.User, Status: Joined, Admin: true, Rights: allAdminRights}
		r := &room{Chat: chat, me: me, service: s, now: chat.Created, changed: chat.isChannel()}
		r.join(me, 0)
		for _, u := range users {
			r.join(Member{User: u}, c.User)
		}
		r.Version = 0 // commit counts the first list
		r.post(action)
		events, err := r.commit(ctx)
		return numbered(events, c.User), err
	})
	return chat.ID, u, err
}

// numbered puts updateMessageID before the caller's copy of a new chat's
// message. TDLib refuses the answer of createChat and createChannel unless it
// holds exactly one (mtproto.md 2.2).
func numbered(events []event.Event, user int64) []event.Event {
	for i, e := range events {
		p, ok := e.(event.Posted)
		if ok && (p.Message.Box.Kind == peer.Channel || p.Message.Box == peer.OfUser(user)) {
			id := &tg.UpdateMessageID{ID: p.Message.ID, RandomID: randomID()}
			return slices.Insert(events, i, event.Event(event.Raw{Update: id}))
		}
	}
	return events
}

func randomID() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return int64(binary.LittleEndian.Uint64(b[:]) >> 1)
}

// unique returns ids without repetitions, in the same order.
func unique(ids []int64) []int64 {
	seen := make(map[int64]bool, len(ids))
	var out []int64
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}
