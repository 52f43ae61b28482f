package scenario

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"parley/e2e/harness"
)

// Crash kills the server right after it acknowledged a start, some times over,
// and finds everything acknowledged still there. It leaves the server running.
func Crash(t *testing.T, s *harness.Server, dial Dial) {
	g := gather(t, s, dial, "Crash")
	for range 3 {
		call := g.schedule(t, "Stormy")
		state, full := g.standing(t)
		got := must(g.member.Get(patience(t), call))(t, "get the call")

		must(g.manager.Start(patience(t), call))(t, "start the call")
		s.Kill(t)
		s.Restart(t)
		g.back(t)

		again := must(g.member.Get(patience(t), call))(t, "get the call after the crash")
		if again.ScheduleDate != 0 || again.Discarded || again.Version < got.Version {
			t.Errorf("call after the crash: %+v, before the start: %+v", again, got)
		}
		state2, full2 := g.standing(t)
		if state2.Pts <= state.Pts { // the notice counts
			t.Errorf("pts of the member after the crash: %d, before the start: %d", state2.Pts, state.Pts)
		}
		if full2.Pts <= full.Pts || full2.Call == nil || full2.Call.ID != call.ID {
			t.Errorf("full chat after the crash: %+v, before the start: %+v", full2, full)
		}
		g.keeps(t, call)
		_, err := g.manager.Start(patience(t), call)
		Refused(t, "start again after the crash", err, 403, "GROUPCALL_ALREADY_STARTED")
		must(g.owner.Discard(patience(t), call))(t, "discard the call after the crash")
		g.member.News().Call(t, "the end", func(c CallState) bool { return c.ID == call.ID && c.Discarded })
	}
}

// back waits until every client has found the server again by itself.
func (g *troupe) back(t *testing.T) {
	t.Helper()
	for _, c := range []Client{g.owner, g.manager, g.member} {
		harness.Eventually(t, func() string {
			ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
			defer stop()
			if _, err := c.State(ctx); err != nil {
				return fmt.Sprintf("user %d is not back: %v", c.Self().ID, err)
			}
			return ""
		})
	}
}

// standing returns where the member is in its updates and the chat's.
func (g *troupe) standing(t *testing.T) (State, FullChat) {
	t.Helper()
	state := must(g.member.State(patience(t)))(t, "get the state")
	full := must(g.member.Full(patience(t), g.members))(t, "get the full chat")
	return state, full
}

// keeps checks that the member finds the start in the channel and the notice.
func (g *troupe) keeps(t *testing.T, call Call) {
	t.Helper()
	history := must(g.member.History(patience(t), g.members))(t, "read the history after the crash")
	if !slices.ContainsFunc(history, func(m Message) bool { return m.Action == actionCall && m.Call.ID == call.ID }) {
		t.Errorf("no start of call %d in the history after the crash: %+v", call.ID, history)
	}
	if notices := must(g.member.Notices(patience(t)))(t, "read the notices after the crash"); len(notices) == 0 {
		t.Error("no notice after the crash")
	}
}

// Keys closes all clients and comes back with the kept auth keys, after a stop
// of the server too.
func Keys(t *testing.T, s *harness.Server, dial Dial) {
	who := Who{Name: "Owner", Phone: harness.NewPhone()}
	first := dial(t, s, who)
	must(first.CreateSupergroup(patience(t), "Keys"))(t, "create a supergroup")
	done(t, "close the client", first.Close())
	s.Stop(t)
	s.Restart(t)
	second := dial(t, s, who)
	if first.Self().ID != second.Self().ID {
		t.Errorf("came back as %d, was %d", second.Self().ID, first.Self().ID)
	}
	must(second.Chat(patience(t), "Keys"))(t, "find the chat again")
}

// Leaks lets clients come and go, and checks that the server gives back what
// it used for them.
func Leaks(t *testing.T, s *harness.Server, dial Dial) {
	round := func() {
		g := gather(t, s, dial, "Leaks")
		call := g.schedule(t, "Short")
		must(g.manager.Start(patience(t), call))(t, "start the call")
		must(g.owner.Discard(patience(t), call))(t, "discard the call")
		for _, c := range []Client{g.owner, g.manager, g.member} {
			done(t, "close a client", c.Close())
		}
	}
	before := s.Usage(t)
	round()
	// The first round fills pools that stay, within reason.
	before.Goroutines += 10
	before.Files += 20
	before = s.Settled(t, before)
	for range 3 {
		round()
	}
	s.Settled(t, before)
}
