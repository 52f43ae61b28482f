package directory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// Contact is how one user wrote down another.
type Contact struct {
	User  int64
	First string
	Last  string
}

// A user may look up 1000 phones at once and then one every 10 seconds:
// phones can't be enumerated.
const (
	importBurst = 1000
	importEvery = 10 * time.Second
)

// contacts returns the contacts of a user by id.
func (s *Service) contacts(ctx context.Context, owner int64) (map[int64]Contact, error) {
	if owner == 0 {
		return nil, nil
	}
	return s.contactCache.one(owner, func() (map[int64]Contact, error) {
		list, err := s.store.LoadContacts(ctx, owner)
		if err != nil {
			return nil, fmt.Errorf("load contacts: %w", err)
		}
		m := make(map[int64]Contact, len(list))
		for _, c := range list {
			m[c.User] = c
		}
		return m, nil
	})
}

// Contacts returns the caller's contacts.
func (s *Service) Contacts(ctx context.Context, c rpc.Caller) (*tg.ContactsContacts, error) {
	mine, err := s.contacts(ctx, c.User)
	if err != nil {
		return nil, err
	}
	res := &tg.ContactsContacts{}
	ids := make([]int64, 0, len(mine))
	for id := range mine {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		var back map[int64]Contact
		if back, err = s.contacts(ctx, id); err != nil {
			return nil, err
		}
		_, mutual := back[c.User]
		res.Contacts = append(res.Contacts, tg.Contact{UserID: id, Mutual: mutual})
	}
	res.Users, err = s.Users(ctx, c.User, ids)
	return res, err
}

// ImportContacts makes contacts of those phones that somebody has.
func (s *Service) ImportContacts(ctx context.Context, c rpc.Caller, phones []tg.InputPhoneContact) (*tg.ContactsImportedContacts, error) {
	if err := s.imports.take(strconv.FormatInt(c.User, 10), len(phones)); err != nil {
		return nil, err
	}
	res := &tg.ContactsImportedContacts{}
	var ids []int64
	var found []Contact
	for _, p := range phones {
		user, err := s.byPhone(ctx, p.Phone)
		if err != nil {
			return nil, err
		}
		if user == 0 {
			continue
		}
		contact := Contact{User: user, First: clean(p.FirstName, maxName), Last: clean(p.LastName, maxName)}
		if contact.First == "" && contact.Last == "" {
			contact.First = clean(p.Phone, maxName)
		}
		found, ids = append(found, contact), append(ids, user)
		res.Imported = append(res.Imported, tg.ImportedContact{UserID: user, ClientID: p.ClientID})
	}
	if err := s.saveContacts(ctx, c.User, found); err != nil {
		return nil, err
	}
	var err error
	res.Users, err = s.Users(ctx, c.User, unique(ids))
	return res, err
}

// AddContact makes a contact of a user.
func (s *Service) AddContact(ctx context.Context, c rpc.Caller, contact Contact) error {
	if _, err := s.user(ctx, contact.User); err != nil || contact.User == c.User {
		return errContactID
	}
	contact.First, contact.Last = clean(contact.First, maxName), clean(contact.Last, maxName)
	if contact.First == "" {
		return errContactNameEmpty
	}
	return s.saveContacts(ctx, c.User, []Contact{contact})
}

// DeleteContacts makes strangers of contacts.
func (s *Service) DeleteContacts(ctx context.Context, c rpc.Caller, users []int64) error {
	defer s.contactCache.drop(c.User)
	if err := s.store.DeleteContacts(ctx, c.User, users); err != nil {
		return fmt.Errorf("delete contacts: %w", err)
	}
	return nil
}

func (s *Service) saveContacts(ctx context.Context, owner int64, list []Contact) error {
	if len(list) == 0 {
		return nil
	}
	defer s.contactCache.drop(owner)
	if err := s.store.SaveContacts(ctx, owner, list); err != nil {
		return fmt.Errorf("save contacts: %w", err)
	}
	return nil
}

// byPhone returns who has a phone, 0 for nobody.
func (s *Service) byPhone(ctx context.Context, phone string) (int64, error) {
	number, ok := parsePhone(phone)
	if !ok {
		return 0, nil
	}
	user, err := s.store.UserByPhone(ctx, number)
	if err != nil {
		return 0, fmt.Errorf("find phone: %w", err)
	}
	return user, nil
}

// ResolvePhone returns who has a phone.
func (s *Service) ResolvePhone(ctx context.Context, c rpc.Caller, phone string) (*tg.ContactsResolvedPeer, error) {
	if err := s.imports.take(strconv.FormatInt(c.User, 10), 1); err != nil {
		return nil, err
	}
	user, err := s.byPhone(ctx, phone)
	if err != nil {
		return nil, err
	}
	if user == 0 {
		return nil, errPhoneNotOccupied
	}
	return s.resolved(ctx, c, peer.OfUser(user))
}

// ResolveUsername returns who has a username.
func (s *Service) ResolveUsername(ctx context.Context, c rpc.Caller, name string) (*tg.ContactsResolvedPeer, error) {
	id, err := s.ByUsername(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.resolved(ctx, c, id)
}

func (s *Service) resolved(ctx context.Context, c rpc.Caller, id peer.ID) (res *tg.ContactsResolvedPeer, err error) {
	res = &tg.ContactsResolvedPeer{Peer: message.Peer(id)}
	if id.Kind == peer.User {
		res.Users, err = s.Users(ctx, c.User, []int64{id.ID})
	} else {
		res.Chats, err = s.Chats(ctx, c.User, []peer.ID{id})
	}
	return res, err
}
