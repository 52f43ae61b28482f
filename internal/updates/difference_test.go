package updates_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/tg"
	"parley/internal/updates"
)

func TestState(t *testing.T) {
	w := newWorld(t)
	s, err := w.State(t.Context(), 2)
	if err != nil || s.Pts != 1 || s.Qts != 0 || s.Seq != 0 || s.Date == 0 {
		t.Errorf("untouched: %+v, %v", s, err)
	}
	w.send(w.client(1), peer.OfUser(2), 1)
	if s, err = w.State(t.Context(), 2); err != nil || s.Pts != 2 {
		t.Errorf("after a message: %+v, %v", s, err)
	}
}

func TestDifference(t *testing.T) {
	w := newWorld(t)
	a, b := w.client(1), w.client(2)
	for i := range 4 {
		w.send(a, peer.OfUser(2), int64(i+1))
	}
	w.send(b, super, 9)
	if _, err := w.ReadHistory(t.Context(), b.Caller, peer.OfUser(1), 3); err != nil {
		t.Fatal(err)
	}
	soon := time.Now().Unix() + 60
	for _, tt := range []struct {
		name string
		at   updates.Position
		want string
	}{
		{"all", updates.Position{Pts: 1, Date: soon}, "difference @6 messages 1 2 3 4 [read inbox @6+1 user 1 up to 3, 1 left]"},
		{"rest", updates.Position{Pts: 4, Date: soon}, "difference @6 messages 4 [read inbox @6+1 user 1 up to 3, 1 left]"},
		{"nothing", updates.Position{Pts: 6, Date: soon}, "empty"},
		{"only channels", updates.Position{Pts: 6, Date: 1}, "difference @6 messages [channel 200 @2]"},
		{"slice", updates.Position{Pts: 2, Date: 1, Limit: 2}, "slice @4 messages 2 3 []"},
		{"just enough", updates.Position{Pts: 4, Date: soon, Limit: 2}, "difference @6 messages 4 [read inbox @6+1 user 1 up to 3, 1 left]"},
		{"more than wanted", updates.Position{Pts: 1, Date: soon, TotalLimit: 3}, "too long @6"},
		{"ahead", updates.Position{Pts: 99, Date: soon}, "too long @6"},
	} {
		d, err := w.Difference(t.Context(), 2, tt.at)
		if got := showDifference(d); err != nil || got != tt.want {
			t.Errorf("%s: %s, %v; want %s", tt.name, got, err, tt.want)
		}
	}
	for pts, want := range map[int]error{0: updates.ErrPtsEmpty, -1: updates.ErrPtsInvalid} {
		if _, err := w.Difference(t.Context(), 2, updates.Position{Pts: pts}); !errors.Is(err, want) {
			t.Errorf("pts %d: %v, want %v", pts, err, want)
		}
		if _, err := w.ChannelDifference(t.Context(), 2, super, pts, 10); !errors.Is(err, want) {
			t.Errorf("channel's pts %d: %v, want %v", pts, err, want)
		}
	}
}

func showDifference(d tg.UpdatesDifferenceClass) string {
	list := func(messages []tg.MessageClass, other []tg.UpdateClass) (s string) {
		for _, m := range messages {
			s += fmt.Sprint(" ", m.(*tg.Message).ID)
		}
		var lines []string
		for _, u := range other {
			lines = append(lines, showUpdate(u))
		}
		return fmt.Sprint(s, " ", lines)
	}
	switch d := d.(type) {
	case *tg.UpdatesDifferenceEmpty:
		return "empty"
	case *tg.UpdatesDifferenceTooLong:
		return fmt.Sprint("too long @", d.Pts)
	case *tg.UpdatesDifferenceSlice:
		return fmt.Sprint("slice @", d.IntermediateState.Pts, " messages", list(d.NewMessages, d.OtherUpdates))
	case *tg.UpdatesDifference:
		return fmt.Sprint("difference @", d.State.Pts, " messages", list(d.NewMessages, d.OtherUpdates))
	}
	return fmt.Sprintf("%T", d)
}

