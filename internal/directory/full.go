package directory

import (
	"context"
	"fmt"
	"slices"

	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// FullChat returns everything about a basic group that the caller is in.
func (s *Service) FullChat(ctx context.Context, c rpc.Caller, id int64) (*tg.MessagesChatFull, error) {
	r, err := s.room(ctx, c, peer.OfChat(id))
	if err != nil {
		return nil, err
	}
	if r.me.Status == None {
		return nil, errChatID
	}
	full := &tg.ChatFull{ID: id, About: r.About, NotifySettings: tg.PeerNotifySettings{}, Call: s.inputCall(r.ID)}
	res := &tg.MessagesChatFull{FullChat: full}
	full.Participants = &tg.ChatParticipantsForbidden{ChatID: id}
	if r.me.isIn() {
		var members []int64
		if full.Participants, members, err = s.roster(ctx, r.ID); err != nil {
			return nil, err
		}
		if res.Users, err = s.Users(ctx, c.User, members); err != nil {
			return nil, err
		}
	}
	if full.GroupcallDefaultJoinAs, err = r.defaultJoinAs(ctx); err != nil {
		return nil, err
	}
	if full.ExportedInvite, err = r.exportedInvite(ctx); err != nil {
		return nil, err
	}
	res.Chats, err = s.Chats(ctx, c.User, named(r.ID, full.GroupcallDefaultJoinAs))
	return res, err
}

// FullChannel returns everything about a channel or supergroup but what its
// history counts: pts, read_inbox_max_id, read_outbox_max_id and unread_count
// are the caller's to fill in.
func (s *Service) FullChannel(ctx context.Context, c rpc.Caller, id int64) (*tg.ChannelFull, *tg.MessagesChatFull, error) {
	r, err := s.room(ctx, c, peer.OfChannel(id))
	if err != nil {
		return nil, nil, err
	}
	if !r.canSee(r.me) {
		return nil, nil, errFullPrivate
	}
	admin := r.may(r.me, ^AdminRights(0))
	full := &tg.ChannelFull{
		ID: id, About: r.About, ChatPhoto: &tg.PhotoEmpty{}, NotifySettings: tg.PeerNotifySettings{},
		CanViewParticipants: !r.Broadcast || admin,
		CanSetUsername:      r.me.User == r.Creator,
		ParticipantsCount:   new(r.Count),
		Call:                s.inputCall(r.ID),
	}
	if admin {
		if err = r.countForAdmins(ctx, full); err != nil {
			return nil, nil, err
		}
	}
	if full.GroupcallDefaultJoinAs, err = r.defaultJoinAs(ctx); err != nil {
		return nil, nil, err
	}
	if full.ExportedInvite, err = r.exportedInvite(ctx); err != nil {
		return nil, nil, err
	}
	res := &tg.MessagesChatFull{FullChat: full}
	if res.Users, err = s.Users(ctx, c.User, []int64{c.User}); err != nil {
		return nil, nil, err
	}
	res.Chats, err = s.Chats(ctx, c.User, named(r.ID, full.GroupcallDefaultJoinAs))
	return full, res, err
}

// countForAdmins fills in the counts that only admins see.
func (r *room) countForAdmins(ctx context.Context, full *tg.ChannelFull) error {
	for _, of := range []struct {
		query MemberQuery
		to    **int
	}{
		{MemberQuery{Admins: true, Limit: 1}, &full.AdminsCount},
		{MemberQuery{Kicked: true, Limit: 1}, &full.KickedCount},
		{MemberQuery{Banned: true, Limit: 1}, &full.BannedCount},
	} {
		_, n, err := r.service.store.ListMembers(ctx, r.ID.ID, of.query)
		if err != nil {
			return fmt.Errorf("count members: %w", err)
		}
		*of.to = &n
	}
	return nil
}

// exportedInvite returns the caller's own link, if they have one and may.
func (r *room) exportedInvite(ctx context.Context) (tg.ExportedChatInviteClass, error) {
	if !r.may(r.me, InviteUsers) {
		return nil, nil
	}
	inv, err := r.service.store.PermanentInvite(ctx, r.ID.ID, r.me.User)
	if err != nil {
		return nil, fmt.Errorf("find permanent invite: %w", err)
	}
	if inv.Hash == "" {
		return nil, nil
	}
	return inv.project(), nil
}

// inputCall returns the chat's call as clients name it, or nil.
func (s *Service) inputCall(id peer.ID) tg.InputGroupCallClass {
	call, _, ok := s.links.Calls.OfChat(id)
	if !ok {
		return nil
	}
	return &tg.InputGroupCall{ID: call, AccessHash: s.hasher.Of(peer.Call, call)}
}

// defaultJoinAs returns the caller's saved default as the API's peer; nil when
// there is none, or none that they may appear as now.
func (r *room) defaultJoinAs(ctx context.Context) (tg.PeerClass, error) {
	as, err := r.service.DefaultJoinAs(ctx, r.me.User, r.ID)
	switch {
	case err != nil || as.IsZero():
		return nil, err
	case as == peer.OfUser(r.me.User):
		return message.Peer(as), nil
	}
	choices, err := r.service.joinAs(ctx, r.Chat, r.me)
	if err != nil || !slices.Contains(choices, as) {
		return nil, err
	}
	return message.Peer(as), nil
}

// named returns the chats that a full chat names: itself and a join_as.
func named(id peer.ID, as tg.PeerClass) []peer.ID {
	ids := []peer.ID{id}
	if ch, ok := as.(*tg.PeerChannel); ok && ch.ChannelID != id.ID {
		ids = append(ids, peer.OfChannel(ch.ChannelID))
	}
	return ids
}
