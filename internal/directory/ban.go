package directory

import (
	"context"

	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// A ban that ends sooner or later than this lasts for ever, as Telegram has it.
const (
	minBan = 30
	maxBan = 366 * 24 * 60 * 60
)

// Ban says what EditBanned does to a user.
type Ban struct {
	Channel int64
	User    int64
	Rights  BanRights // BanView kicks, 0 lifts everything
	Until   int64
}

// EditBanned kicks, restricts or forgives a user of a supergroup or channel.
func (s *Service) EditBanned(ctx context.Context, c rpc.Caller, b Ban) (tg.UpdatesClass, error) {
	return s.change(ctx, c, peer.OfChannel(b.Channel), func(ctx context.Context, r *room) error {
		if !r.canSee(r.me) {
			return errChannelPrivate
		}
		if !r.may(r.me, BanUsers) {
			return errAdminRequired
		}
		m, err := r.member(ctx, b.User)
		if err != nil {
			return errParticipantID
		}
		if m.User == r.Creator || m.User == c.User || m.Admin && !r.canEdit(r.me, m) {
			return errUserAdmin
		}
		r.ban(m, b)
		return nil
	})
}

// ban applies b to m.
func (r *room) ban(m Member, b Ban) {
	m.Banned, m.Until, m.Banner = b.Rights, b.Until, r.me.User
	if m.Until < r.now+minBan || m.Until > r.now+maxBan {
		m.Until = 0
	}
	switch {
	case b.Rights&BanView != 0 && m.isIn():
		if !r.Broadcast {
			r.postBefore(&tg.MessageActionChatDeleteUser{UserID: m.User})
		}
		r.remove(m, Kicked)
		return
	case b.Rights&BanView != 0:
		m.Status = Kicked
		r.removed = append(r.removed, m.User) // guests may be in the call
	case m.Status == Kicked, m.Status == None:
		m.Status = Left
	}
	if b.Rights == 0 {
		m.Until, m.Banner = 0, 0
	} else {
		m.Admin, m.Rights, m.Promoter, m.Rank = false, 0, 0, ""
	}
	r.members = append(r.members, m)
	r.told = append(r.told, m.User)
}