func TestChannelDifference(t *testing.T) {
	w := newWorld(t)
	a := w.client(1)
	for i := range 25 {
		w.send(a, super, int64(i+1))
	}
	get := func(pts, limit int) tg.UpdatesChannelDifferenceClass {
		t.Helper()
		d, err := w.ChannelDifference(t.Context(), 2, super, pts, limit)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d, ok := get(26, 10).(*tg.UpdatesChannelDifferenceEmpty); !ok || !d.Final || d.Pts != 26 || *d.Timeout <= 0 {
		t.Errorf("nothing new: %+v", d)
	}
	if d, ok := get(20, 10).(*tg.UpdatesChannelDifference); !ok || !d.Final || d.Pts != 26 || len(d.NewMessages) != 6 || len(d.Chats) != 1 || len(d.Users) != 1 {
		t.Errorf("a little: %+v", d)
	}
	if d, ok := get(1, 10).(*tg.UpdatesChannelDifference); !ok || d.Final || d.Pts != 11 || len(d.NewMessages) != 10 {
		t.Errorf("a part: %+v", d)
	}
	for _, pts := range []int{1, 99} {
		d, ok := get(pts, 2).(*tg.UpdatesChannelDifferenceTooLong)
		if !ok || !d.Final || len(d.Messages) != 2 {
			t.Errorf("too much after %d: %+v", pts, d)
			continue
		}
		if dialog := d.Dialog; *dialog.Pts != 26 || dialog.TopMessage != 25 || d.Messages[0].(*tg.Message).ID != 25 {
			t.Errorf("dialog after %d: %+v", pts, dialog)
		}
	}
	w.peers.left(4)
	if _, err := w.ChannelDifference(t.Context(), 4, super, 1, 10); !errors.Is(err, updates.ErrChannelPrivate) {
		t.Errorf("stranger: %v", err)
	}
}

// copyOf is a client's copy of a box.
type copyOf struct {
	pts      int
	messages map[int]string
}

func newCopy() *copyOf { return &copyOf{pts: 1, messages: map[int]string{}} }

func (c *copyOf) keep(t *testing.T, all []tg.MessageClass) {
	t.Helper()
	for _, m := range all {
		id := m.(*tg.Message).ID
		if _, ok := c.messages[id]; ok {
			t.Errorf("message %d told twice", id)
		}
		c.messages[id] = showMessage(m)
	}
}

// catchUp asks for the difference until nothing is left.
func (c *copyOf) catchUp(t *testing.T, w *world, user int64) {
	t.Helper()
	for range 1000 {
		d, err := w.Difference(t.Context(), user, updates.Position{Pts: c.pts, Limit: 7})
		if err != nil {
			t.Fatal(err)
		}
		switch d := d.(type) {
		case *tg.UpdatesDifferenceEmpty:
			return
		case *tg.UpdatesDifferenceSlice:
			c.pts = d.IntermediateState.Pts
			c.keep(t, d.NewMessages)
		case *tg.UpdatesDifference:
			c.pts = d.State.Pts
			c.keep(t, d.NewMessages)
			return
		default:
			t.Fatalf("difference %T", d)
		}
	}
	t.Fatal("the difference has no end")
}

func (c *copyOf) catchUpChannel(t *testing.T, w *world, user int64) {
	t.Helper()
	for range 1000 {
		d, err := w.ChannelDifference(t.Context(), user, super, c.pts, 20)
		if err != nil {
			t.Fatal(err)
		}
		switch d := d.(type) {
		case *tg.UpdatesChannelDifferenceEmpty:
			return
		case *tg.UpdatesChannelDifference:
			c.pts = d.Pts
			c.keep(t, d.NewMessages)
			if d.Final {
				return
			}
		default:
			t.Fatalf("difference %T", d)
		}
	}
	t.Fatal("the difference has no end")
}

// TestDifferenceReconstructs: whatever was posted and read, and whenever the
// server was killed between a commit and its push, clients that ask for the
// difference at any time end up with the same messages.
func TestDifferenceReconstructs(t *testing.T) {
	w := newWorld(t)
	r := rand.New(rand.NewPCG(3, 4))
	often, rare := newCopy(), newCopy()
	oftenChannel, rareChannel := newCopy(), newCopy()
	for i := range 150 {
		user := r.Int64N(3) + 1
		chat := []peer.ID{peer.OfUser(user%3 + 1), group, super}[r.IntN(3)]
		switch r.IntN(6) {
		case 0:
			if _, err := w.db.MarkRead(t.Context(), user, chat, r.IntN(30), 0); err != nil {
				t.Fatal(err)
			}
		case 1: // committed, never pushed
			d := message.Draft{Chat: chat, From: peer.OfUser(user), Sender: user, Text: fmt.Sprint("text ", i+1)}
			if _, _, err := w.db.PostMessage(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			if r.IntN(3) == 0 {
				w.restart()
			}
		default:
			w.send(w.client(user), chat, int64(i+1))
		}
		if r.IntN(4) == 0 {
			often.catchUp(t, w, 2)
			oftenChannel.catchUpChannel(t, w, 2)
		}
	}
	for _, c := range []*copyOf{often, rare} {
		c.catchUp(t, w, 2)
	}
	for _, c := range []*copyOf{oftenChannel, rareChannel} {
		c.catchUpChannel(t, w, 2)
	}
	state, err := w.State(t.Context(), 2)
	if err != nil || often.pts != state.Pts || rare.pts != state.Pts {
		t.Errorf("pts %d and %d, want %d, %v", often.pts, rare.pts, state.Pts, err)
	}
	if !maps.Equal(often.messages, rare.messages) || !maps.Equal(oftenChannel.messages, rareChannel.messages) {
		t.Error("the copies differ")
	}
	for name, c := range map[string]*copyOf{"box": often, "channel": oftenChannel} {
		ids := slices.Sorted(maps.Keys(c.messages))
		if len(ids) < 30 || ids[0] != 1 || ids[len(ids)-1] != len(ids) {
			t.Errorf("%s: messages %v have a hole", name, ids)
		}
	}
}
