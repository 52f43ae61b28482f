package updates_test

import (
	"context"
	"errors"
	"testing"

	"parley/internal/call"
	"parley/internal/event"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/tg"
)

// part returns the entry of a user who joined as themselves.
func part(user int64, change func(*call.Participant)) call.Participant {
	p := call.Participant{Peer: peer.OfUser(user), User: user, Source: int32(user) * 11, Date: 5, VideoJoined: true}
	change(&p)
	return p
}

func joined(p *call.Participant) { p.JustJoined, p.Versioned = true, true }

// step is one line of the worked example: what happens, what the caller is
// answered and what the sessions of A, B and a member hear.
type step struct {
	name   string
	caller int64
	events []event.Event
	commit *message.Draft
	answer []string
	a, b   []string
	member []string
}

// TestWorkedExample is the example at the end of methods.md: A is user 1 who
// manages the call, B is user 2, user 3 is a member outside of the call.
func TestWorkedExample(t *testing.T) {
	info := call.Info{ID: 7, Chat: super, Creator: 1, State: call.Active, StartDate: 100, Version: 1, VideoLimit: 30}
	at := func(version, count int) call.Info {
		i := info
		i.Version, i.Count = version, count
		return i
	}
	muted := at(2, 1)
	muted.JoinMuted = true
	ended := at(5, 1)
	ended.State, ended.EndDate = call.Discarded, 160
	both := []int64{1, 2}
	list := func(version int, in []int64, entries ...call.Participant) event.ParticipantsChanged {
		return event.ParticipantsChanged{Call: 7, Changes: []event.ListChange{{Version: version, Entries: entries}}, To: in}
	}
	started := func(duration *int) *message.Draft {
		return draft(&tg.MessageActionGroupCall{Call: &tg.InputGroupCall{ID: 7}, Duration: duration})
	}
	const manage = " can_change_join_muted"
	steps := []step{
		{
			name: "A creates", caller: 1, events: []event.Event{event.CallChanged{Info: at(1, 0)}}, commit: started(nil),
			answer: []string{"call v1 count0" + manage, "channel @2+1 #1 started in channel 200 from user 1 out"},
			b:      []string{"call v1 count0", "channel @2+1 #1 started in channel 200 from user 1"},
			member: []string{"call v1 count0", "channel @2+1 #1 started in channel 200 from user 1"},
		}, {
			name: "A joins", caller: 1, events: []event.Event{
				event.Connected{Params: []byte("{}")}, list(2, []int64{1}, part(1, joined)), event.CallChanged{Info: at(2, 1), InCall: []int64{1}},
			},
			answer: []string{"connection {}", "participants v2 [user 1 self just_joined versioned video_joined]", "call v2 count1" + manage},
			b:      []string{"call v2 count1"}, member: []string{"call v2 count1"},
		}, {
			name: "A mutes those who join later", caller: 1, events: []event.Event{event.CallChanged{Info: muted, InCall: []int64{1}}},
			answer: []string{"call v2 count1 join_muted" + manage},
			b:      []string{"call v2 count1 join_muted"}, member: []string{"call v2 count1 join_muted"},
		}, {
			name: "B joins", caller: 2, events: []event.Event{
				event.Connected{Params: []byte("{}")}, list(3, both, part(2, func(p *call.Participant) { joined(p); p.Muted = true })),
			},
			answer: []string{"connection {}", "participants v3 [user 2 self just_joined versioned muted video_joined]"},
			a:      []string{"participants v3 [user 2 just_joined versioned muted video_joined]"},
		}, {
			name: "B raises the hand", caller: 2, events: []event.Event{list(3, both, part(2, func(p *call.Participant) { p.Muted, p.HandRating = true, 1 }))},
			answer: []string{"participants v3 [user 2 self muted video_joined hand1]"},
			a:      []string{"participants v3 [user 2 muted video_joined hand1]"},
		}, {
			name: "A lets B speak", caller: 1, events: []event.Event{list(3, both, part(2, func(p *call.Participant) { p.Muted, p.CanSelfUnmute = true, true }))},
			answer: []string{"participants v3 [user 2 muted can_self_unmute video_joined]"},
			b:      []string{"participants v3 [user 2 self muted can_self_unmute video_joined]"},
		}, {
			name: "B speaks", caller: 2, events: []event.Event{list(3, both, part(2, func(p *call.Participant) { p.CanSelfUnmute = true }))},
			answer: []string{"participants v3 [user 2 self video_joined]"},
			a:      []string{"participants v3 [user 2 video_joined]"},
		}, {
			name: "B shows video", caller: 2, events: []event.Event{list(4, both, part(2, func(p *call.Participant) {
				p.Versioned, p.Video = true, &call.Video{Endpoint: "ab", Groups: []call.SourceGroup{{Semantics: "SIM", Sources: []int32{-1, 2}}}}
			}))},
			answer: []string{"participants v4 [user 2 self versioned video_joined video ab]"},
			a:      []string{"participants v4 [user 2 versioned video_joined video ab]"},
		}, {
			name: "B leaves", caller: 2, events: []event.Event{
				list(5, both, part(2, func(p *call.Participant) { p.Left, p.Versioned = true, true })),
				event.CallChanged{Info: at(5, 1), InCall: []int64{1}},
			},
			answer: []string{"participants v5 [user 2 self left versioned video_joined source22]", "call v5 count1"},
			a:      []string{"participants v5 [user 2 left versioned video_joined source22]", "call v5 count1" + manage},
			member: []string{"call v5 count1"},
		}, {
			name: "A ends", caller: 1, events: []event.Event{event.CallChanged{Info: ended, InCall: []int64{1}}}, commit: started(new(60)),
			answer: []string{"call ended after 60s", "channel @3+1 #2 ended after 60s in channel 200 from user 1 out"},
			b:      []string{"call ended after 60s", "channel @3+1 #2 ended after 60s in channel 200 from user 1"},
			member: []string{"call ended after 60s", "channel @3+1 #2 ended after 60s in channel 200 from user 1"},
		},
	}
	w := newWorld(t)
	a, b, member, idle := w.client(1), w.client(2), w.client(3), w.client(9)
	for _, st := range steps {
		caller := map[int64]*client{1: a, 2: b}[st.caller]
		answer, err := w.run(caller, st)
		if err != nil {
			t.Fatalf("%s: %v", st.name, err)
		}
		allNamed(t, answer)
		want(t, st.name+": answer", show(answer), st.answer...)
		want(t, st.name+": A", a.told(), st.a...)
		want(t, st.name+": B", b.told(), st.b...)
		want(t, st.name+": member", member.told(), st.member...)
		want(t, st.name+": stranger", idle.told())
	}
}

