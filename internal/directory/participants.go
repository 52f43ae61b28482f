package directory

import (
	"context"
	"fmt"

	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// MemberQuery picks rows of a chat's members. Without a flag it means all who
// are in the chat, the newest first.
type MemberQuery struct {
	Admins   bool   // promoted ones
	Bots     bool   // members that are bots
	Kicked   bool   // who may not come back
	Banned   bool   // who is restricted
	Contacts int64  // members that are this user's contacts
	Search   string // part of a name or username
	Offset   int
	Limit    int
}

const maxPage = 200

// Participants returns one page of a channel's or supergroup's members.
func (s *Service) Participants(ctx context.Context, c rpc.Caller, channel int64, filter tg.ChannelParticipantsFilterClass, offset, limit int) (*tg.ChannelsChannelParticipants, error) {
	r, err := s.room(ctx, c, peer.OfChannel(channel))
	if err != nil {
		return nil, err
	}
	q := memberQuery(c.User, filter)
	q.Offset, q.Limit = max(0, offset), min(max(1, limit), maxPage)
	switch {
	case !r.canSee(r.me):
		return nil, errChannelPrivate
	case (q.Kicked || q.Banned) && !r.may(r.me, BanUsers), r.Broadcast && !r.may(r.me, ^AdminRights(0)):
		return nil, errAdminRequired
	}
	rows, count, err := s.store.ListMembers(ctx, channel, q)
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	res := &tg.ChannelsChannelParticipants{Count: count}
	ids := make([]int64, 0, len(rows))
	for _, m := range rows {
		m = m.at(r.now)
		res.Participants = append(res.Participants, r.participant(m))
		ids = append(ids, r.namedBy(m)...)
	}
	if res.Users, err = s.Users(ctx, c.User, unique(ids)); err != nil {
		return nil, err
	}
	res.Chats, err = s.Chats(ctx, c.User, []peer.ID{r.ID})
	return res, err
}

func memberQuery(caller int64, filter tg.ChannelParticipantsFilterClass) MemberQuery {
	switch f := filter.(type) {
	case *tg.ChannelParticipantsAdmins:
		return MemberQuery{Admins: true}
	case *tg.ChannelParticipantsBots:
		return MemberQuery{Bots: true}
	case *tg.ChannelParticipantsKicked:
		return MemberQuery{Kicked: true, Search: f.Q}
	case *tg.ChannelParticipantsBanned:
		return MemberQuery{Banned: true, Search: f.Q}
	case *tg.ChannelParticipantsSearch:
		return MemberQuery{Search: f.Q}
	case *tg.ChannelParticipantsContacts:
		return MemberQuery{Contacts: caller, Search: f.Q}
	case *tg.ChannelParticipantsMentions:
		search := ""
		if f.Q != nil {
			search = *f.Q
		}
		return MemberQuery{Search: search}
	}
	return MemberQuery{}
}

// Participant returns one user's place in a channel or supergroup.
func (s *Service) Participant(ctx context.Context, c rpc.Caller, channel, user int64) (*tg.ChannelsChannelParticipant, error) {
	r, err := s.room(ctx, c, peer.OfChannel(channel))
	if err != nil {
		return nil, err
	}
	m, err := r.member(ctx, user)
	switch {
	case err != nil:
		return nil, errParticipantID
	case !r.canSee(r.me):
		return nil, errChannelPrivate
	case r.Broadcast && user != c.User && !r.may(r.me, ^AdminRights(0)):
		return nil, errAdminRequired
	case m.Status == None, m.Status == Left && m.Banned == 0, m.Status == Kicked && !r.may(r.me, BanUsers):
		return nil, errNotParticipant
	}
	res := &tg.ChannelsChannelParticipant{Participant: r.participant(m)}
	if res.Users, err = s.Users(ctx, c.User, unique(r.namedBy(m))); err != nil {
		return nil, err
	}
	res.Chats, err = s.Chats(ctx, c.User, []peer.ID{r.ID})
	return res, err
}

// namedBy returns the users that the participant of m names.
func (r *room) namedBy(m Member) []int64 {
	ids := []int64{m.User}
	for _, id := range []int64{m.Promoter, m.Banner, m.Inviter} {
		if id != 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// participant returns m as the caller sees it.
func (r *room) participant(m Member) tg.ChannelParticipantClass {
	self := m.User == r.me.User
	switch {
	case m.Status == Kicked || m.Banned != 0:
		return &tg.ChannelParticipantBanned{
			Left: !m.isIn(), Peer: &tg.PeerUser{UserID: m.User}, KickedBy: m.Banner, Date: int(m.Joined),
			BannedRights: banRights(m.Banned, m.Until),
		}
	case !m.isIn():
		return &tg.ChannelParticipantLeft{Peer: &tg.PeerUser{UserID: m.User}}
	case m.User == r.Creator:
		return &tg.ChannelParticipantCreator{UserID: m.User, AdminRights: adminRights(m.Rights), Rank: rank(m)}
	case m.Admin:
		p := &tg.ChannelParticipantAdmin{
			CanEdit: r.may(r.me, AddAdmins) && r.canEdit(r.me, m), Self: self, UserID: m.User,
			PromotedBy: m.Promoter, Date: int(m.Joined), AdminRights: adminRights(m.Rights), Rank: rank(m),
		}
		if self && m.Inviter != 0 {
			p.InviterID = new(m.Inviter)
		}
		return p
	case self:
		return &tg.ChannelParticipantSelf{UserID: m.User, InviterID: m.Inviter, Date: int(m.Joined)}
	}
	return &tg.ChannelParticipant{UserID: m.User, Date: int(m.Joined)}
}

func rank(m Member) *string {
	if m.Rank == "" {
		return nil
	}
	return &m.Rank
}

// roster returns a basic group's member list and who is to be told of it.
func (s *Service) roster(ctx context.Context, id peer.ID) (tg.ChatParticipantsClass, []int64, error) {
	chat, err := s.chats(ctx, id.ID)
	if err != nil {
		return nil, nil, err
	}
	c := chat[id.ID]
	ids, err := s.Members(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	rows, err := s.members(ctx, id.ID, ids...)
	if err != nil {
		return nil, nil, err
	}
	list := &tg.ChatParticipants{ChatID: id.ID, Version: c.Version}
	for _, u := range ids {
		list.Participants = append(list.Participants, c.groupParticipant(rows[u]))
	}
	return list, ids, nil
}

func (c Chat) groupParticipant(m Member) tg.ChatParticipantClass {
	switch {
	case m.User == c.Creator:
		return &tg.ChatParticipantCreator{UserID: m.User}
	case m.Admin:
		return &tg.ChatParticipantAdmin{UserID: m.User, InviterID: m.Inviter, Date: int(m.Joined)}
	}
	return &tg.ChatParticipant{UserID: m.User, InviterID: m.Inviter, Date: int(m.Joined)}
}
