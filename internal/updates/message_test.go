package updates_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"parley/internal/event"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
	"parley/internal/updates"
)

var rpcServer = rpc.Caller{}

func TestSendMessage(t *testing.T) {
	w := newWorld(t)
	a, a2, b, c := w.client(1), w.client(1), w.client(2), w.client(3)
	send := func(from *client, chat peer.ID, randomID int64) []string {
		t.Helper()
		answer, err := w.SendMessage(t.Context(), from.Caller, chat, " hi\n", randomID)
		if err != nil {
			t.Fatal(err)
		}
		allNamed(t, answer)
		return show(answer)
	}
	want(t, "private", send(a, peer.OfUser(2), 5), "id 1 of 5", `new @2+1 #1 "hi" in user 2 from user 1 out`)
	want(t, "own other session", a2.told(), `new @2+1 #1 "hi" in user 2 from user 1 out`)
	want(t, "the other", b.told(), `new @2+1 #1 "hi" in user 1 from user 1`)
	want(t, "again", send(a, peer.OfUser(2), 5), "id 1 of 5", `new @2+1 #1 "hi" in user 2 from user 1 out`)
	want(t, "nobody hears it again", append(a2.told(), b.told()...))
	want(t, "oneself", send(a, peer.OfUser(1), 6), "id 2 of 6", `new @3+1 #2 "hi" in user 1 from user 1 out`)
	want(t, "group", send(b, group, 7), "id 2 of 7", `new @3+1 #2 "hi" in chat 100 from user 2 out`)
	want(t, "member", c.told(), `new @2+1 #1 "hi" in chat 100 from user 2`)
	want(t, "supergroup", send(b, super, 8), "id 1 of 8", `channel @2+1 #1 "hi" in channel 200 from user 2 out`)
	want(t, "its member", c.told(), `channel @2+1 #1 "hi" in channel 200 from user 2`)
	want(t, "channel", send(a, channel, 9), "id 1 of 9", `channel @2+1 #1 "hi" in channel 300 from nobody out post`)
	want(t, "its subscriber", c.told(), `channel @2+1 #1 "hi" in channel 300 from nobody post`)
}

func TestSendMessageErrors(t *testing.T) {
	w := newWorld(t)
	w.peers.left(4)
	c, gone := w.client(2), w.client(4)
	for _, tt := range []struct {
		c    *client
		chat peer.ID
		text string
		id   int64
		want error
	}{
		{c, group, " \n", 1, updates.ErrMessageEmpty},
		{c, group, strings.Repeat("ы", 4097), 1, updates.ErrMessageTooLong},
		{c, group, "x", 0, updates.ErrRandomID},
		{c, peer.OfUser(77), "x", 1, rpc.ErrPeerID},
		{c, channel, "x", 1, updates.ErrWriteForbidden},
		{gone, group, "x", 1, updates.ErrWriteForbidden},
		{gone, super, "x", 1, updates.ErrChannelPrivate},
	} {
		if _, err := w.SendMessage(t.Context(), tt.c.Caller, tt.chat, tt.text, tt.id); !errors.Is(err, tt.want) {
			t.Errorf("%q to %s: %v, want %v", tt.text[:1], tt.chat, err, tt.want)
		}
	}
	if _, err := w.SendMessage(t.Context(), c.Caller, group, strings.Repeat("ы", 4096), 1); err != nil {
		t.Error(err)
	}
}

