package directory

import (
	"context"

	"parley/internal/peer"
	"parley/internal/tg"
)

// Chats returns chats as viewer sees them, in the order of ids; unknown ones
// are left out. It hides nothing but what a ban hides: whoever answers a
// client asks only for chats that the client may hear of.
func (s *Service) Chats(ctx context.Context, viewer int64, ids []peer.ID) ([]tg.ChatClass, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	bare := make([]int64, len(ids))
	for i, id := range ids {
		bare[i] = id.ID
	}
	found, err := s.chats(ctx, bare...)
	if err != nil {
		return nil, err
	}
	out := make([]tg.ChatClass, 0, len(ids))
	for _, id := range ids {
		c, ok := found[id.ID]
		if !ok || c.ID != id {
			continue
		}
		m, err := s.member(ctx, id.ID, viewer)
		if err != nil {
			return nil, err
		}
		if c.isChannel() {
			out = append(out, s.projectChannel(c, m))
		} else {
			out = append(out, s.projectGroup(c, m))
		}
	}
	return out, nil
}

// projectGroup returns a basic group as m sees it.
func (s *Service) projectGroup(c Chat, m Member) tg.ChatClass {
	if c.Deleted || m.Status == Kicked {
		return &tg.ChatForbidden{ID: c.ID.ID, Title: c.Title}
	}
	view := &tg.Chat{
		ID: c.ID.ID, Title: c.Title, Photo: &tg.ChatPhotoEmpty{}, ParticipantsCount: c.Count,
		Date: int(c.Created), Version: c.Version,
		Creator: m.User == c.Creator, Left: !m.isIn(),
		DefaultBannedRights: new(banRights(c.Banned, 0)),
	}
	if m.isIn() && (m.Admin || view.Creator) {
		view.AdminRights = new(adminRights(allAdminRights))
		if !view.Creator {
			view.AdminRights.AddAdmins = false
		}
	}
	view.CallActive, view.CallNotEmpty = s.callFlags(c.ID)
	return view
}

// projectChannel returns a channel or supergroup as m sees it.
func (s *Service) projectChannel(c Chat, m Member) tg.ChatClass {
	hash := s.hasher.Of(peer.Channel, c.ID.ID)
	if c.Deleted || m.Status == Kicked {
		f := &tg.ChannelForbidden{
			Broadcast: c.Broadcast, Megagroup: c.isMegagroup(),
			ID: c.ID.ID, AccessHash: hash, Title: c.Title,
		}
		if m.Until != 0 {
			f.UntilDate = new(int(m.Until))
		}
		return f
	}
	view := &tg.Channel{
		ID: c.ID.ID, AccessHash: &hash, Title: c.Title, Username: optional(c.Username), Photo: &tg.ChatPhotoEmpty{},
		Date: int(c.Created), ParticipantsCount: new(c.Count),
		Broadcast: c.Broadcast, Megagroup: c.isMegagroup(),
		Creator: m.User == c.Creator, Left: !m.isIn(),
	}
	if m.isIn() {
		view.Date = int(m.Joined)
	}
	if m.isIn() && (m.Admin || view.Creator) {
		view.AdminRights = new(adminRights(m.Rights))
	}
	if m.Banned != 0 {
		view.BannedRights = new(banRights(m.Banned, m.Until))
	}
	if !c.Broadcast {
		view.DefaultBannedRights = new(banRights(c.Banned, 0))
	}
	view.CallActive, view.CallNotEmpty = s.callFlags(c.ID)
	return view
}

// callFlags returns call_active and call_not_empty; scheduled calls are active
// (methods.md A.3).
func (s *Service) callFlags(id peer.ID) (active, notEmpty bool) {
	_, notEmpty, active = s.links.Calls.OfChat(id)
	return active, active && notEmpty
}

// VisibleChats returns basic groups that the viewer is or was in, and
// CHAT_ID_INVALID for any other.
func (s *Service) VisibleChats(ctx context.Context, viewer int64, ids []int64) ([]tg.ChatClass, error) {
	peers := make([]peer.ID, 0, len(ids))
	for _, id := range ids {
		p := peer.OfChat(id)
		m, err := s.member(ctx, id, viewer)
		if err != nil {
			return nil, err
		}
		if _, err := s.chat(ctx, p); err != nil || m.Status == None {
			return nil, errChatID
		}
		peers = append(peers, p)
	}
	return s.Chats(ctx, viewer, peers)
}

// VisibleChannels returns channels as channels.getChannels shows them: those
// that the viewer may not see are channelForbidden.
func (s *Service) VisibleChannels(ctx context.Context, viewer int64, ids []int64) ([]tg.ChatClass, error) {
	out := make([]tg.ChatClass, 0, len(ids))
	for _, id := range ids {
		c, err := s.chat(ctx, peer.OfChannel(id))
		if err != nil {
			return nil, err
		}
		m, err := s.member(ctx, id, viewer)
		if err != nil {
			return nil, err
		}
		if !c.canSee(m) {
			m.Status = Kicked
		}
		out = append(out, s.projectChannel(c, m))
	}
	return out, nil
}
