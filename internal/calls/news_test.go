package calls_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/call"
	"parley/internal/calls"
	"parley/internal/event"
	"parley/internal/peer"
)

const tellEvery = 100 * time.Millisecond

// inBubble runs f with a world whose news wait, and with a call that alice and
// bob have joined and where it is quiet.
func inBubble(t *testing.T, f func(t *testing.T, w *world, id call.ID)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, every: tellEvery}
		w.serve(shelf{})
		defer w.Service.Close()
		id := w.create(0)
		w.join(id, alice, bob)
		w.later()
		f(t, w, id)
	})
}

// later lets time pass until all has been told, and forgets it.
func (w *world) later() {
	w.t.Helper()
	time.Sleep(2 * tellEvery)
	w.take()
}

// take returns what each user heard of lists since the last time, one line for
// a delivery, and how many deliveries nobody asked for.
func (w *world) take() (lines map[int64][]string, pushes int) {
	w.t.Helper()
	synctest.Wait()
	lines = map[int64][]string{}
	for _, e := range w.pub.take() {
		p, ok := e.(event.ParticipantsChanged)
		if !ok {
			continue
		}
		if len(p.Changes) > 100 {
			w.t.Errorf("%d changes at once", len(p.Changes))
		}
		for _, user := range p.To {
			var line []string
			for _, ch := range p.Changes {
				line = append(line, showChange(ch, p.Personal))
			}
			lines[user] = append(lines[user], strings.Join(line, ", "))
		}
	}
	w.pub.mu.Lock()
	defer w.pub.mu.Unlock()
	pushes, w.pub.pushes = w.pub.pushes, 0
	return lines, pushes
}

func showChange(ch event.ListChange, personal map[peer.ID]event.Personal) string {
	s := fmt.Sprintf("v%d", ch.Version)
	for _, p := range ch.Entries {
		sign := "~"
		switch {
		case p.Left:
			sign = "-"
		case p.JustJoined:
			sign = "+"
		}
		s += fmt.Sprintf(" %s%d", sign, p.User)
		if personal[p.Peer].MutedByYou {
			s += "!"
		}
	}
	return s
}

func (w *world) mute(id call.ID, user int64, on bool) {
	w.t.Helper()
	_, err := w.Edit(w.t.Context(), by(user), id, call.EditRequest{Target: peer.OfUser(user), Muted: &on})
	wantErr(w.t, err, nil)
}

func (w *world) leave(id call.ID, user int64) {
	w.t.Helper()
	_, err := w.Leave(w.t.Context(), by(user), id, 0)
	wantErr(w.t, err, nil)
}

// heardNow compares what users heard since the last time.
func (w *world) heardNow(when string, want map[int64][]string) {
	w.t.Helper()
	got, _ := w.take()
	if !maps.EqualFunc(got, want, slices.Equal) {
		w.t.Errorf("%s: heard %v, want %v", when, got, want)
	}
}

// The first change after a quiet time is told at once, those that follow
// together, and what comes after another quiet time at once again.
func TestNewsWait(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, id call.ID) {
		for range 3 {
			v := w.info(id).Version
			w.join(id, carol)
			joined := fmt.Sprintf("v%d +4", v+1)
			w.heardNow("at once", map[int64][]string{alice: {joined}, bob: {joined}, carol: {joined}})
			w.mute(id, carol, true)
			w.leave(id, carol)
			muted, left := fmt.Sprintf("v%d ~4", v+1), fmt.Sprintf("v%d -4", v+2)
			w.heardNow("before it is time", map[int64][]string{carol: {muted, left}})
			time.Sleep(tellEvery - time.Nanosecond)
			w.heardNow("right before it is time", nil)
			time.Sleep(time.Nanosecond)
			both := muted + ", " + left
			w.heardNow("in time", map[int64][]string{alice: {both}, bob: {both}})
			time.Sleep(tellEvery)
			w.heardNow("when it is quiet", nil)
		}
	})
}