func TestReadHistory(t *testing.T) {
	w := newWorld(t)
	a, b, b2 := w.client(1), w.client(2), w.client(2)
	for i := range 3 {
		w.send(a, peer.OfUser(2), int64(i+1))
		w.send(a, super, int64(i+11))
	}
	_, _ = b.told(), b2.told()
	got, err := w.ReadHistory(t.Context(), b.Caller, peer.OfUser(1), 2)
	if err != nil || got.Pts != 5 || got.PtsCount != 1 {
		t.Errorf("read: %+v, %v", got, err)
	}
	want(t, "own other session", b2.told(), "read inbox @5+1 user 1 up to 2, 1 left")
	want(t, "author", a.told(), "read outbox @5+1 user 2 up to 2")
	if got, err = w.ReadHistory(t.Context(), b.Caller, peer.OfUser(1), 2); err != nil || got.Pts != 5 || got.PtsCount != 0 {
		t.Errorf("read again: %+v, %v", got, err)
	}
	if ok, err := w.ReadChannel(t.Context(), b.Caller, super, 3); err != nil || !ok {
		t.Errorf("read channel: %v, %v", ok, err)
	}
	want(t, "own other session", b2.told(), "read channel inbox @4 up to 3, 0 left")
	want(t, "author", a.told(), "read channel outbox up to 3")
	want(t, "the reader's session", b.told())
	w.peers.left(4)
	if _, err := w.ReadChannel(t.Context(), rpc.Caller{User: 4}, super, 3); !errors.Is(err, updates.ErrChannelPrivate) {
		t.Errorf("stranger: %v", err)
	}
}

func (w *world) send(from *client, chat peer.ID, randomID int64) {
	w.t.Helper()
	if _, err := w.SendMessage(w.t.Context(), from.Caller, chat, fmt.Sprint("text ", randomID), randomID); err != nil {
		w.t.Fatal(err)
	}
}

func TestTyping(t *testing.T) {
	w := newWorld(t)
	w.peers.left(4)
	a, b, gone := w.client(1), w.client(2), w.client(4)
	for _, chat := range []peer.ID{peer.OfUser(2), group, super} {
		if err := w.Typing(t.Context(), a.Caller, chat, &tg.SendMessageTypingAction{}); err != nil {
			t.Fatal(err)
		}
	}
	want(t, "others", b.told(), "UserTyping", "ChatUserTyping", "ChannelUserTyping")
	want(t, "oneself", a.told())
	for chat, wrong := range map[peer.ID]error{super: updates.ErrChannelPrivate, group: updates.ErrWriteForbidden} {
		if err := w.Typing(t.Context(), gone.Caller, chat, &tg.SendMessageTypingAction{}); !errors.Is(err, wrong) {
			t.Errorf("stranger in %s: %v", chat, err)
		}
	}
	for _, chat := range []peer.ID{group, super} { // a guest who speaks as a channel
		if err := w.Speaking(t.Context(), gone.Caller, chat, channel); err != nil {
			t.Fatal(err)
		}
	}
	want(t, "of a guest", b.told(), "ChatUserTyping", "ChannelUserTyping")
	want(t, "the guest", gone.told())
	if err := w.Speaking(t.Context(), gone.Caller, peer.ID{}, channel); !errors.Is(err, rpc.ErrPeerID) {
		t.Errorf("nowhere: %v", err)
	}
}

