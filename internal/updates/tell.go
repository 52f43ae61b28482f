package updates

import (
	"context"
	"slices"

	"parley/internal/event"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/tg"
)

// teller turns one batch of events into tellings.
type teller struct {
	s       *Service
	members map[peer.ID][]int64 // of the chats that the batch speaks of
}

// tellAll returns whom to tell of events, and how.
func (s *Service) tellAll(ctx context.Context, events []event.Event) []telling {
	t := &teller{s: s, members: map[peer.ID][]int64{}}
	all := make([]telling, 0, len(events))
	for _, e := range events {
		all = append(all, t.tell(ctx, e))
	}
	return all
}

func (t *teller) tell(ctx context.Context, e event.Event) telling {
	switch e := e.(type) {
	case event.Posted:
		return t.posted(ctx, e)
	case event.ChatChanged:
		return t.chatChanged(ctx, e)
	case event.CallChanged:
		return t.callChanged(ctx, e)
	case event.ParticipantsChanged:
		return t.participantsChanged(e)
	case event.Connected:
		return telling{reply: true, show: func(context.Context, *names) []tg.UpdateClass {
			return one(&tg.UpdateGroupCallConnection{Presentation: e.Presentation, Params: tg.DataJSON{Data: string(e.Params)}})
		}}
	case event.Raw:
		return raw(e)
	}
	panic("updates: unknown event")
}

// membersOf returns who is in a chat; a chat whose members cannot be found out
// is told to nobody but those that the event names.
func (t *teller) membersOf(ctx context.Context, chat peer.ID) []int64 {
	if chat.IsZero() {
		return nil
	}
	all, ok := t.members[chat]
	if !ok {
		var err error
		if all, err = t.s.peers.Members(ctx, chat); err != nil {
			t.s.logger.Warn("members not told", "chat", chat, "err", err)
		}
		t.members[chat] = all
	}
	return all
}

func (t *teller) posted(ctx context.Context, e event.Posted) telling {
	to := []int64{e.Message.Box.ID}
	if e.Message.Box.Kind == peer.Channel {
		to = t.membersOf(ctx, e.Message.Box)
	}
	return telling{to: to, show: func(_ context.Context, n *names) []tg.UpdateClass { return one(n.posted(e.Message)) }}
}

func (t *teller) chatChanged(ctx context.Context, e event.ChatChanged) telling {
	to := slices.Concat(t.membersOf(ctx, e.Chat), e.Also)
	return telling{to: to, caller: true, show: func(_ context.Context, n *names) []tg.UpdateClass {
		n.add(e.Chat)
		if e.Chat.Kind == peer.Channel {
			return one(&tg.UpdateChannel{ChannelID: e.Chat.ID})
		}
		return one(&tg.UpdateChat{ChatID: e.Chat.ID})
	}}
}

func (t *teller) callChanged(ctx context.Context, e event.CallChanged) telling {
	show := func(ctx context.Context, n *names) []tg.UpdateClass {
		n.add(e.Info.Chat)
		subscribed := slices.Contains(e.Subscribers, n.viewer)
		return one(&tg.UpdateGroupCall{Peer: message.Peer(e.Info.Chat), Call: t.s.GroupCall(ctx, e.Info, n.viewer, subscribed)})
	}
	if e.Only != 0 {
		return telling{to: []int64{e.Only}, show: show}
	}
	to := slices.Concat(t.membersOf(ctx, e.Info.Chat), e.InCall)
	to = slices.DeleteFunc(to, func(user int64) bool { return e.Except[user] })
	return telling{to: to, caller: true, show: show}
}

// participantsChanged tells some in the call. Most of them see the same.
func (t *teller) participantsChanged(e event.ParticipantsChanged) telling {
	told := telling{to: e.To, show: func(_ context.Context, n *names) []tg.UpdateClass {
		all := make([]tg.UpdateClass, len(e.Changes))
		for i, ch := range e.Changes {
			all[i] = t.s.listChange(e, ch, n)
		}
		return all
	}}
	if len(e.To) > 1 {
		told.common = t.s.common(e)
	}
	return told
}

func (s *Service) listChange(e event.ParticipantsChanged, ch event.ListChange, n *names) tg.UpdateClass {
	u := &tg.UpdateGroupCallParticipants{
		Call: s.InputGroupCall(e.Call), Version: max(ch.Version, 1), Participants: make([]tg.GroupCallParticipant, len(ch.Entries)),
	}
	for i, p := range ch.Entries {
		n.add(p.Peer)
		u.Participants[i] = s.Participant(p, n.viewer, e.Personal[p.Peer])
	}
	return u
}

// raw tells one user, or only the caller's session, a ready update.
func raw(e event.Raw) telling {
	show := func(_ context.Context, n *names) []tg.UpdateClass {
		n.addUpdate(e.Update)
		return one(e.Update)
	}
	if e.User == 0 {
		return telling{reply: true, show: show}
	}
	return telling{to: []int64{e.User}, show: show}
}

func one(u tg.UpdateClass) []tg.UpdateClass { return []tg.UpdateClass{u} }

// addUpdate names the peers of updates that arrive ready.
func (n *names) addUpdate(u tg.UpdateClass) {
	switch u := u.(type) {
	case *tg.UpdateReadHistoryInbox:
		n.addPeer(u.Peer)
	case *tg.UpdateReadHistoryOutbox:
		n.addPeer(u.Peer)
	case *tg.UpdateReadChannelInbox:
		n.add(peer.OfChannel(u.ChannelID))
	case *tg.UpdateReadChannelOutbox:
		n.add(peer.OfChannel(u.ChannelID))
	case *tg.UpdateChannelTooLong:
		n.add(peer.OfChannel(u.ChannelID))
	case *tg.UpdateUserTyping:
		n.addUsers(u.UserID)
	case *tg.UpdateChatUserTyping:
		n.add(peer.OfChat(u.ChatID))
		n.addPeer(u.FromID)
	case *tg.UpdateChannelUserTyping:
		n.add(peer.OfChannel(u.ChannelID))
		n.addPeer(u.FromID)
	case *tg.UpdateChannel:
		n.add(peer.OfChannel(u.ChannelID))
	case *tg.UpdateChat:
		n.add(peer.OfChat(u.ChatID))
	case *tg.UpdateChatParticipants:
		n.addRoster(u.Participants)
	case *tg.UpdateUserStatus:
		n.addUsers(u.UserID)
	case *tg.UpdateUserName:
		n.addUsers(u.UserID)
	}
}

// addRoster names the members of a basic group.
func (n *names) addRoster(list tg.ChatParticipantsClass) {
	all, ok := list.(*tg.ChatParticipants)
	if !ok {
		return
	}
	n.add(peer.OfChat(all.ChatID))
	for _, p := range all.Participants {
		switch p := p.(type) {
		case *tg.ChatParticipant:
			n.addUsers(p.UserID, p.InviterID)
		case *tg.ChatParticipantAdmin:
			n.addUsers(p.UserID, p.InviterID)
		case *tg.ChatParticipantCreator:
			n.addUsers(p.UserID)
		}
	}
}

func (n *names) addPeer(p tg.PeerClass) {
	switch p := p.(type) {
	case *tg.PeerUser:
		n.add(peer.OfUser(p.UserID))
	case *tg.PeerChat:
		n.add(peer.OfChat(p.ChatID))
	case *tg.PeerChannel:
		n.add(peer.OfChannel(p.ChannelID))
	}
}