// A wave of joins is told a few times, to everybody who was there and to each of
// those who came with it; the publisher checks the order of versions.
func TestWave(t *testing.T) {
	for _, tt := range []struct{ joins, pushes int }{
		{50, 4},   // lists and counters: of the first, of the others
		{250, 10}, // what waits is bounded
	} {
		inBubble(t, func(t *testing.T, w *world, id call.ID) {
			begin := w.info(id).Version
			for i := range tt.joins {
				w.join(id, int64(1000+i))
			}
			_, early := w.take()
			time.Sleep(tellEvery)
			synctest.Wait()
			events := w.pub.events
			_, late := w.take()
			if early+late > tt.pushes {
				t.Errorf("%d joins: %d pushes, want %d", tt.joins, early+late, tt.pushes)
			}
			if len(w.pub.heard) != tt.joins+2 {
				t.Errorf("%d joins: %d heard of it", tt.joins, len(w.pub.heard))
			}
			for h, version := range w.pub.heard {
				if version != begin+tt.joins {
					t.Errorf("user %d heard of version %d, want %d", h.user, version, begin+tt.joins)
				}
			}
			last, ok := events[len(events)-1].(event.CallChanged)
			if !ok || last.Info.Count != tt.joins+2 || last.Info.Version != begin+tt.joins || len(last.InCall) != last.Info.Count {
				t.Errorf("told last: %+v", events[len(events)-1])
			}
			if newest := int64(1000 + tt.joins - 1); !maps.Equal(last.Except, map[int64]bool{newest: true}) {
				t.Errorf("known to %v, want who joined last", last.Except)
			}
		})
	}
}

// Whoever is answered hears first of what the answer counts in.
func TestNewsBeforeAnswers(t *testing.T) {
	for name, ask := range map[string]func(w *world, id call.ID) error{
		"get": func(w *world, id call.ID) error {
			v, err := w.Get(w.t.Context(), by(bob), id, 9)
			if v.Info.Version != 5 {
				w.t.Errorf("version %d", v.Info.Version)
			}
			return err
		},
		"list": func(w *world, id call.ID) error {
			_, err := w.Participants(w.t.Context(), by(bob), id, calls.ListRequest{Limit: 9})
			return err
		},
		"edit": func(w *world, id call.ID) error {
			_, err := w.Edit(w.t.Context(), by(bob), id, call.EditRequest{Target: peer.OfUser(carol), Muted: new(true)})
			return err
		},
		"present": func(w *world, id call.ID) error {
			_, err := w.JoinPresentation(w.t.Context(), by(bob), id, params(700))
			return err
		},
		"leave":      func(w *world, id call.ID) error { w.leave(id, bob); return nil },
		"join again": func(w *world, id call.ID) error { w.join(id, bob); return nil },
	} {
		inBubble(t, func(t *testing.T, w *world, id call.ID) {
			w.join(id, carol, 10)
			w.heardNow(name+": before", map[int64][]string{alice: {"v4 +4"}, bob: {"v4 +4"}, carol: {"v4 +4"}, 10: {"v5 +10"}})
			wantErr(t, ask(w, id), nil)
			got, _ := w.take()
			answer := map[string][]string{
				"edit": {"v5 ~4!"}, "present": {"v6 ~3"}, "leave": {"v6 -3"}, "join again": {"v6 ~3"},
			}[name]
			if want := append([]string{"v5 +10"}, answer...); !slices.Equal(got[bob], want) || len(got) != 1 {
				t.Errorf("%s: heard %v, want %v and nobody else", name, got, want)
			}
			time.Sleep(tellEvery)
			all := "v5 +10"
			if name != "edit" && answer != nil {
				all += ", " + answer[0]
			}
			if got, _ = w.take(); !slices.Equal(got[alice], []string{all}) || got[bob] != nil {
				t.Errorf("%s: then %v, want %v for others", name, got, all)
			}
		})
	}
}

func TestNewsBeforeRepeatedCreate(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, id call.ID) {
		w.join(id, carol, 10)
		w.take()
		_, err := w.Create(t.Context(), by(alice), calls.CreateRequest{Chat: super, RandomID: 77})
		wantErr(t, err, nil)
		w.heardNow("before the answer", map[int64][]string{alice: {"v5 +10"}})
	})
}