func TestDialogs(t *testing.T) {
	w := newWorld(t)
	a := w.client(1)
	for i, chat := range []peer.ID{peer.OfUser(2), group, super, channel} {
		if _, _, err := w.db.PostMessage(t.Context(), message.Draft{
			Chat: chat, From: peer.OfUser(2), Sender: 2, Date: int64(10 * (i + 1)), Text: "x",
		}); err != nil {
			t.Fatal(err)
		}
	}
	w.send(a, peer.OfUser(3), 1) // the newest
	var got []string
	page := updates.Page{Limit: 2}
	for range 9 {
		answer, err := w.Dialogs(t.Context(), 1, page)
		if err != nil {
			t.Fatal(err)
		}
		slice := answer.(*tg.MessagesDialogsSlice)
		if slice.Count != 4 || len(slice.Messages) != len(slice.Dialogs) {
			t.Errorf("%d of %d dialogs with %d messages", len(slice.Dialogs), slice.Count, len(slice.Messages))
		}
		if len(slice.Dialogs) == 0 {
			break
		}
		for _, d := range slice.Dialogs {
			got = append(got, fmt.Sprintf("%s top%d unread%d", showPeer(d.Peer), d.TopMessage, d.UnreadCount))
		}
		page.Peer, page.Date = peerID(slice.Dialogs[len(slice.Dialogs)-1].Peer), dateOf(slice.Messages[len(slice.Messages)-1])
	}
	want(t, "dialogs", got, "user 3 top2 unread0", "channel 300 top1 unread1", "channel 200 top1 unread1", "chat 100 top1 unread1")

	all, err := w.Dialogs(t.Context(), 1, updates.Page{})
	if full, ok := all.(*tg.MessagesDialogs); err != nil || !ok || len(full.Dialogs) != 4 || len(full.Messages) != 4 {
		t.Errorf("all dialogs: %T, %v", all, err)
	}
	peers, err := w.PeerDialogs(t.Context(), 1, []peer.ID{super, peer.OfUser(4)})
	if err != nil || len(peers.Dialogs) != 2 || len(peers.Messages) != 1 || peers.State.Pts != 3 || len(peers.Users) < 2 {
		t.Errorf("peer dialogs: %+v, %v", peers, err)
	}
	if pts := peers.Dialogs[0].Pts; pts == nil || *pts != 2 {
		t.Errorf("a channel's pts: %v", pts)
	}
	if none, err := w.PinnedDialogs(t.Context(), 1); err != nil || len(none.Dialogs) != 0 || none.State.Pts != 3 {
		t.Errorf("pinned dialogs: %+v, %v", none, err)
	}
}

func peerID(p tg.PeerClass) peer.ID {
	switch p := p.(type) {
	case *tg.PeerUser:
		return peer.OfUser(p.UserID)
	case *tg.PeerChat:
		return peer.OfChat(p.ChatID)
	}
	return peer.OfChannel(p.(*tg.PeerChannel).ChannelID)
}

func dateOf(m tg.MessageClass) int64 { return int64(m.(*tg.Message).Date) }

func TestHistory(t *testing.T) {
	w := newWorld(t)
	a := w.client(1)
	for i := range 5 {
		w.send(a, super, int64(i+1))
		w.send(a, group, int64(i+11))
	}
	answer, err := w.History(t.Context(), 2, super, message.Query{OffsetID: 4, Limit: 2})
	page := answer.(*tg.MessagesChannelMessages)
	if err != nil || page.Pts != 6 || page.Count != 5 || len(page.Messages) != 2 || page.Messages[0].(*tg.Message).ID != 3 {
		t.Errorf("channel: %+v, %v", page, err)
	}
	answer, err = w.History(t.Context(), 2, group, message.Query{Limit: 2})
	if slice, ok := answer.(*tg.MessagesMessagesSlice); err != nil || !ok || slice.Count != 5 || len(slice.Messages) != 2 {
		t.Errorf("group: %+v, %v", answer, err)
	}
	answer, err = w.History(t.Context(), 2, group, message.Query{Limit: 9})
	if all, ok := answer.(*tg.MessagesMessages); err != nil || !ok || len(all.Messages) != 5 || len(all.Users) != 1 || len(all.Chats) != 1 {
		t.Errorf("group: %+v, %v", answer, err)
	}
	answer, err = w.Search(t.Context(), 2, super, message.Query{Text: "text 3", Limit: 9})
	if found := answer.(*tg.MessagesChannelMessages); err != nil || len(found.Messages) != 1 {
		t.Errorf("search: %+v, %v", found, err)
	}
	answer, err = w.Search(t.Context(), 2, super, message.Query{Limit: 9})
	if found := answer.(*tg.MessagesChannelMessages); err != nil || len(found.Messages) != 0 {
		t.Errorf("search for nothing: %+v, %v", found, err)
	}
	answer, err = w.Messages(t.Context(), 2, super, []int{5, 99, 1})
	var got []string
	for _, m := range answer.(*tg.MessagesChannelMessages).Messages {
		got = append(got, showMessage(m))
	}
	want(t, fmt.Sprint("by id ", err), got, `#5 "text 5" in channel 200 from user 1`, "#99 missing", `#1 "text 1" in channel 200 from user 1`)
	if answer, err = w.Messages(t.Context(), 2, peer.ID{}, []int{1}); err != nil || len(answer.(*tg.MessagesMessages).Messages) != 1 {
		t.Errorf("own by id: %+v, %v", answer, err)
	}
	w.peers.left(4)
	for _, f := range []func() error{
		func() error { _, err := w.History(t.Context(), 4, super, message.Query{}); return err },
		func() error { _, err := w.Search(t.Context(), 4, super, message.Query{}); return err },
		func() error { _, err := w.Messages(t.Context(), 4, super, nil); return err },
	} {
		if err := f(); !errors.Is(err, updates.ErrChannelPrivate) {
			t.Errorf("stranger: %v", err)
		}
	}
}

