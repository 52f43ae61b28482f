package directory

import (
	"context"

	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// Join puts the caller into a public channel or supergroup.
func (s *Service) Join(ctx context.Context, c rpc.Caller, channel int64) (tg.UpdatesClass, error) {
	return s.change(ctx, c, peer.OfChannel(channel), func(_ context.Context, r *room) error {
		switch {
		case r.me.isIn():
			return errAlreadyIn
		case !r.canSee(r.me):
			return errChannelPrivate
		case r.full(1):
			return errUsersTooMuch
		}
		r.join(r.me, 0)
		if !r.Broadcast {
			r.post(&tg.MessageActionChatAddUser{Users: []int64{c.User}})
		}
		return nil
	})
}

// Leave takes the caller out of a chat. The creator of a channel deletes it
// instead.
func (s *Service) Leave(ctx context.Context, c rpc.Caller, id peer.ID) (tg.UpdatesClass, error) {
	return s.change(ctx, c, id, func(_ context.Context, r *room) error {
		switch {
		case !r.me.isIn():
			return errNotParticipant
		case r.isChannel() && r.me.User == r.Creator:
			return errUserCreator
		}
		if !r.Broadcast {
			r.postBefore(&tg.MessageActionChatDeleteUser{UserID: c.User})
		}
		r.remove(r.me, Left)
		return nil
	})
}

// Invite puts users into a supergroup or channel.
func (s *Service) Invite(ctx context.Context, c rpc.Caller, channel int64, users []int64) (tg.UpdatesClass, error) {
	return s.change(ctx, c, peer.OfChannel(channel), func(ctx context.Context, r *room) error {
		users = unique(users)
		switch {
		case !r.canSee(r.me):
			return errChannelPrivate
		case !r.lets(r.me, InviteUsers, BanInvite):
			return errAdminRequired
		case len(users) > maxInvited || r.full(len(users)):
			return errUsersTooMuch
		}
		added, err := r.invite(ctx, users)
		if err != nil {
			return err
		}
		if !r.Broadcast {
			r.post(&tg.MessageActionChatAddUser{Users: added})
		}
		return nil
	})
}

// invite makes users members; those who are already are passed over, unless
// that leaves nobody.
func (r *room) invite(ctx context.Context, users []int64) (added []int64, err error) {
	for _, user := range users {
		m, err := r.member(ctx, user)
		if err != nil {
			return nil, err
		}
		u, err := r.service.user(ctx, user)
		switch {
		case err != nil:
			return nil, err
		case u.ID == peer.Service:
			return nil, errUserID
		case u.Bot && r.Broadcast:
			return nil, errUserBot // a bot in a channel is an admin: editAdmin
		case m.isIn():
			continue
		case m.Status == Kicked && !r.may(r.me, BanUsers):
			return nil, errUserKicked
		case m.Status == Kicked:
			m.Banned, m.Until, m.Banner = 0, 0, 0
		}
		r.join(m, r.me.User)
		added = append(added, user)
	}
	if len(added) == 0 {
		return nil, errAlreadyIn
	}
	return added, nil
}

// AddChatUser puts one user into a basic group.
func (s *Service) AddChatUser(ctx context.Context, c rpc.Caller, chat, user int64) (tg.UpdatesClass, error) {
	return s.change(ctx, c, peer.OfChat(chat), func(ctx context.Context, r *room) error {
		switch {
		case user == c.User && r.me.Status == Left: // who left may come back
			r.join(r.me, user)
		case !r.lets(r.me, InviteUsers, BanInvite):
			return errAdminRequired
		case r.full(1):
			return errUsersTooMuch
		default:
			if _, err := r.invite(ctx, []int64{user}); err != nil {
				return err
			}
		}
		r.post(&tg.MessageActionChatAddUser{Users: []int64{user}})
		return nil
	})
}

// DeleteChatUser takes a user out of a basic group: oneself, whom one invited,
// or as an admin anybody but the creator.
func (s *Service) DeleteChatUser(ctx context.Context, c rpc.Caller, chat, user int64) (tg.UpdatesClass, error) {
	if user == c.User {
		return s.Leave(ctx, c, peer.OfChat(chat))
	}
	return s.change(ctx, c, peer.OfChat(chat), func(ctx context.Context, r *room) error {
		m, err := r.member(ctx, user)
		switch {
		case err != nil:
			return err
		case !r.me.isIn():
			return errChatID
		case !m.isIn():
			return errNotParticipant
		case !r.mayRemove(m):
			return errAdminRequired
		}
		r.postBefore(&tg.MessageActionChatDeleteUser{UserID: user})
		m.Banner = c.User
		r.remove(m, Kicked)
		return nil
	})
}

// mayRemove tells whether the caller may take m out of a basic group.
func (r *room) mayRemove(m Member) bool {
	switch {
	case r.me.User == r.Creator:
		return true
	case m.User == r.Creator || m.Admin:
		return false
	}
	return r.may(r.me, BanUsers) || m.Inviter == r.me.User
}
