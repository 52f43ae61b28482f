package directory

import (
	"context"

	"parley/internal/event"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// EditTitle renames a chat.
func (s *Service) EditTitle(ctx context.Context, c rpc.Caller, id peer.ID, title string) (tg.UpdatesClass, error) {
	return s.change(ctx, c, id, func(_ context.Context, r *room) error {
		title = clean(title, maxTitle)
		switch {
		case !r.lets(r.me, ChangeInfo, BanInfo):
			return errAdminRequired
		case title == "":
			return errTitleEmpty
		case title == r.Title:
			return errChatNotModified
		}
		r.Title, r.changed = title, true
		r.post(&tg.MessageActionChatEditTitle{Title: title})
		return nil
	})
}

// EditAbout changes a chat's description.
func (s *Service) EditAbout(ctx context.Context, c rpc.Caller, id peer.ID, about string) error {
	_, err := s.change(ctx, c, id, func(_ context.Context, r *room) error {
		switch {
		case !r.lets(r.me, ChangeInfo, BanInfo):
			return errAdminRequired
		case len([]rune(about)) > maxChatAbout:
			return errChatAboutLong
		case clean(about, maxChatAbout) == r.About:
			return errAboutNotModified
		}
		r.About, r.changed = clean(about, maxChatAbout), true
		return nil
	})
	return err
}

// EditDefaultBanned changes what no plain member may do.
func (s *Service) EditDefaultBanned(ctx context.Context, c rpc.Caller, id peer.ID, rights *tg.ChatBannedRights) (tg.UpdatesClass, error) {
	return s.change(ctx, c, id, func(_ context.Context, r *room) error {
		bits := BanBits(rights) &^ BanView
		switch {
		case r.Broadcast || !r.may(r.me, BanUsers):
			return errAdminRequired
		case bits == r.Banned:
			return errChatNotModified
		}
		r.Banned, r.changed = bits, true
		return nil
	})
}

// SetChannelName makes a channel public under a username, or private with "".
func (s *Service) SetChannelName(ctx context.Context, c rpc.Caller, id peer.ID, name string) error {
	hidden := false
	defer func() {
		if hidden {
			s.links.Calls.ChatHidden(id)
		}
	}()
	_, err := s.links.Publisher.Publish(ctx, c, func(ctx context.Context) ([]event.Event, error) {
		r, err := s.room(ctx, c, id)
		if err != nil {
			return nil, err
		}
		if !r.isChannel() {
			return nil, errChannelInvalid
		}
		if r.me.User != r.Creator || !r.me.isIn() {
			return nil, errAdminRequired
		}
		defer r.forget()
		if err := s.setName(ctx, id, r.Username, name); err != nil {
			return nil, err
		}
		hidden = name == ""
		return []event.Event{event.ChatChanged{Chat: id}}, nil
	})
	return err
}

// CheckChannelName tells whether the caller's channel may take a username.
func (s *Service) CheckChannelName(ctx context.Context, c rpc.Caller, id peer.ID, name string) (bool, error) {
	r, err := s.room(ctx, c, id)
	if err != nil {
		return false, err
	}
	if r.me.User != r.Creator {
		return false, errAdminRequired
	}
	return s.CheckUsername(ctx, id, name)
}

// Delete ends a chat of the caller's for everybody.
func (s *Service) Delete(ctx context.Context, c rpc.Caller, id peer.ID) (tg.UpdatesClass, error) {
	return s.change(ctx, c, id, func(ctx context.Context, r *room) error {
		if r.me.User != r.Creator {
			return errAdminRequired
		}
		members, err := s.Members(ctx, id)
		if err != nil {
			return err
		}
		r.Deleted, r.changed, r.told = true, true, members
		return nil
	})
}
