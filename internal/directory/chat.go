package directory

import (
	"context"
	"fmt"
	"time"

	"parley/internal/peer"
)

// Chat is a basic group, a supergroup or a broadcast channel.
type Chat struct {
	ID        peer.ID
	Broadcast bool // a channel that only admins post in
	Title     string
	About     string
	Username  string
	Creator   int64
	Created   int64
	Version   int       // of a basic group's member list
	Count     int       // members in it; kept by the store
	Banned    BanRights // what no plain member may do
	Deleted   bool
}

// Limits of chats.
const (
	maxTitle        = 128
	maxChatAbout    = 255
	maxGroupMembers = 200
	maxMembers      = 200_000
	maxAdmins       = 50
	maxInvited      = 200 // by one request
)

// isChannel tells supergroups and channels from basic groups.
func (c Chat) isChannel() bool { return c.ID.Kind == peer.Channel }

// isMegagroup tells supergroups from all others.
func (c Chat) isMegagroup() bool { return c.isChannel() && !c.Broadcast }

// public tells whether everybody may find, read and join the chat.
func (c Chat) public() bool { return c.Username != "" && !c.Deleted }

// full tells whether n more members are too many.
func (c Chat) full(n int) bool {
	if c.isChannel() {
		return c.Count+n > maxMembers
	}
	return c.Count+n > maxGroupMembers
}

// errUnknown is what a wrong id of the chat's kind answers.
func errUnknown(id peer.ID) error {
	if id.Kind == peer.Channel {
		return errChannelInvalid
	}
	return errChatID
}

// chats returns the chats with the given bare ids; unknown ones are missing.
func (s *Service) chats(ctx context.Context, ids ...int64) (map[int64]Chat, error) {
	found, err := s.chatCache.load(ids, func(ids []int64) (map[int64]Chat, error) {
		rows, err := s.store.LoadChats(ctx, ids)
		if err != nil {
			return nil, err
		}
		m := make(map[int64]Chat, len(rows))
		for _, c := range rows {
			m[c.ID.ID] = c
		}
		return m, nil
	})
	if err != nil {
		return nil, fmt.Errorf("load chats: %w", err)
	}
	return found, nil
}

// chat returns one chat that is not deleted, or the error of a wrong id.
func (s *Service) chat(ctx context.Context, id peer.ID) (Chat, error) {
	found, err := s.chats(ctx, id.ID)
	if err != nil {
		return Chat{}, err
	}
	c, ok := found[id.ID]
	if !ok || c.ID != id || c.Deleted {
		return Chat{}, errUnknown(id)
	}
	return c, nil
}

// memberKey names one user's row in one chat.
type memberKey struct{ chat, user int64 }

// members returns the rows of users in a chat; who never was in it has a row
// with status None.
func (s *Service) members(ctx context.Context, chat int64, users ...int64) (map[int64]Member, error) {
	keys := make([]memberKey, len(users))
	for i, u := range users {
		keys[i] = memberKey{chat, u}
	}
	found, err := s.memberCache.load(keys, func(keys []memberKey) (map[memberKey]Member, error) {
		ids := make([]int64, len(keys))
		for i, k := range keys {
			ids[i] = k.user
		}
		rows, err := s.store.LoadMembers(ctx, chat, ids)
		if err != nil {
			return nil, err
		}
		m := make(map[memberKey]Member, len(keys))
		for _, k := range keys {
			m[k] = Member{User: k.user}
		}
		for _, r := range rows {
			m[memberKey{chat, r.User}] = r
		}
		return m, nil
	})
	if err != nil {
		return nil, fmt.Errorf("load members: %w", err)
	}
	now := time.Now().Unix()
	m := make(map[int64]Member, len(found))
	for k, v := range found {
		m[k.user] = v.at(now)
	}
	return m, nil
}

// member returns one user's row in a chat.
func (s *Service) member(ctx context.Context, chat, user int64) (Member, error) {
	found, err := s.members(ctx, chat, user)
	return found[user], err
}

// Members returns the users who are in a chat now. The list is shared: it is
// not to be changed.
func (s *Service) Members(ctx context.Context, chat peer.ID) ([]int64, error) {
	c, err := s.chats(ctx, chat.ID)
	if err != nil || c[chat.ID].ID != chat || c[chat.ID].Deleted {
		return nil, err
	}
	ids, err := s.listCache.one(chat.ID, func() ([]int64, error) { return s.store.MemberIDs(ctx, chat.ID) })
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	return ids, nil
}

// ChatsOf returns the chats that a user is in now.
func (s *Service) ChatsOf(ctx context.Context, user int64) ([]peer.ID, error) {
	ids, err := s.store.ChatsOf(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("list chats of a user: %w", err)
	}
	return ids, nil
}

// Rights returns what a user may do in a chat. A private chat has no rights to
// grant: both sides are members.
func (s *Service) Rights(ctx context.Context, user int64, chat peer.ID) (peer.Rights, error) {
	if chat.Kind == peer.User {
		if _, err := s.user(ctx, chat.ID); err != nil {
			return peer.Rights{}, err
		}
		return peer.Rights{Member: true, CanRead: true}, nil
	}
	c, err := s.chat(ctx, chat)
	if err != nil {
		return peer.Rights{}, err
	}
	m, err := s.member(ctx, chat.ID, user)
	if err != nil {
		return peer.Rights{}, err
	}
	return c.rights(m), nil
}
