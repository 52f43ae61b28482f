package updates

import (
	"context"
	"fmt"
	"time"

	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/tg"
)

// Sizes of differences. Beyond differenceMax a client had better start anew.
const (
	differenceSlice = 500
	differenceMax   = 50_000
)

// Position is where a client believes to stand.
type Position struct {
	Pts        int
	Date       int64
	Limit      int // of changes in one answer; 0 = the server's
	TotalLimit int // more than that many changes: start anew; 0 = the server's
}

// State returns where a user's box stands. Unread messages are counted in the
// dialogs: here, where every client begins, that would cost too much.
func (s *Service) State(ctx context.Context, viewer int64) (*tg.UpdatesState, error) {
	box, err := s.log.BoxState(ctx, peer.OfUser(viewer))
	if err != nil {
		return nil, err
	}
	return stateAt(box.Pts), nil
}

func stateAt(pts int) *tg.UpdatesState {
	return &tg.UpdatesState{Pts: pts, Date: int(time.Now().Unix())}
}

// Difference returns what happened in a user's box since a position, and which
// of the user's channels changed since its date.
func (s *Service) Difference(ctx context.Context, viewer int64, at Position) (tg.UpdatesDifferenceClass, error) {
	if err := checkPts(at.Pts); err != nil {
		return nil, err
	}
	box, err := s.log.BoxState(ctx, peer.OfUser(viewer))
	if err != nil {
		return nil, err
	}
	total := differenceMax
	if at.TotalLimit > 0 {
		total = min(total, at.TotalLimit)
	}
	if at.Pts > box.Pts || box.Pts-at.Pts > total {
		return &tg.UpdatesDifferenceTooLong{Pts: box.Pts}, nil
	}
	limit := differenceSlice
	if at.Limit > 0 {
		limit = min(limit, at.Limit)
	}
	changes, err := s.log.BoxChanges(ctx, box.Box, at.Pts, limit)
	if err != nil {
		return nil, err
	}
	if n := len(changes); n == limit && changes[n-1].Pts < box.Pts {
		return s.difference(ctx, viewer, changes, nil, false)
	}
	var channels []message.State
	if at.Date > 0 {
		if channels, err = s.log.ChangedChannels(ctx, viewer, at.Date); err != nil {
			return nil, err
		}
	}
	if len(changes) == 0 && len(channels) == 0 {
		return &tg.UpdatesDifferenceEmpty{Date: int(time.Now().Unix())}, nil
	}
	if len(changes) == 0 {
		changes = []message.Change{{Box: box.Box, Pts: at.Pts}}
	}
	return s.difference(ctx, viewer, changes, channels, true)
}

// checkPts refuses what no server gave out.
func checkPts(pts int) error {
	switch {
	case pts == 0:
		return ErrPtsEmpty
	case pts < 0:
		return ErrPtsInvalid
	}
	return nil
}

// difference shows changes of the viewer's box, and names channels that have a
// difference of their own.
func (s *Service) difference(ctx context.Context, viewer int64, changes []message.Change, channels []message.State, last bool) (tg.UpdatesDifferenceClass, error) {
	box := peer.OfUser(viewer)
	n := newNames(viewer)
	messages, err := s.messagesOf(ctx, n, box, changes)
	if err != nil {
		return nil, err
	}
	other, err := s.readsOf(ctx, n, changes)
	if err != nil {
		return nil, err
	}
	for _, c := range channels {
		n.add(c.Box)
		other = append(other, &tg.UpdateChannelTooLong{ChannelID: c.Box.ID, Pts: new(c.Pts)})
	}
	users, chats, err := s.resolve(ctx, n)
	if err != nil {
		return nil, err
	}
	state := stateAt(changes[len(changes)-1].Pts)
	if !last {
		return &tg.UpdatesDifferenceSlice{
			NewMessages: messages, OtherUpdates: other,
			Chats: chats, Users: users, IntermediateState: *state,
		}, nil
	}
	return &tg.UpdatesDifference{
		NewMessages: messages, OtherUpdates: other,
		Chats: chats, Users: users, State: *state,
	}, nil
}

// messagesOf shows the messages that changes posted.
func (s *Service) messagesOf(ctx context.Context, n *names, box peer.ID, changes []message.Change) ([]tg.MessageClass, error) {
	var ids []int
	for _, c := range changes {
		if c.Kind == message.Posted {
			ids = append(ids, c.ID)
		}
	}
	all, err := s.log.MessagesByID(ctx, box, ids)
	if err != nil {
		return nil, fmt.Errorf("load changes: %w", err)
	}
	return n.messages(all), nil
}

// readsOf shows the readings among changes: the last one of each chat and
// direction says all.
func (s *Service) readsOf(ctx context.Context, n *names, changes []message.Change) ([]tg.UpdateClass, error) {
	type key struct {
		kind message.ChangeKind
		chat peer.ID
	}
	last := map[key]int{}
	for i, c := range changes {
		last[key{c.Kind, c.Chat}] = i
	}
	all := []tg.UpdateClass{}
	for i, c := range changes {
		if last[key{c.Kind, c.Chat}] != i {
			continue
		}
		var u tg.UpdateClass
		switch c.Kind {
		case message.InboxRead:
			d, err := s.dialogs.Dialog(ctx, n.viewer, c.Chat)
			if err != nil {
				return nil, err
			}
			u = inboxRead(c, d.Unread)
		case message.OutboxRead:
			u = outboxRead(c)
		default:
			continue
		}
		n.addUpdate(u)
		all = append(all, u)
	}
	return all, nil
}