// TestPublishOrder: however many publish at once, every session hears each pts
// exactly once and in order; the callers' answers fill the gaps.
func TestPublishOrder(t *testing.T) {
	w := newWorld(t)
	listener := w.client(5)
	const each = 25
	var wg sync.WaitGroup
	senders := []*client{w.client(1), w.client(2), w.client(3)}
	answers := make([][]int, len(senders))
	for i, c := range senders {
		wg.Go(func() {
			for j := range each {
				answer, err := w.SendMessage(t.Context(), c.Caller, super, "x", int64(j+1))
				if err != nil {
					t.Error(err)
					return
				}
				answers[i] = append(answers[i], channelPts(answer.(*tg.Updates))...)
			}
		})
	}
	wg.Wait()
	heard := func(c *client) (all []int) {
		for _, u := range c.got {
			all = append(all, channelPts(u)...)
		}
		return all
	}
	var whole []int
	for pts := 2; pts < 2+each*len(senders); pts++ {
		whole = append(whole, pts)
	}
	if got := heard(listener); !slices.Equal(got, whole) {
		t.Errorf("listener heard %v", got)
	}
	for i, c := range senders {
		got := heard(c)
		if !slices.IsSorted(got) {
			t.Errorf("sender %d heard %v", i, got)
		}
		if got = slices.Sorted(slices.Values(append(got, answers[i]...))); !slices.Equal(got, whole) {
			t.Errorf("sender %d knows %v", i, got)
		}
	}
}

func channelPts(u *tg.Updates) (all []int) {
	for _, u := range u.Updates {
		if u, ok := u.(*tg.UpdateNewChannelMessage); ok {
			all = append(all, u.Pts)
		}
	}
	return all
}

// TestPublishFails: a commit that fails is told to nobody, and neither that
// nor a panic stops the next one.
func TestPublishFails(t *testing.T) {
	w := newWorld(t)
	c, other := w.client(1), w.client(1)
	broken := errors.New("broken")
	_, err := w.Publish(t.Context(), c.Caller, func(context.Context) ([]event.Event, error) {
		return []event.Event{event.ChatChanged{Chat: group}}, broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("err = %v", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is gone")
			}
		}()
		_, _ = w.Publish(t.Context(), c.Caller, func(context.Context) ([]event.Event, error) { panic("broken") })
	}()
	want(t, "other session", other.told())
	ctx, cancel := context.WithCancel(t.Context())
	_, err = w.Publish(ctx, c.Caller, func(context.Context) ([]event.Event, error) {
		cancel() // the caller hangs up while the change is committed
		return []event.Event{event.ChatChanged{Chat: group}}, nil
	})
	if err != nil {
		t.Error(err)
	}
	want(t, "other session", other.told(), "Chat")
}
