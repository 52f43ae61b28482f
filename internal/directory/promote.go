package directory

import (
	"context"
	"fmt"

	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

const maxRank = 16

// Promotion says what EditAdmin makes of a user.
type Promotion struct {
	Channel int64
	User    int64
	Rights  AdminRights // 0 demotes
	Rank    string
}

// EditAdmin promotes, changes or demotes an admin of a supergroup or channel.
func (s *Service) EditAdmin(ctx context.Context, c rpc.Caller, p Promotion) (tg.UpdatesClass, error) {
	return s.change(ctx, c, peer.OfChannel(p.Channel), func(ctx context.Context, r *room) error {
		if !r.canSee(r.me) {
			return errChannelPrivate
		}
		m, err := r.member(ctx, p.User)
		if err != nil {
			return err
		}
		if err := r.mayPromote(m, p); err != nil {
			return err
		}
		if err := r.enterBot(ctx, &m); err != nil {
			return err
		}
		if err := r.countAdmins(ctx, m, p); err != nil {
			return err
		}
		m.Admin, m.Rights, m.Rank, m.Promoter = p.Rights != 0, p.Rights, p.Rank, c.User
		if !m.Admin {
			m.Rank, m.Promoter = "", 0
		}
		if m.User == r.Creator {
			m.Admin, m.Rights, m.Rank = true, allAdminRights|p.Rights&Anonymous, p.Rank
		} else {
			m.Banned, m.Until, m.Banner = 0, 0, 0
		}
		r.members = append(r.members, m)
		r.told = append(r.told, m.User)
		return nil
	})
}

// mayPromote tells what keeps the caller from p.
func (r *room) mayPromote(m Member, p Promotion) error {
	granted := p.Rights &^ m.Rights
	switch {
	case m.User == r.Creator && r.me.User != r.Creator:
		return errUserCreator
	case !r.may(r.me, AddAdmins):
		return errAdminRequired
	case m.Admin && !r.canEdit(r.me, m):
		return errAdminRequired
	case r.me.User != r.Creator && granted&^r.me.Rights != 0:
		return errRightForbidden
	case len([]rune(p.Rank)) > maxRank:
		return errRankInvalid
	case m.Status == Kicked && !r.may(r.me, BanUsers):
		return errUserKicked
	}
	return nil
}

// enterBot makes a bot that is to be promoted a member: in channels it can
// become one no other way. People have to be members before.
func (r *room) enterBot(ctx context.Context, m *Member) error {
	if m.isIn() {
		return nil
	}
	u, err := r.service.user(ctx, m.User)
	if err != nil {
		return err
	}
	if !u.Bot {
		return errNotParticipant
	}
	m.Status, m.Joined, m.Inviter = Joined, r.now, r.me.User
	return nil
}

// countAdmins refuses one admin too many.
func (r *room) countAdmins(ctx context.Context, m Member, p Promotion) error {
	if m.Admin || p.Rights == 0 {
		return nil
	}
	_, n, err := r.service.store.ListMembers(ctx, r.ID.ID, MemberQuery{Admins: true, Limit: 1})
	if err != nil {
		return fmt.Errorf("count admins: %w", err)
	}
	if n >= maxAdmins {
		return errAdminsTooMuch
	}
	return nil
}

// EditChatAdmin makes a member of the caller's basic group an admin, or a
// plain member again.
func (s *Service) EditChatAdmin(ctx context.Context, c rpc.Caller, chat, user int64, admin bool) error {
	_, err := s.change(ctx, c, peer.OfChat(chat), func(ctx context.Context, r *room) error {
		m, err := r.member(ctx, user)
		switch {
		case err != nil:
			return err
		case r.me.User != r.Creator || !r.me.isIn():
			return errAdminRequired
		case m.User == r.Creator:
			return errUserCreator
		case !m.isIn():
			return errNotParticipant
		case m.Admin == admin:
			return nil
		}
		m.Admin, m.Promoter, m.Rights = admin, c.User, 0
		r.members = append(r.members, m)
		r.roster, r.changed = true, true
		return nil
	})
	return err
}
