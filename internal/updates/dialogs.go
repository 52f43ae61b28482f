package updates

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/tg"
)

const dialogsMax = 100 // dialogs of one answer

// Page says where a page of dialogs begins: after the dialog that the last
// page ended with.
type Page struct {
	Date  int64
	Peer  peer.ID // zero on the first page
	Limit int
}

// Dialogs returns a page of the viewer's chats, the ones with the newest
// messages first.
func (s *Service) Dialogs(ctx context.Context, viewer int64, page Page) (tg.MessagesDialogsClass, error) {
	all, err := s.dialogs.Dialogs(ctx, viewer)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, compareDialogs)
	count := len(all)
	all = all[offset(all, page):]
	limit := page.Limit
	if limit <= 0 {
		limit = dialogsMax
	}
	rest := len(all)
	all = all[:min(rest, limit, dialogsMax)]
	n := newNames(viewer)
	views, messages, err := s.showDialogs(ctx, n, all)
	if err != nil {
		return nil, err
	}
	users, chats, err := s.resolve(ctx, n)
	if err != nil {
		return nil, err
	}
	if len(all) == count {
		return &tg.MessagesDialogs{Dialogs: views, Messages: messages, Chats: chats, Users: users}, nil
	}
	return &tg.MessagesDialogsSlice{Count: count, Dialogs: views, Messages: messages, Chats: chats, Users: users}, nil
}

// compareDialogs orders dialogs by date, newest first; peers break ties.
func compareDialogs(a, b message.Dialog) int {
	return cmp.Or(cmp.Compare(b.Date, a.Date), cmp.Compare(a.Chat.Kind, b.Chat.Kind), cmp.Compare(a.Chat.ID, b.Chat.ID))
}

// offset returns where a page of sorted dialogs begins. The dialog it follows
// may have moved up meanwhile; then its old date decides.
func offset(sorted []message.Dialog, page Page) int {
	if page.Date == 0 && page.Peer.IsZero() {
		return 0
	}
	for i, d := range sorted {
		if d.Chat == page.Peer && (page.Date == 0 || d.Date == page.Date) {
			return i + 1
		}
	}
	for i, d := range sorted {
		if d.Date < page.Date {
			return i
		}
	}
	return len(sorted)
}

// PinnedDialogs returns none, with the viewer's state.
func (s *Service) PinnedDialogs(ctx context.Context, viewer int64) (*tg.MessagesPeerDialogs, error) {
	return s.PeerDialogs(ctx, viewer, nil)
}

// PeerDialogs returns the viewer's chats with the given peers, also those in
// which nothing stands yet. Channels the viewer may not see are left out.
func (s *Service) PeerDialogs(ctx context.Context, viewer int64, peers []peer.ID) (*tg.MessagesPeerDialogs, error) {
	var all []message.Dialog
	for _, p := range peers[:min(len(peers), dialogsMax)] {
		err := s.checkRead(ctx, viewer, p)
		if errors.Is(err, ErrChannelPrivate) {
			continue
		}
		if err != nil {
			return nil, err
		}
		d, err := s.dialogs.Dialog(ctx, viewer, p)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	n := newNames(viewer)
	views, messages, err := s.showDialogs(ctx, n, all)
	if err != nil {
		return nil, err
	}
	users, chats, err := s.resolve(ctx, n)
	if err != nil {
		return nil, err
	}
	state, err := s.State(ctx, viewer)
	if err != nil {
		return nil, err
	}
	return &tg.MessagesPeerDialogs{Dialogs: views, Messages: messages, Chats: chats, Users: users, State: *state}, nil
}

// showDialogs shows dialogs and their newest messages.
func (s *Service) showDialogs(ctx context.Context, n *names, all []message.Dialog) ([]tg.Dialog, []tg.MessageClass, error) {
	views := make([]tg.Dialog, len(all))
	tops := map[peer.ID][]int{}
	for i, d := range all {
		views[i] = n.dialog(d)
		if d.Top != 0 {
			box := boxOf(n.viewer, d.Chat)
			tops[box] = append(tops[box], d.Top)
		}
	}
	messages := []tg.MessageClass{}
	for _, d := range all { // in the order of the dialogs
		box := boxOf(n.viewer, d.Chat)
		found, err := s.log.MessagesByID(ctx, box, tops[box])
		if err != nil {
			return nil, nil, err
		}
		delete(tops, box)
		messages = append(messages, n.messages(found)...)
	}
	return views, messages, nil
}

// dialog shows one chat of the viewer's list.
func (n *names) dialog(d message.Dialog) tg.Dialog {
	n.add(d.Chat)
	view := tg.Dialog{
		Peer: message.Peer(d.Chat), TopMessage: d.Top,
		ReadInboxMaxID: d.ReadInbox, ReadOutboxMaxID: d.ReadOutbox, UnreadCount: d.Unread,
		NotifySettings: tg.PeerNotifySettings{},
	}
	if d.Chat.Kind == peer.Channel {
		view.Pts = new(d.Pts)
	}
	return view
}