// draft is a service message of user 1 in the supergroup.
func draft(action tg.MessageActionClass) *message.Draft {
	return &message.Draft{Chat: super, From: peer.OfUser(1), Sender: 1, Action: action}
}

func (w *world) run(caller *client, st step) (tg.UpdatesClass, error) {
	if st.commit == nil {
		return w.Deliver(w.t.Context(), caller.Caller, st.events)
	}
	return w.Publish(w.t.Context(), caller.Caller, func(ctx context.Context) ([]event.Event, error) {
		all, _, err := w.db.PostMessage(ctx, *st.commit)
		events := st.events
		for _, m := range all {
			events = append(events, event.Posted{Message: m})
		}
		return events, err
	})
}

func TestGroupCall(t *testing.T) {
	w := newWorld(t)
	scheduled := call.Info{ID: 7, Chat: super, State: call.Scheduled, ScheduleDate: 900, Version: 1, Title: "T"}
	live := call.Info{ID: 8, Chat: channel, Broadcast: true, State: call.Active, ScheduleDate: 900, JoinMuted: true}
	for _, tt := range []struct {
		name       string
		info       call.Info
		viewer     int64
		subscribed bool
		want       string
	}{
		{"scheduled", scheduled, 2, false, `v1 count0 scheduled for 900 "T"`},
		{"subscribed", scheduled, 2, true, `v1 count0 scheduled for 900 "T" subscribed`},
		{"for who manages", scheduled, 1, false, `v1 count0 scheduled for 900 "T" can_change_join_muted`},
		{"once started nothing is scheduled", live, 2, true, "v1 count0 join_muted"},
		{"livestreams stay muted", live, 1, false, "v1 count0 join_muted"},
		{"ended", call.Info{ID: 7, State: call.Discarded, StartDate: 5, EndDate: 9}, 2, true, "ended after 4s"},
	} {
		if got := showCall(w.GroupCall(t.Context(), tt.info, tt.viewer, tt.subscribed)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	g := w.GroupCall(t.Context(), scheduled, 1, false).(*tg.GroupCall)
	if i := w.InputGroupCall(7); i.AccessHash == 0 || g.AccessHash != i.AccessHash || !g.CanStartVideo || *g.UnmutedVideoCount != 0 {
		t.Errorf("call %+v, named %+v", g, i)
	}
}

func TestParticipant(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		name     string
		p        call.Participant
		viewer   int64
		personal event.Personal
		want     string
	}{
		{"as a channel", call.Participant{Peer: channel, User: 1}, 1, event.Personal{}, "channel 300 self"},
		{"can_self_unmute needs muted", call.Participant{Peer: peer.OfUser(1), User: 1, CanSelfUnmute: true}, 2, event.Personal{}, "user 1"},
		{"admin's volume", call.Participant{Peer: peer.OfUser(1), User: 1, Volume: 5000}, 2, event.Personal{}, "user 1 volume5000 by_admin"},
		{"own volume wins", call.Participant{Peer: peer.OfUser(1), User: 1, Volume: 5000}, 2, event.Personal{Volume: 1, MutedByYou: true}, "user 1 muted_by_you volume1"},
	} {
		if got := showParticipant(w.Participant(tt.p, tt.viewer, tt.personal)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	p := w.Participant(call.Participant{
		Peer: peer.OfUser(1), Source: -3, ActiveDate: 9, About: "x",
		Presentation: &call.Video{AudioSource: -4, Groups: []call.SourceGroup{{Semantics: "FID", Sources: []int32{-1}}}},
	}, 2, event.Personal{})
	if p.Source != -3 || *p.ActiveDate != 9 || *p.About != "x" || *p.Presentation.AudioSource != -4 || p.Presentation.SourceGroups[0].Sources[0] != -1 {
		t.Errorf("participant %+v", p)
	}
}

// TestPersonalEntries: whoever has settings of their own for an entry is told
// of it once, with them.
func TestPersonalEntries(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.client(1), w.client(2), w.client(3)
	changed := event.ParticipantsChanged{
		Call: 7, Changes: []event.ListChange{{Version: 2, Entries: []call.Participant{part(1, func(*call.Participant) {})}}}, To: []int64{1, 3},
	}
	special := changed
	special.To, special.Personal = []int64{2}, map[peer.ID]event.Personal{peer.OfUser(1): {MutedByYou: true}}
	answer, err := w.Deliver(t.Context(), a.Caller, []event.Event{changed, special})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "caller", show(answer), "participants v2 [user 1 self video_joined]")
	want(t, "who muted", b.told(), "participants v2 [user 1 muted_by_you video_joined]")
	want(t, "another", c.told(), "participants v2 [user 1 video_joined]")

	answer, err = w.Deliver(t.Context(), b.Caller, []event.Event{special})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "the one told alone", show(answer), "participants v2 [user 1 muted_by_you video_joined]")
	want(t, "nobody else", append(a.told(), c.told()...))
	if answer, err = w.Deliver(t.Context(), c.Caller, []event.Event{special, event.CallChanged{Only: 2}}); err != nil || len(show(answer)) != 0 {
		t.Errorf("another's settings: %v, %v", show(answer), err)
	}
}

// TestSessions: the caller's session hears what it caused from the answer, the
// caller's other sessions by a push without what only the answer holds.
func TestSessions(t *testing.T) {
	w := newWorld(t)
	c, other, quiet := w.client(1), w.client(1), w.client(1)
	w.Detach(quiet.Session)
	deaf := w.client(2)
	w.DetachKey(2)
	events := []event.Event{
		event.Connected{Params: []byte("{}")}, event.ChatChanged{Chat: group, Also: []int64{5}}, event.Raw{Update: &tg.UpdateMessageID{ID: 1, RandomID: 2}},
	}
	also := w.client(5)
	answer, err := w.Deliver(t.Context(), c.Caller, events)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "answer", show(answer), "connection {}", "Chat", "id 1 of 2")
	want(t, "other session", other.told(), "Chat")
	want(t, "no member", also.told(), "Chat")
	want(t, "callers and the detached", append(append(c.told(), quiet.told()...), deaf.told()...))

	answer, err = w.Deliver(t.Context(), rpcServer, []event.Event{event.ChatChanged{Chat: super}})
	if err != nil || len(show(answer)) != 0 {
		t.Errorf("the server's own view: %v, %v", show(answer), err)
	}
	want(t, "of the server", append(c.told(), other.told()...), "Channel", "Channel")
	if w.Online(2) || !w.Online(1) || w.Sessions() != 3 {
		t.Errorf("%d sessions", w.Sessions())
	}
}

// TestNamingFails: a push that cannot be shown is lost, an answer is an error.
func TestNamingFails(t *testing.T) {
	w := newWorld(t)
	c, other := w.client(1), w.client(1)
	broken := errors.New("broken")
	w.peers.fail(broken)
	_, err := w.Deliver(t.Context(), c.Caller, []event.Event{event.ParticipantsChanged{
		Changes: []event.ListChange{{Entries: []call.Participant{part(1, joined)}}}, To: []int64{1},
	}})
	if !errors.Is(err, broken) {
		t.Errorf("err = %v", err)
	}
	want(t, "other session", other.told())
}
