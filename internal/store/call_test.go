package store

import (
	"errors"
	"reflect"
	"testing"

	"parley/internal/call"
	"parley/internal/calls"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/tg"
)

func TestCalls(t *testing.T) {
	engines(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		a := call.Record{
			Info: call.Info{
				ID: 1, Chat: peer.OfChannel(5), Creator: 7, State: call.Scheduled, Title: "чай", ScheduleDate: 1_700_000_000,
				JoinMuted: true, VideoLimit: 30,
			},
			InviteHash: "abc", RandomID: -5, Ceiling: 1,
		}
		b := a
		b.ID, b.Chat, b.Broadcast, b.State, b.StartDate, b.EndDate = 9, peer.OfChat(5), true, call.Discarded, 3, 5
		commit := func(c calls.Commit) ([][]message.Message, error) { return db.CommitCalls(ctx, c) }
		draft := message.Draft{Chat: a.Chat, From: peer.OfUser(7), Sender: 7, Date: 1, Action: &tg.MessageActionGroupCall{Call: &tg.InputGroupCall{ID: 1}}}
		posted, err := commit(calls.Commit{Calls: []call.Record{a, b}, Drafts: []message.Draft{draft, draft}})
		if err != nil || len(posted) != 2 || len(posted[0]) != 1 || posted[1][0].ID != posted[0][0].ID+1 {
			t.Fatalf("posted %+v, %v", posted, err)
		}
		for _, s := range []calls.Subscription{{Call: 1, User: 30, On: true}, {Call: 1, User: 20, On: true}, {Call: 1, User: 20, On: true}, {Call: 1, User: 10, On: true}, {Call: 1, User: 10, On: false}, {Call: 1, User: 10, On: false}} {
			if _, err = commit(calls.Commit{Subscription: &s}); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range []calls.Silence{{Call: 1, User: 40, On: true}, {Call: 1, User: 50, On: true}, {Call: 1, User: 50, On: true}, {Call: 1, User: 50, On: false}, {Call: 1, User: 50, On: false}} {
			if _, err = commit(calls.Commit{Silence: &s}); err != nil {
				t.Fatal(err)
			}
		}
		a.Ceiling, a.Title = 1001, "tea"
		if _, err = commit(calls.Commit{Calls: []call.Record{a}}); err != nil {
			t.Fatal(err)
		}
		live, last, err := db.LoadCalls(ctx)
		want := a
		want.Subscribers, want.Silenced = []int64{20, 30}, []int64{40}
		if err != nil || last != 9 || len(live) != 1 || !reflect.DeepEqual(live[0], want) {
			t.Errorf("live %+v, last %d, %v", live, last, err)
		}
		if got, failed := db.LoadCall(ctx, 9); failed != nil || !reflect.DeepEqual(got, b) {
			t.Errorf("LoadCall = %+v, %v", got, failed)
		}
		if got, failed := db.FindCall(ctx, 7, peer.OfChannel(5), -5); failed != nil || got.ID != 1 {
			t.Errorf("FindCall = %+v, %v", got, failed)
		}
		for _, find := range []func() error{
			func() error { _, failed := db.LoadCall(ctx, 2); return failed },
			func() error { _, failed := db.FindCall(ctx, 7, peer.OfChannel(5), 0); return failed },
			func() error { _, failed := db.FindCall(ctx, 8, peer.OfChannel(5), -5); return failed },
			func() error { _, failed := db.FindCall(ctx, 7, peer.OfChannel(6), -5); return failed },
		} {
			if err = find(); !errors.Is(err, calls.ErrNoCall) {
				t.Errorf("err = %v", err)
			}
		}
		// A chat has one call, and a failed commit changes nothing.
		second := a
		second.ID, second.RandomID = 10, 0
		if _, err = commit(calls.Commit{Drafts: []message.Draft{draft}, Calls: []call.Record{second}}); err == nil {
			t.Error("a second call of the chat was kept")
		}
		a.State, a.StartDate = call.Active, 8
		if _, err = commit(calls.Commit{Calls: []call.Record{a}}); err != nil {
			t.Fatal(err)
		}
		if live, _, err = db.LoadCalls(ctx); err != nil || len(live) != 1 || len(live[0].Subscribers) != 0 || len(live[0].Silenced) != 1 || live[0].State != call.Active {
			t.Errorf("live %+v, %v", live, err)
		}
		a.State = call.Discarded
		if _, err = commit(calls.Commit{Calls: []call.Record{a}}); err != nil {
			t.Fatal(err)
		}
		var left int
		if err = db.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM call_silenced`).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d silenced in calls that ended, %v", left, err)
		}
	})
}
