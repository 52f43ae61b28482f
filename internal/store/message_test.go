package store

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"parley/internal/message"
	"parley/internal/peer"
)

// people adds users 1 to n, the basic group 100 with the first three of them
// and the supergroup 200 with all.
func people(t *testing.T, db *DB, n int) {
	t.Helper()
	err := db.write(t.Context(), func(tx *transaction) error {
		for i := 1; i <= n; i++ {
			if _, err := tx.ExecContext(t.Context(), `INSERT INTO users (id, first_name, created) VALUES ($1, 'x', 0)`, i); err != nil {
				return err
			}
		}
		for chat, kind := range map[int]peer.Kind{100: peer.Chat, 200: peer.Channel} {
			if _, err := tx.ExecContext(t.Context(), `INSERT INTO chats (id, kind, title, creator_id, created) VALUES ($1, $2, 'x', 1, 0)`, chat, kind); err != nil {
				return err
			}
			for i := 1; i <= n && (i <= 3 || kind == peer.Channel); i++ {
				if _, err := tx.ExecContext(t.Context(), `INSERT INTO members (chat_id, user_id, status, joined) VALUES ($1, $2, 1, 0)`, chat, i); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func say(t *testing.T, db *DB, d message.Draft) []message.Message {
	t.Helper()
	all, _, err := db.PostMessage(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// copies describes messages as "box id pts chat out".
func copies(all []message.Message) (s []string) {
	for _, m := range all {
		s = append(s, fmt.Sprintf("%s #%d @%d in %s out=%v mentioned=%v from %s", m.Box, m.ID, m.Pts, m.Chat, m.Out, m.Mentioned, m.From))
	}
	return s
}

func TestPostCopies(t *testing.T) {
	for _, tt := range []struct {
		name  string
		draft message.Draft
		want  []string
	}{
		{
			"channel",
			message.Draft{Chat: peer.OfChannel(200), From: peer.OfUser(1), Sender: 1},
			[]string{"channel 200 #1 @2 in channel 200 out=false mentioned=false from user 1"},
		},
		{
			"channel itself",
			message.Draft{Chat: peer.OfChannel(200), From: peer.OfChannel(200), Sender: 1},
			[]string{"channel 200 #1 @2 in channel 200 out=false mentioned=false from none 0"},
		},
		{"group", message.Draft{Chat: peer.OfChat(100), From: peer.OfUser(2), Sender: 2, Mentions: []int64{3}}, []string{
			"user 1 #1 @2 in chat 100 out=false mentioned=false from user 2",
			"user 2 #1 @2 in chat 100 out=true mentioned=false from user 2",
			"user 3 #1 @2 in chat 100 out=false mentioned=true from user 2",
		}},
		{"private", message.Draft{Chat: peer.OfUser(2), From: peer.OfUser(1), Sender: 1}, []string{
			"user 1 #1 @2 in user 2 out=true mentioned=false from user 1",
			"user 2 #1 @2 in user 1 out=false mentioned=false from user 1",
		}},
		{
			"oneself",
			message.Draft{Chat: peer.OfUser(1), From: peer.OfUser(1), Sender: 1},
			[]string{"user 1 #1 @2 in user 1 out=true mentioned=false from user 1"},
		},
		{
			"notice",
			message.Draft{Chat: peer.OfUser(peer.Service), From: peer.OfUser(peer.Service), To: 3},
			[]string{"user 3 #1 @2 in user 777000 out=false mentioned=false from user 777000"},
		},
		{
			"notice named by receiver",
			message.Draft{Chat: peer.OfUser(3), From: peer.OfUser(peer.Service), To: 3},
			[]string{"user 3 #1 @2 in user 777000 out=false mentioned=false from user 777000"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := open(t, "sqlite::memory:")
			people(t, db, 4)
			got := say(t, db, tt.draft)
			if !slices.Equal(copies(got), tt.want) {
				t.Errorf("posted\n%q, want\n%q", copies(got), tt.want)
			}
			for _, m := range got {
				stored, err := db.MessagesByID(t.Context(), m.Box, []int{m.ID, m.ID, 99})
				if err != nil || len(stored) != 1 || !reflect.DeepEqual(stored[0], m) {
					t.Errorf("stored %v, %v; want %v", stored, err, m)
				}
			}
		})
	}
	db := open(t, "sqlite::memory:")
	if _, _, err := db.PostMessage(t.Context(), message.Draft{}); err == nil {
		t.Error("posted to nobody")
	}
}

func TestPostTwice(t *testing.T) {
	engines(t, func(t *testing.T, db *DB) {
		people(t, db, 4)
		d := message.Draft{Chat: peer.OfChat(100), From: peer.OfUser(2), Sender: 2, Date: 5, Text: "once", RandomID: -7}
		first, fresh, err := db.PostMessage(t.Context(), d)
		if err != nil || !fresh {
			t.Fatal(fresh, err)
		}
		d.Text = "twice"
		again, fresh, err := db.PostMessage(t.Context(), d)
		if err != nil || fresh || !reflect.DeepEqual(again, first) {
			t.Errorf("again: %v %v %v, want %v", again, fresh, err, first)
		}
		d.Sender, d.From = 1, peer.OfUser(1)
		if other, fresh, err := db.PostMessage(t.Context(), d); err != nil || !fresh || other[0].ID != 2 {
			t.Errorf("another sender: %v %v %v", other, fresh, err)
		}
	})
}

func TestHistory(t *testing.T) {
	db := open(t, "sqlite::memory:")
	people(t, db, 4)
	chat := peer.OfChannel(200)
	for i := 1; i <= 10; i++ {
		say(t, db, message.Draft{Chat: chat, From: peer.OfUser(1), Sender: 1, Date: int64(100 * i), Text: fmt.Sprintf("Text %d_", i)})
	}
	for _, tt := range []struct {
		name string
		q    message.Query
		want []int
	}{
		{"newest", message.Query{Limit: 3}, []int{10, 9, 8}},
		{"next page", message.Query{OffsetID: 8, Limit: 3}, []int{7, 6, 5}},
		{"skip", message.Query{OffsetID: 8, AddOffset: 2, Limit: 2}, []int{5, 4}},
		{"around", message.Query{OffsetID: 5, AddOffset: -2, Limit: 4}, []int{6, 5, 4, 3}},
		{"only newer", message.Query{OffsetID: 5, AddOffset: -4, Limit: 2}, []int{8, 7}},
		{"newer than the newest", message.Query{OffsetID: 10, AddOffset: -5, Limit: 3}, []int{10, 9, 8}},
		{"negative without offset", message.Query{AddOffset: -5, Limit: 2}, []int{10, 9}},
		{"by date", message.Query{OffsetDate: 400, Limit: 2}, []int{3, 2}},
		{"before all", message.Query{OffsetDate: 1, Limit: 2}, nil},
		{"between", message.Query{MinID: 3, MaxID: 6, Limit: 9}, []int{5, 4}},
		{"text", message.Query{Text: "TEXT 1", Limit: 9}, []int{10, 1}},
		{"text of wildcards", message.Query{Text: "%_", Limit: 9}, nil},
		{"nothing", message.Query{Limit: 0}, nil},
	} {
		tt.q.Box, tt.q.Chat = chat, chat
		page, count, err := db.History(t.Context(), tt.q)
		var got []int
		for _, m := range page {
			got = append(got, m.ID)
		}
		if err != nil || !slices.Equal(got, tt.want) || tt.q.Text == "" && count != 10 {
			t.Errorf("%s: %v of %d, %v; want %v", tt.name, got, count, err, tt.want)
		}
	}
}

// TestChangesReplay: whatever happens, the changes after any pts number the
// box's steps without a hole and name its messages.
func TestChangesReplay(t *testing.T) {
	engines(t, func(t *testing.T, db *DB) {
		people(t, db, 4)
		r := rand.New(rand.NewPCG(1, 2))
		posted := map[peer.ID][]int{}
		for i := range 200 {
			user := r.Int64N(3) + 1
			chat := []peer.ID{peer.OfUser(user%3 + 1), peer.OfChat(100), peer.OfChannel(200)}[r.IntN(3)]
			if r.IntN(4) == 0 {
				if _, err := db.MarkRead(t.Context(), user, chat, r.IntN(20), int64(i)); err != nil {
					t.Fatal(err)
				}
				continue
			}
			for _, m := range say(t, db, message.Draft{Chat: chat, From: peer.OfUser(user), Sender: user, Date: int64(i)}) {
				posted[m.Box] = append(posted[m.Box], m.ID)
			}
		}
		for box, ids := range posted {
			s, err := db.BoxState(t.Context(), box)
			if err != nil || s.LastID != len(ids) {
				t.Fatalf("%+v, %v; want %d messages", s, err, len(ids))
			}
			for from := 1; from <= s.Pts; from += 7 {
				checkChanges(t, db, s, from, ids)
			}
		}
	})
}

func checkChanges(t *testing.T, db *DB, s message.State, from int, ids []int) {
	t.Helper()
	all, err := db.BoxChanges(t.Context(), s.Box, from, 1000)
	if err != nil || len(all) != s.Pts-from {
		t.Fatalf("%s: %d changes after %d of %d, %v", s.Box, len(all), from, s.Pts, err)
	}
	var got []int
	for i, c := range all {
		if c.Pts != from+i+1 {
			t.Fatalf("%s: change %d has pts %d, want %d", s.Box, i, c.Pts, from+i+1)
		}
		if c.Kind == message.Posted {
			got = append(got, c.ID)
		}
	}
	if !slices.Equal(got, ids[len(ids)-len(got):]) {
		t.Fatalf("%s: messages %v after %d, want the end of %v", s.Box, got, from, ids)
	}
}

func TestPtsUnderConcurrency(t *testing.T) {
	engines(t, func(t *testing.T, db *DB) {
		people(t, db, 4)
		const each = 20
		var mu sync.Mutex
		seen := map[int]bool{}
		var wg sync.WaitGroup
		for user := int64(1); user <= 4; user++ {
			wg.Go(func() {
				last := 0
				for range each {
					all, _, err := db.PostMessage(t.Context(), message.Draft{Chat: peer.OfChannel(200), From: peer.OfUser(user), Sender: user})
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if seen[all[0].Pts] || all[0].Pts <= last || all[0].Pts != all[0].ID+1 {
						t.Errorf("pts %d of message %d after %d", all[0].Pts, all[0].ID, last)
					}
					last = all[0].Pts
					seen[last] = true
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if len(seen) != 4*each {
			t.Errorf("%d changes, want %d", len(seen), 4*each)
		}
	})
}
