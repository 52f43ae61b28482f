package directory

import (
	"context"
	"fmt"
	"strings"

	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// Invite is a link into a chat.
type Invite struct {
	Hash    string
	Chat    peer.ID
	Creator int64
	Created int64
	Revoked bool
	Expires int64 // 0 = never
	Limit   int   // uses; 0 = unlimited
	Usage   int
}

const (
	inviteURL  = "https://t.me/+" // the form that every client recognises
	inviteSize = 16               // random bytes
	maxUsage   = 99_999
)

// ParseInvite returns the hash of an invite link, or of the bare hash itself.
func ParseInvite(link string) string {
	link = strings.TrimPrefix(strings.TrimPrefix(link, "https://"), "http://")
	for _, prefix := range []string{"t.me/+", "t.me/joinchat/", "telegram.me/+", "telegram.me/joinchat/", "tg://join?invite="} {
		if hash, ok := strings.CutPrefix(link, prefix); ok {
			return hash
		}
	}
	return link
}

// works tells whether the link still leads into the chat.
func (i Invite) works(now int64) bool {
	return !i.Revoked && (i.Expires == 0 || now < i.Expires) && (i.Limit == 0 || i.Usage < i.Limit)
}

func (i Invite) permanent() bool { return i.Expires == 0 && i.Limit == 0 }

func (i Invite) project() *tg.ChatInviteExported {
	e := &tg.ChatInviteExported{
		Link: inviteURL + i.Hash, AdminID: i.Creator, Date: int(i.Created),
		Revoked: i.Revoked, Permanent: i.permanent(),
	}
	if i.Expires != 0 {
		e.ExpireDate = new(int(i.Expires))
	}
	if i.Limit != 0 {
		e.UsageLimit = new(i.Limit)
	}
	if i.Usage != 0 {
		e.Usage = new(i.Usage)
	}
	return e
}

// NewInvite is what a new link is limited to.
type NewInvite struct {
	Replace bool  // the caller's old permanent link stops working
	Expires int64 // 0 = never
	Limit   int   // 0 = unlimited
}

// ExportInvite makes a link into a chat.
func (s *Service) ExportInvite(ctx context.Context, c rpc.Caller, id peer.ID, n NewInvite) (*tg.ChatInviteExported, error) {
	var made Invite
	_, err := s.change(ctx, c, id, func(ctx context.Context, r *room) error {
		switch {
		case !r.may(r.me, InviteUsers):
			return errAdminRequired
		case n.Limit < 0 || n.Limit > maxUsage:
			return errUsageInvalid
		case n.Expires != 0 && n.Expires <= r.now:
			return errExpireInvalid
		}
		if n.Replace {
			old, err := s.store.PermanentInvite(ctx, id.ID, c.User)
			if err != nil {
				return fmt.Errorf("find permanent invite: %w", err)
			}
			if old.Hash != "" {
				old.Revoked = true
				r.invites = append(r.invites, old)
			}
		}
		made = Invite{Hash: randomName(inviteSize), Chat: id, Creator: c.User, Created: r.now, Expires: n.Expires, Limit: n.Limit}
		r.invites = append(r.invites, made)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return made.project(), nil
}

// RevokeInvite makes a link worthless.
func (s *Service) RevokeInvite(ctx context.Context, c rpc.Caller, id peer.ID, link string) (*tg.ChatInviteExported, error) {
	var inv Invite
	_, err := s.change(ctx, c, id, func(ctx context.Context, r *room) error {
		var err error
		if inv, err = s.invite(ctx, ParseInvite(link)); err != nil {
			return err
		}
		if !r.may(r.me, InviteUsers) || inv.Creator != c.User && r.Creator != c.User {
			return errAdminRequired
		}
		if inv.Chat != id {
			return errInviteInvalid
		}
		inv.Revoked = true
		r.invites = append(r.invites, inv)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return inv.project(), nil
}

// invite returns the link of a hash, working or not.
func (s *Service) invite(ctx context.Context, hash string) (Invite, error) {
	if hash == "" {
		return Invite{}, errHashEmpty
	}
	inv, err := s.store.LoadInvite(ctx, hash)
	if err != nil {
		return Invite{}, fmt.Errorf("load invite: %w", err)
	}
	if inv.Hash == "" {
		return Invite{}, errInviteInvalid
	}
	return inv, nil
}

// ImportInvite puts the caller into the chat that a link leads to.
func (s *Service) ImportInvite(ctx context.Context, c rpc.Caller, hash string) (tg.UpdatesClass, error) {
	inv, err := s.invite(ctx, hash)
	if err != nil {
		return nil, err
	}
	return s.enter(ctx, c, inv.Chat, func(ctx context.Context, r *room) error {
		// Again: the link may have been used up by whoever was published before.
		if inv, err = s.invite(ctx, hash); err != nil {
			return err
		}
		switch {
		case r.me.isIn():
			return errAlreadyIn
		case !inv.works(r.now) || r.me.Status == Kicked:
			return errInviteExpired
		case r.full(1):
			return errUsersTooMuch
		}
		inv.Usage++
		r.invites = append(r.invites, inv)
		r.join(r.me, inv.Creator)
		if !r.Broadcast {
			r.post(&tg.MessageActionChatJoinedByLink{InviterID: inv.Creator})
		}
		return nil
	})
}

// CheckInvite shows where a link leads.
func (s *Service) CheckInvite(ctx context.Context, c rpc.Caller, hash string) (tg.ChatInviteClass, error) {
	inv, err := s.invite(ctx, hash)
	if err != nil {
		return nil, err
	}
	chat, err := s.chat(ctx, inv.Chat)
	if err != nil {
		return nil, errInviteExpired
	}
	m, err := s.member(ctx, inv.Chat.ID, c.User)
	if err != nil {
		return nil, err
	}
	if m.isIn() {
		view, err := s.Chats(ctx, c.User, []peer.ID{inv.Chat})
		if err != nil {
			return nil, err
		}
		return &tg.ChatInviteAlready{Chat: view[0]}, nil
	}
	if !inv.works(unix()) || m.Status == Kicked {
		return nil, errInviteExpired
	}
	i := &tg.ChatInvite{
		Channel: chat.isChannel(), Broadcast: chat.Broadcast, Public: chat.public(), Megagroup: chat.isMegagroup(),
		Title: chat.Title, Photo: &tg.PhotoEmpty{}, ParticipantsCount: chat.Count,
	}
	if chat.About != "" {
		i.About = new(chat.About)
	}
	return i, nil
}