// What has a place in a history, and the end of a call, come after what waits.
func TestNewsBeforeHistory(t *testing.T) {
	for name, do := range map[string]func(w *world, id call.ID) error{
		"discard": func(w *world, id call.ID) error { _, err := w.Discard(w.t.Context(), by(alice), id); return err },
		"replace": func(w *world, _ call.ID) error {
			_, err := w.Create(w.t.Context(), by(alice), calls.CreateRequest{Chat: super})
			return err
		},
		"title": func(w *world, id call.ID) error { _, err := w.EditTitle(w.t.Context(), by(alice), id, "x"); return err },
		"deleted": func(w *world, _ call.ID) error {
			w.ChatGone(super)
			synctest.Wait()
			return nil
		},
	} {
		inBubble(t, func(t *testing.T, w *world, id call.ID) {
			w.join(id, carol, 10)
			w.take()
			wantErr(t, do(w, id), nil)
			var told []string
			var counts []int
			for _, e := range w.pub.take() {
				switch e := e.(type) {
				case event.ParticipantsChanged:
					told = append(told, "list")
				case event.CallChanged:
					told = append(told, fmt.Sprintf("state %d %q", e.Info.State, e.Info.Title))
					counts = append(counts, e.Info.Count)
				}
			}
			end := `state 3 ""`
			if name == "title" {
				end = `state 2 "x"`
			}
			// Carol's suffix of the news is that of alice and bob.
			if want := []string{"list", `state 2 ""`, end}; !slices.Equal(told[:min(3, len(told))], want) || counts[0] != 4 {
				t.Errorf("%s: told %q of %v, want %q", name, told, counts, want)
			}
			time.Sleep(2 * tellEvery)
			w.heardNow(name+": later", nil)
		})
	}
}

// Somebody who leaves and comes back meanwhile hears nothing from before, and
// others of both.
func TestNewsOfBothWays(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, id call.ID) {
		w.join(id, carol, 10)
		w.leave(id, carol)
		w.join(id, 11)
		w.take()
		w.join(id, carol)
		w.heardNow("who came back", map[int64][]string{carol: {"v8 +4"}})
		time.Sleep(tellEvery)
		all := "v5 +10, v6 -4, v7 +11, v8 +4"
		w.heardNow("in time", map[int64][]string{
			alice: {all}, bob: {all}, 10: {strings.TrimPrefix(all, "v5 +10, ")}, 11: {"v8 +4"},
		})
	})
}

// Who set something for a participant hears of it with that.
func TestPersonalNews(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, id call.ID) {
		w.join(id, carol)
		_, err := w.Edit(t.Context(), by(alice), id, call.EditRequest{Target: peer.OfUser(bob), Volume: new(7)})
		wantErr(t, err, nil)
		_, err = w.Edit(t.Context(), by(carol), id, call.EditRequest{Target: peer.OfUser(bob), Muted: new(true)})
		wantErr(t, err, nil)
		w.take()
		w.mute(id, bob, true)
		w.join(id, 10)
		w.take()
		time.Sleep(tellEvery)
		w.heardNow("in time", map[int64][]string{
			alice: {"v4 ~3, v5 +10"}, bob: {"v5 +10"}, carol: {"v4 ~3!, v5 +10"},
		})
	})
}

// Calls wait each for itself.
func TestTwoCalls(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, id call.ID) {
		_, err := w.Create(t.Context(), by(alice), calls.CreateRequest{Chat: channel})
		wantErr(t, err, nil)
		w.join(2, bert)
		w.later()
		w.join(id, carol, 10)
		w.take()
		w.join(2, 20)
		w.heardNow("in the other call", map[int64][]string{bert: {"v3 +20"}, 20: {"v3 +20"}})
		time.Sleep(tellEvery)
		w.heardNow("in time", map[int64][]string{alice: {"v5 +10"}, bob: {"v5 +10"}, carol: {"v5 +10"}})
	})
}

// Changes that nobody asked for wait as well; who is taken out need not.
func TestNewsOfTheLost(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, id call.ID) {
		w.join(id, carol, 10)
		w.take()
		conn, _, _ := w.media.conn(400)
		w.Gone(int64(id), conn.Conn)
		w.heardNow("who is gone", map[int64][]string{carol: {"v5 +10", "v6 -4"}})
		time.Sleep(tellEvery)
		w.heardNow("in time", map[int64][]string{alice: {"v5 +10, v6 -4"}, bob: {"v5 +10, v6 -4"}, 10: {"v6 -4"}})
	})
}

// A service that stops does not wait for the time to tell.
func TestCloseWithNews(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, id call.ID) {
		w.join(id, carol, 10)
		start := time.Now()
		w.Service.Close()
		if took := time.Since(start); took != 0 {
			t.Errorf("waited %v", took)
		}
	})
}
