package updates

import (
	"context"

	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/tg"
)

// Sizes of channel differences: up to so many slices of the client's limit are
// told change by change.
const (
	channelLimit    = 100
	channelLimitMax = 1000
	channelSlices   = 10
	channelTimeout  = 30 // seconds until a client without pushes asks again
)

// ChannelDifference returns what happened in a channel since pts.
func (s *Service) ChannelDifference(ctx context.Context, viewer int64, channel peer.ID, pts, limit int) (tg.UpdatesChannelDifferenceClass, error) {
	if err := s.checkRead(ctx, viewer, channel); err != nil {
		return nil, err
	}
	if err := checkPts(pts); err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = channelLimit
	}
	limit = min(limit, channelLimitMax)
	box, err := s.log.BoxState(ctx, channel)
	if err != nil {
		return nil, err
	}
	switch gap := box.Pts - pts; {
	case gap == 0:
		return &tg.UpdatesChannelDifferenceEmpty{Final: true, Pts: pts, Timeout: new(channelTimeout)}, nil
	case gap < 0 || gap > limit*channelSlices:
		return s.channelTooLong(ctx, viewer, channel, limit)
	}
	changes, err := s.log.BoxChanges(ctx, channel, pts, limit)
	if err != nil {
		return nil, err
	}
	n := newNames(viewer)
	n.add(channel)
	messages, err := s.messagesOf(ctx, n, channel, changes)
	if err != nil {
		return nil, err
	}
	users, chats, err := s.resolve(ctx, n)
	if err != nil {
		return nil, err
	}
	end := pts
	if len(changes) > 0 {
		end = changes[len(changes)-1].Pts
	}
	return &tg.UpdatesChannelDifference{
		Final: end >= box.Pts, Pts: end, Timeout: new(channelTimeout),
		NewMessages: messages, OtherUpdates: []tg.UpdateClass{}, Chats: chats, Users: users,
	}, nil
}

// channelTooLong lets a client start anew with the newest messages.
func (s *Service) channelTooLong(ctx context.Context, viewer int64, channel peer.ID, limit int) (tg.UpdatesChannelDifferenceClass, error) {
	d, err := s.dialogs.Dialog(ctx, viewer, channel)
	if err != nil {
		return nil, err
	}
	all, _, err := s.log.History(ctx, message.Query{Box: channel, Chat: channel, MaxID: d.Top + 1, Limit: min(limit, channelLimit)})
	if err != nil {
		return nil, err
	}
	n := newNames(viewer)
	view := n.dialog(d)
	messages := n.messages(all)
	users, chats, err := s.resolve(ctx, n)
	if err != nil {
		return nil, err
	}
	return &tg.UpdatesChannelDifferenceTooLong{
		Final: true, Timeout: new(channelTimeout), Dialog: view, Messages: messages, Chats: chats, Users: users,
	}, nil
}

// checkRead refuses viewers who may not see a channel.
func (s *Service) checkRead(ctx context.Context, viewer int64, channel peer.ID) error {
	if channel.Kind != peer.Channel {
		return nil // everybody reads their own box
	}
	rights, err := s.peers.Rights(ctx, viewer, channel)
	if err != nil {
		return err
	}
	if !rights.CanRead {
		return ErrChannelPrivate
	}
	return nil
}
