package directory

import (
	"context"
	"fmt"

	"parley/internal/event"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// room is a chat at the moment of one change: what rules look at, and what
// they decide. It lives inside one publication.
type room struct {
	Chat
	me      Member
	service *Service
	now     int64

	members []Member        // rows to write
	invites []Invite        // rows to write
	before  []message.Draft // posted to the old members
	after   []message.Draft // posted to the new members
	changed bool            // members see the chat differently
	told    []int64         // these see it differently, members or not
	removed []int64         // who is no longer in it, or may not be
	roster  bool            // a basic group's member list is another

	committed bool // it is in the store
}

// change runs rule on a chat as one publication. A basic group can't be found
// from outside; everything else is for rule to check.
func (s *Service) change(ctx context.Context, c rpc.Caller, id peer.ID, rule func(ctx context.Context, r *room) error) (tg.UpdatesClass, error) {
	return s.enter(ctx, c, id, func(ctx context.Context, r *room) error {
		if !r.isChannel() && r.me.Status == None {
			return errChatID
		}
		return rule(ctx, r)
	})
}

// enter is change for callers who may have never been in the chat.
func (s *Service) enter(ctx context.Context, c rpc.Caller, id peer.ID, rule func(ctx context.Context, r *room) error) (tg.UpdatesClass, error) {
	var changed *room
	defer func() {
		if changed != nil && changed.committed {
			changed.tellCalls()
		}
	}()
	return s.links.Publisher.Publish(ctx, c, func(ctx context.Context) ([]event.Event, error) {
		r, err := s.room(ctx, c, id)
		if err != nil {
			return nil, err
		}
		if err := rule(ctx, r); err != nil {
			return nil, err
		}
		changed = r
		return r.commit(ctx)
	})
}

// room loads a chat and the caller's row in it.
func (s *Service) room(ctx context.Context, c rpc.Caller, id peer.ID) (*room, error) {
	chat, err := s.chat(ctx, id)
	if err != nil {
		return nil, err
	}
	me, err := s.member(ctx, id.ID, c.User)
	if err != nil {
		return nil, err
	}
	return &room{Chat: chat, me: me, service: s, now: unix()}, nil
}

// member returns a user's row; the user has to exist.
func (r *room) member(ctx context.Context, user int64) (Member, error) {
	if _, err := r.service.user(ctx, user); err != nil {
		return Member{}, err
	}
	return r.service.member(ctx, r.ID.ID, user)
}

// join makes m a member from now on.
func (r *room) join(m Member, inviter int64) {
	m.Status, m.Joined, m.Inviter = Joined, r.now, inviter
	r.members = append(r.members, m)
	r.told = append(r.told, m.User)
	r.roster = true
}

// remove writes m, who was in the chat, as somebody who no longer is.
func (r *room) remove(m Member, status Status) {
	m.Status, m.Admin, m.Rights, m.Promoter, m.Rank = status, false, 0, 0, ""
	r.members = append(r.members, m)
	r.told = append(r.told, m.User)
	r.removed = append(r.removed, m.User)
	r.roster = true
}

// draft returns a service message of the caller.
func (r *room) draft(action tg.MessageActionClass) message.Draft {
	return message.Draft{Chat: r.ID, From: r.author(r.me), Sender: r.me.User, Date: r.now, Action: action}
}

// post announces action to who is in the chat after the change.
func (r *room) post(action tg.MessageActionClass) { r.after = append(r.after, r.draft(action)) }

// postBefore announces action to who was in the chat before the change.
func (r *room) postBefore(action tg.MessageActionClass) { r.before = append(r.before, r.draft(action)) }

// commit writes what was decided and returns what happened.
func (r *room) commit(ctx context.Context) ([]event.Event, error) {
	if r.roster && !r.isChannel() {
		r.Version++
	}
	defer r.forget()
	posted, err := r.service.store.CommitChat(ctx, Change{
		Chat: r.Chat, Members: r.members, Invites: r.invites, Before: r.before, After: r.after,
	})
	if err != nil {
		return nil, fmt.Errorf("change %s: %w", r.ID, err)
	}
	r.committed = true
	r.forget()
	return r.events(context.WithoutCancel(ctx), posted) // it is done: somebody has to tell
}

// forget drops the copies of what the change touched.
func (r *room) forget() {
	s := r.service
	keys := make([]memberKey, len(r.members))
	for i, m := range r.members {
		keys[i] = memberKey{r.ID.ID, m.User}
	}
	s.memberCache.drop(keys...)
	s.chatCache.drop(r.ID.ID)
	s.listCache.drop(r.ID.ID)
}

// events tells what a committed change made happen.
func (r *room) events(ctx context.Context, posted []message.Message) ([]event.Event, error) {
	var events []event.Event
	switch {
	case r.changed:
		events = append(events, event.ChatChanged{Chat: r.ID, Also: r.told})
	case r.isChannel():
		for _, u := range unique(append(r.told, r.me.User)) {
			events = append(events, event.Raw{User: u, Update: &tg.UpdateChannel{ChannelID: r.ID.ID}})
		}
	}
	if r.roster && !r.isChannel() {
		list, members, err := r.service.roster(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		for _, u := range members {
			events = append(events, event.Raw{User: u, Update: &tg.UpdateChatParticipants{Participants: list}})
		}
	}
	for _, m := range posted {
		events = append(events, event.Posted{Message: m})
	}
	return events, nil
}

// tellCalls tells the chat's call what a committed change means for it.
func (r *room) tellCalls() {
	for _, u := range r.removed {
		r.service.links.Calls.MemberGone(r.ID, u)
	}
	if r.Deleted {
		r.service.links.Calls.ChatGone(r.ID)
	}
}
