package updates_test

import (
	"errors"
	"testing"

	"parley/internal/call"
	"parley/internal/event"
	"parley/internal/peer"
	"parley/internal/rpc"
)

// TestListChanges: changes of a list come in one push, in the order of their
// versions; strangers to all who are in them share it.
func TestListChanges(t *testing.T) {
	w := newWorld(t)
	late := w.client(6) // online only now
	bodies := map[int64][]rpc.Body{}
	for user := int64(1); user <= 6; user++ {
		session := rpc.NewSession(user, func(b rpc.Body) { bodies[user] = append(bodies[user], b) })
		session.WantUpdates()
		w.Attach(user, session)
	}
	left := func(p *call.Participant) { p.Left, p.Versioned = true, true }
	e := event.ParticipantsChanged{
		Call: 7, To: []int64{1, 2, 3, 4, 5, 6}, Changes: []event.ListChange{
			{Version: 2, Entries: []call.Participant{part(1, joined)}},
			{Version: 2, Entries: []call.Participant{part(1, func(p *call.Participant) { p.Muted = true })}},
			{Version: 3, Entries: []call.Participant{part(1, left)}},
		},
	}
	deliver := func(e event.ParticipantsChanged) map[int64][]rpc.Body {
		t.Helper()
		clear(bodies)
		if _, err := w.Deliver(t.Context(), rpcServer, []event.Event{e}); err != nil {
			t.Fatal(err)
		}
		for user := int64(1); user <= 6; user++ {
			if len(bodies[user]) != 1 {
				t.Fatalf("user %d: %d pushes", user, len(bodies[user]))
			}
		}
		return bodies
	}
	w.peers.know(4, 1)
	b := deliver(e)
	want(t, "stranger", late.told(),
		"participants v2 [user 1 just_joined versioned video_joined]", "participants v2 [user 1 muted video_joined]",
		"participants v3 [user 1 left versioned video_joined source11]")
	u, err := decode(b[4][0])
	if err != nil {
		t.Fatal(err)
	}
	allNamed(t, u)
	if b[2][0] != b[3][0] || b[2][0] != b[6][0] || b[1][0] == b[2][0] || b[4][0] == b[2][0] {
		t.Errorf("bodies %v, want one of its own for user 1 itself and for user 4, who knows it", b)
	}
	if users, _ := w.peers.asked(); users != 3 {
		t.Errorf("named %d times, want once for user 1, once for user 4, once for the others", users)
	}

	// Chats look different to each, and so do entries with own settings.
	as := e
	as.Changes = []event.ListChange{{Version: 4, Entries: []call.Participant{part(1, func(p *call.Participant) { p.Peer = channel })}}}
	deliver(as)
	if users, chats := w.peers.asked(); users != 3 || chats != 6 {
		t.Errorf("users named %d times, chats %d times", users, chats)
	}
	e.Personal = map[peer.ID]event.Personal{peer.OfUser(1): {MutedByYou: true}}
	deliver(e)
	if users, _ := w.peers.asked(); users != 3+6 {
		t.Errorf("named %d times", users)
	}

	// Nor is anything shared that comes with something else.
	e.Personal = nil
	clear(bodies)
	late.told()
	both := []event.Event{e, event.CallChanged{Info: call.Info{ID: 7, State: call.Active, Version: 3}, InCall: e.To, Except: map[int64]bool{6: true}}}
	if _, err = w.Deliver(t.Context(), rpcServer, both); err != nil {
		t.Fatal(err)
	}
	if u, err = decode(bodies[2][0]); err != nil || len(u.Updates) != 4 || len(late.told()) != 3 {
		t.Errorf("told %q, %v", show(u), err)
	}

	// What cannot be found out is nobody's push.
	broken := errors.New("broken")
	w.peers.fail(broken)
	clear(bodies)
	if _, err := w.Deliver(t.Context(), rpcServer, []event.Event{e}); err != nil || len(bodies) != 0 {
		t.Errorf("err = %v, pushed %v", err, bodies)
	}
}
