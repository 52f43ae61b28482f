package directory

import (
	"context"
	"slices"

	"parley/internal/peer"
	"parley/internal/tg"
)

// Users returns users as viewer sees them, in the order of ids; unknown ones
// are left out.
func (s *Service) Users(ctx context.Context, viewer int64, ids []int64) ([]tg.UserClass, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := s.users(ctx, ids...)
	if err != nil {
		return nil, err
	}
	contacts, err := s.contacts(ctx, viewer)
	if err != nil {
		return nil, err
	}
	out := make([]tg.UserClass, 0, len(ids))
	for _, id := range ids {
		u, ok := found[id]
		if !ok {
			continue
		}
		view := s.projectUser(u, viewer)
		if contact, ok := contacts[id]; ok {
			if err := s.showContact(ctx, view, u, contact, viewer); err != nil {
				return nil, err
			}
		}
		out = append(out, view)
	}
	return out, nil
}

// Knows tells whether viewer sees any of the users otherwise than strangers do:
// itself, or a contact.
func (s *Service) Knows(ctx context.Context, viewer int64, ids []int64) (bool, error) {
	contacts, err := s.contacts(ctx, viewer)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(ids, func(id int64) bool { _, ok := contacts[id]; return ok || id == viewer }), nil
}

// projectUser returns a user as strangers see them, or themselves.
func (s *Service) projectUser(u User, viewer int64) *tg.User {
	view := &tg.User{
		ID:         u.ID,
		AccessHash: new(s.hasher.Of(peer.User, u.ID)),
		Self:       u.ID == viewer,
		Bot:        u.Bot,
		FirstName:  optional(u.FirstName),
		LastName:   optional(u.LastName),
		Username:   optional(u.Username),
	}
	if u.Bot {
		view.BotInfoVersion = new(1)
		return view
	}
	if view.Self {
		view.Phone = optional(u.Phone)
	}
	if u.ID == peer.Service {
		view.Verified, view.Support = true, true
	}
	view.Status = s.projectStatus(u.ID)
	return view
}

// showContact adds what a viewer sees of their contact only: the names they
// gave, and the phone.
func (s *Service) showContact(ctx context.Context, view *tg.User, u User, contact Contact, viewer int64) error {
	back, err := s.contacts(ctx, u.ID)
	if err != nil {
		return err
	}
	_, mutual := back[viewer]
	view.Contact, view.MutualContact = true, mutual
	view.FirstName, view.LastName = optional(contact.First), optional(contact.Last)
	view.Phone = optional(u.Phone)
	return nil
}

func (s *Service) projectStatus(user int64) tg.UserStatusClass {
	online, at := s.presence.get(user, unix())
	switch {
	case online:
		return &tg.UserStatusOnline{Expires: int(at)}
	case at != 0:
		return &tg.UserStatusOffline{WasOnline: int(at)}
	}
	return &tg.UserStatusRecently{}
}

// FullUser returns a user's profile; USER_ID_INVALID when there is none.
func (s *Service) FullUser(ctx context.Context, viewer, id int64) (*tg.UsersUserFull, error) {
	u, err := s.user(ctx, id)
	if err != nil {
		return nil, err
	}
	full := tg.UserFull{
		ID: id, About: optional(u.About), Settings: tg.PeerSettings{}, NotifySettings: tg.PeerNotifySettings{},
	}
	if full.CommonChatsCount, err = s.countCommon(ctx, viewer, id); err != nil {
		return nil, err
	}
	res := &tg.UsersUserFull{FullUser: full}
	res.Users, err = s.Users(ctx, viewer, []int64{id})
	return res, err
}

// countCommon counts the chats that two users are both in.
func (s *Service) countCommon(ctx context.Context, a, b int64) (int, error) {
	if a == b {
		return 0, nil
	}
	mine, err := s.ChatsOf(ctx, a)
	if err != nil {
		return 0, err
	}
	theirs, err := s.ChatsOf(ctx, b)
	if err != nil {
		return 0, err
	}
	in := make(map[peer.ID]bool, len(mine))
	for _, id := range mine {
		in[id] = true
	}
	n := 0
	for _, id := range theirs {
		if in[id] {
			n++
		}
	}
	return n, nil
}

// optional returns nil for what a client is to see as absent.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
