package store

import (
	"cmp"
	"reflect"
	"slices"
	"testing"

	"parley/internal/message"
	"parley/internal/peer"
)

func TestDialogs(t *testing.T) {
	db := open(t, "sqlite::memory:")
	people(t, db, 4)
	say(t, db, message.Draft{Chat: peer.OfUser(2), From: peer.OfUser(1), Sender: 1, Date: 10})
	say(t, db, message.Draft{Chat: peer.OfChat(100), From: peer.OfUser(1), Sender: 1, Date: 20})
	say(t, db, message.Draft{Chat: peer.OfUser(1), From: peer.OfUser(2), Sender: 2, Date: 30})
	for range 3 {
		say(t, db, message.Draft{Chat: peer.OfChannel(200), From: peer.OfUser(1), Sender: 1, Date: 40})
	}
	want := map[int64][]message.Dialog{
		1: {{Chat: peer.OfUser(2), Top: 3, Date: 30, Unread: 1}, {Chat: peer.OfChat(100), Top: 2, Date: 20}, {Chat: peer.OfChannel(200), Top: 3, Date: 40, Pts: 4}},
		2: {{Chat: peer.OfUser(1), Top: 3, Date: 30, Unread: 1}, {Chat: peer.OfChat(100), Top: 2, Date: 20, Unread: 1}, {Chat: peer.OfChannel(200), Top: 3, Date: 40, Pts: 4, Unread: 3}},
		4: {{Chat: peer.OfChannel(200), Top: 3, Date: 40, Pts: 4, Unread: 3}},
	}
	for user, want := range want {
		got, err := db.Dialogs(t.Context(), user)
		slices.SortFunc(got, func(a, b message.Dialog) int { return cmp.Compare(a.Chat.ID, b.Chat.ID) })
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("dialogs of %d: %+v, %v; want %+v", user, got, err, want)
		}
		for _, d := range want {
			one, err := db.Dialog(t.Context(), user, d.Chat)
			if d.Chat.Kind != peer.Channel {
				d.Date = 0 // not looked up
			}
			if err != nil || one != d {
				t.Errorf("dialog of %d: %+v, %v; want %+v", user, one, err, d)
			}
		}
	}
	changed, err := db.ChangedChannels(t.Context(), 4, 40)
	if err != nil || !reflect.DeepEqual(changed, []message.State{{Box: peer.OfChannel(200), Pts: 4, LastID: 3, Changed: 40}}) {
		t.Errorf("changed: %+v, %v", changed, err)
	}
	if changed, err = db.ChangedChannels(t.Context(), 4, 41); err != nil || changed != nil {
		t.Errorf("changed later: %+v, %v", changed, err)
	}
}

func TestMarkReadPrivate(t *testing.T) {
	db := open(t, "sqlite::memory:")
	people(t, db, 4)
	// The copies differ in id: user 1 has two more messages before.
	say(t, db, message.Draft{Chat: peer.OfUser(1), From: peer.OfUser(1), Sender: 1})
	say(t, db, message.Draft{Chat: peer.OfUser(1), From: peer.OfUser(1), Sender: 1})
	for range 3 {
		say(t, db, message.Draft{Chat: peer.OfUser(2), From: peer.OfUser(1), Sender: 1})
	}
	ctx := t.Context()
	r, err := db.MarkRead(ctx, 2, peer.OfUser(1), 2, 50)
	want := message.Reading{
		Pts: 5, MaxID: 2, Unread: 1, Changed: true,
		Others: []message.Change{{Box: peer.OfUser(1), Pts: 7, Kind: message.OutboxRead, Chat: peer.OfUser(2), ID: 4}},
	}
	if err != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("read: %+v, %v; want %+v", r, err, want)
	}
	r, err = db.MarkRead(ctx, 2, peer.OfUser(1), 1, 50)
	if want := (message.Reading{Pts: 5, MaxID: 2, Unread: 1}); err != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("read less: %+v, %v; want %+v", r, err, want)
	}
	if r, err = db.MarkRead(ctx, 2, peer.OfUser(1), 0, 50); err != nil || r.MaxID != 3 || r.Unread != 0 || len(r.Others) != 1 {
		t.Errorf("read all: %+v, %v", r, err)
	}
	var d message.Dialog
	if d, err = db.Dialog(ctx, 1, peer.OfUser(2)); err != nil || d.ReadOutbox != 5 {
		t.Errorf("author's dialog: %+v, %v", d, err)
	}
	if r, err = db.MarkRead(ctx, 3, peer.OfUser(1), 9, 50); err != nil || r.Changed || r.Pts != 1 {
		t.Errorf("read nothing: %+v, %v", r, err)
	}
}

func TestMarkReadChannel(t *testing.T) {
	db := open(t, "sqlite::memory:")
	people(t, db, 4)
	for _, user := range []int64{1, 2, 1, 3} {
		say(t, db, message.Draft{Chat: peer.OfChannel(200), From: peer.OfUser(user), Sender: user})
	}
	r, err := db.MarkRead(t.Context(), 3, peer.OfChannel(200), 3, 50)
	want := message.Reading{Pts: 5, MaxID: 3, Changed: true, Others: []message.Change{
		{Box: peer.OfUser(1), Kind: message.OutboxRead, Chat: peer.OfChannel(200), ID: 3},
		{Box: peer.OfUser(2), Kind: message.OutboxRead, Chat: peer.OfChannel(200), ID: 2},
	}}
	if err != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("read: %+v, %v; want %+v", r, err, want)
	}
	if r, err = db.MarkRead(t.Context(), 4, peer.OfChannel(200), 3, 50); err != nil || r.Others != nil || r.Unread != 1 {
		t.Errorf("read by another: %+v, %v", r, err)
	}
}
