package directory

import (
	"context"
	"fmt"
	"strings"

	"parley/internal/event"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// User is a person or a bot.
type User struct {
	ID        int64
	Bot       bool
	Phone     string // digits; empty for bots
	Token     []byte // SHA-256 of a bot's token; only written
	FirstName string
	LastName  string
	About     string
	Username  string
	Created   int64
}

// Limits of names as clients cut them; longer ones are cut here too.
const (
	maxName  = 64
	maxAbout = 70
)

// users returns the users with the given ids; unknown ones are missing.
func (s *Service) users(ctx context.Context, ids ...int64) (map[int64]User, error) {
	found, err := s.userCache.load(ids, func(ids []int64) (map[int64]User, error) {
		rows, err := s.store.LoadUsers(ctx, ids)
		if err != nil {
			return nil, err
		}
		m := make(map[int64]User, len(rows))
		for _, u := range rows {
			m[u.ID] = u
		}
		return m, nil
	})
	if err != nil {
		return nil, fmt.Errorf("load users: %w", err)
	}
	return found, nil
}

// user returns one user, or USER_ID_INVALID.
func (s *Service) user(ctx context.Context, id int64) (User, error) {
	found, err := s.users(ctx, id)
	if err != nil {
		return User{}, err
	}
	u, ok := found[id]
	if !ok {
		return User{}, errUserID
	}
	return u, nil
}

// UpdateProfile changes the caller's own names and about; nil leaves one as it is.
func (s *Service) UpdateProfile(ctx context.Context, c rpc.Caller, first, last, about *string) error {
	return s.rename(ctx, c, func(ctx context.Context, u *User) error {
		if first != nil {
			if u.FirstName = clean(*first, maxName); u.FirstName == "" {
				return errFirstName
			}
		}
		if last != nil {
			u.LastName = clean(*last, maxName)
		}
		if about != nil {
			if len([]rune(*about)) > maxAbout {
				return errAboutLong
			}
			u.About = clean(*about, maxAbout)
		}
		if err := s.store.SaveProfile(ctx, *u); err != nil {
			return fmt.Errorf("save profile: %w", err)
		}
		return nil
	})
}

// SetUsername gives the caller a username, or takes it away.
func (s *Service) SetUsername(ctx context.Context, c rpc.Caller, name string) error {
	return s.rename(ctx, c, func(ctx context.Context, u *User) error {
		if err := s.setName(ctx, peer.OfUser(u.ID), u.Username, name); err != nil {
			return err
		}
		u.Username = name
		return nil
	})
}

// rename changes what the caller is called and tells their other sessions.
func (s *Service) rename(ctx context.Context, c rpc.Caller, change func(ctx context.Context, u *User) error) error {
	_, err := s.links.Publisher.Publish(ctx, c, func(ctx context.Context) ([]event.Event, error) {
		u, err := s.user(ctx, c.User)
		if err != nil {
			return nil, err
		}
		defer s.userCache.drop(u.ID)
		if err := change(ctx, &u); err != nil {
			return nil, err
		}
		update := &tg.UpdateUserName{UserID: u.ID, FirstName: u.FirstName, LastName: u.LastName}
		if u.Username != "" {
			update.Usernames = []tg.Username{{Editable: true, Active: true, Username: u.Username}}
		}
		return []event.Event{event.Raw{User: u.ID, Update: update}}, nil
	})
	return err
}

// clean trims s and cuts it to n characters; what is no text becomes "".
func clean(s string, n int) string {
	s = strings.TrimSpace(strings.ToValidUTF8(s, ""))
	if r := []rune(s); len(r) > n {
		s = strings.TrimSpace(string(r[:n]))
	}
	return s
}
