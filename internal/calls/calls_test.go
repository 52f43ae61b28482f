package calls_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"parley/internal/call"
	"parley/internal/calls"
	"parley/internal/event"
	"parley/internal/peer"
	"parley/internal/tg"
)

// TestLife is the worked example: scheduled, started, joined, left, ended.
func TestLife(t *testing.T) {
	w, ctx := newWorld(t, "sqlite::memory:"), t.Context()
	var id call.ID
	for _, step := range []struct {
		name string
		do   func() error
		want []string
		err  error
	}{
		{"create", func() error {
			_, err := w.Create(ctx, by(alice), calls.CreateRequest{Chat: super, Title: "Tea", ScheduleDate: time.Now().Unix() + 3600})
			n, _, _ := w.OfChat(super)
			id = call.ID(n)
			return err
		}, []string{"call 1 state 1", "scheduled", "chat"}, nil},
		{"join too early", func() error { _, err := w.Join(ctx, by(bob), id, joinRequest(bob, 300)); return err }, nil, call.ErrForbidden},
		{"subscribe", func() error { _, err := w.Subscribe(ctx, by(bob), id, true); return err }, []string{"call 1 state 1"}, nil},
		{"subscribe again", func() error { _, err := w.Subscribe(ctx, by(bob), id, true); return err }, nil, call.ErrNotModified},
		{"start by a member", func() error { _, err := w.Start(ctx, by(bob), id); return err }, nil, call.ErrForbidden},
		{"start", func() error { _, err := w.Start(ctx, by(bert), id); return err }, []string{"call 1 state 2", "opened", "text"}, nil},
		{"start again", func() error { _, err := w.Start(ctx, by(alice), id); return err }, nil, call.ErrAlreadyStarted},
		{"subscribe late", func() error { _, err := w.Subscribe(ctx, by(carol), id, true); return err }, nil, call.ErrAlreadyStarted},
		{"join", func() error { _, err := w.Join(ctx, by(alice), id, joinRequest(alice, 100)); return err }, []string{"connected", "1 entries v2", "call 1 state 2"}, nil},
		{"settings", func() error {
			_, err := w.Settings(ctx, by(alice), id, call.SettingsRequest{JoinMuted: new(true)})
			return err
		}, []string{"call 1 state 2"}, nil},
		{"join muted", func() error { _, err := w.Join(ctx, by(bob), id, joinRequest(bob, 300)); return err }, []string{"connected", "1 entries v3", "call 1 state 2"}, nil},
		{"raise", func() error {
			_, err := w.Edit(ctx, by(bob), id, call.EditRequest{Target: peer.OfUser(bob), RaiseHand: new(true)})
			return err
		}, []string{"1 entries v3"}, nil},
		{"let speak", func() error {
			_, err := w.Edit(ctx, by(alice), id, call.EditRequest{Target: peer.OfUser(bob), Muted: new(false)})
			return err
		}, []string{"1 entries v3"}, nil},
		{"unmute", func() error {
			_, err := w.Edit(ctx, by(bob), id, call.EditRequest{Target: peer.OfUser(bob), Muted: new(false)})
			return err
		}, []string{"1 entries v3"}, nil},
		{"video", func() error {
			_, err := w.Edit(ctx, by(bob), id, call.EditRequest{Target: peer.OfUser(bob), VideoStopped: new(false)})
			return err
		}, []string{"1 entries v4", "call 1 state 2"}, nil},
		{"screen", func() error { _, err := w.JoinPresentation(ctx, by(bob), id, params(700)); return err }, []string{"connected", "1 entries v5", "call 1 state 2"}, nil},
		{"no screen", func() error { _, err := w.LeavePresentation(ctx, by(bob), id); return err }, []string{"1 entries v6", "call 1 state 2"}, nil},
		{"title", func() error { _, err := w.EditTitle(ctx, by(alice), id, "Coffee"); return err }, []string{"call 1 state 2"}, nil},
		{"invite", func() error { _, err := w.Invite(ctx, by(bob), id, []int64{carol}); return err }, []string{"invited"}, nil},
		{"invite again", func() error { _, err := w.Invite(ctx, by(bob), id, []int64{carol}); return err }, nil, call.ErrAlreadyInvited},
		{"invite a guest", func() error { _, err := w.Invite(ctx, by(bob), id, []int64{guest}); return err }, nil, call.ErrUserNotParticipant},
		{"leave", func() error { _, err := w.Leave(ctx, by(bob), id, 0); return err }, []string{"1 entries v7", "call 1 state 2"}, nil},
		{"leave again", func() error { _, err := w.Leave(ctx, by(bob), id, 0); return err }, nil, call.ErrJoinMissing},
		{"discard by a member", func() error { _, err := w.Discard(ctx, by(bob), id); return err }, nil, call.ErrForbidden},
		{"discard", func() error { _, err := w.Discard(ctx, by(alice), id); return err }, []string{"call 1 state 3", "closed", "chat"}, nil},
		{"discard again", func() error { _, err := w.Discard(ctx, by(alice), id); return err }, nil, call.ErrAlreadyDiscarded},
	} {
		err := step.do()
		if !errors.Is(err, step.err) {
			t.Fatalf("%s: err = %v, want %v", step.name, err, step.err)
		}
		events := w.pub.take()
		if got := kinds(events); !slices.Equal(got, step.want) {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
		if step.name == "start" {
			checkNotice(t, events)
		}
	}
	if _, _, ok := w.OfChat(super); ok || len(w.media.conns) != 0 || !slices.Equal(w.media.ended, []int64{int64(id)}) {
		t.Errorf("media ended %v, open %v", w.media.ended, w.media.conns)
	}
	if i := w.info(id); i.State != call.Discarded || i.Title != "Coffee" {
		t.Errorf("info = %+v", i)
	}
}

// checkNotice looks at what the subscriber is told at the start.
func checkNotice(t *testing.T, events []event.Event) {
	t.Helper()
	m := events[len(events)-1].(event.Posted).Message
	if m.Box != peer.OfUser(bob) || m.Chat != peer.OfUser(peer.Service) || m.From != peer.OfUser(peer.Service) || m.Out ||
		m.Text != "The video chat in Teahouse has started." {
		t.Errorf("notice = %+v", m)
	}
	if c := events[0].(event.CallChanged); len(c.Subscribers) != 0 {
		t.Errorf("still subscribed: %v", c.Subscribers)
	}
}

// Who has left the chat is not told that its call starts.
func TestSubscriberLeaves(t *testing.T) {
	w, ctx := newWorld(t, "sqlite::memory:"), t.Context()
	id := w.create(time.Hour)
	for _, user := range []int64{bob, carol} {
		_, err := w.Subscribe(ctx, by(user), id, true)
		wantErr(t, err, nil)
	}
	w.dir.leave(carol)
	w.pub.take()
	_, err := w.Start(ctx, by(alice), id)
	wantErr(t, err, nil)
	events := w.pub.take()
	if got := kinds(events); !slices.Equal(got, []string{"call 1 state 2", "opened", "text"}) {
		t.Fatalf("told %q", got)
	}
	checkNotice(t, events)
}

// Every method answers a call that is unknown or has ended.
func TestNoCall(t *testing.T) {
	w, ctx := newWorld(t, "sqlite::memory:"), t.Context()
	id := w.create(0)
	if _, err := w.Discard(ctx, by(alice), id); err != nil {
		t.Fatal(err)
	}
	w.pub.take()
	for name, m := range map[string]struct {
		do    func(id call.ID) error
		ended error
	}{
		"start":      {func(id call.ID) error { _, err := w.Start(ctx, by(alice), id); return err }, call.ErrForbidden},
		"subscribe":  {func(id call.ID) error { _, err := w.Subscribe(ctx, by(alice), id, true); return err }, call.ErrAlreadyStarted},
		"join":       {func(id call.ID) error { _, err := w.Join(ctx, by(bob), id, joinRequest(bob, 1)); return err }, call.ErrForbidden},
		"leave":      {func(id call.ID) error { _, err := w.Leave(ctx, by(bob), id, 0); return err }, call.ErrForbidden},
		"check":      {func(id call.ID) error { _, err := w.Check(ctx, by(bob), id, nil); return err }, call.ErrForbidden},
		"edit":       {func(id call.ID) error { _, err := w.Edit(ctx, by(bob), id, call.EditRequest{}); return err }, call.ErrForbidden},
		"present":    {func(id call.ID) error { _, err := w.JoinPresentation(ctx, by(bob), id, nil); return err }, call.ErrForbidden},
		"unpresent":  {func(id call.ID) error { _, err := w.LeavePresentation(ctx, by(bob), id); return err }, call.ErrForbidden},
		"title":      {func(id call.ID) error { _, err := w.EditTitle(ctx, by(alice), id, "x"); return err }, call.ErrForbidden},
		"settings":   {func(id call.ID) error { _, err := w.Settings(ctx, by(alice), id, call.SettingsRequest{}); return err }, call.ErrForbidden},
		"invite":     {func(id call.ID) error { _, err := w.Invite(ctx, by(alice), id, []int64{bob}); return err }, call.ErrForbidden},
		"export":     {func(id call.ID) error { _, err := w.ExportInvite(ctx, by(alice), id, false); return err }, call.ErrForbidden},
		"discard":    {func(id call.ID) error { _, err := w.Discard(ctx, by(alice), id); return err }, call.ErrAlreadyDiscarded},
		"get":        {func(id call.ID) error { _, err := w.Get(ctx, by(bob), id, 3); return err }, nil},
		"get banned": {func(id call.ID) error { _, err := w.Get(ctx, by(bot), id, 3); return err }, call.ErrForbidden},
		"list":       {func(id call.ID) error { _, err := w.Participants(ctx, by(bob), id, calls.ListRequest{}); return err }, call.ErrInvalid},
	} {
		for _, unknown := range []call.ID{0, -1, id + 1, 1 << 60} {
			if err := m.do(unknown); !errors.Is(err, call.ErrInvalid) {
				t.Errorf("%s of call %d: %v", name, unknown, err)
			}
		}
		if err := m.do(id); !errors.Is(err, m.ended) {
			t.Errorf("%s of an ended call: %v, want %v", name, err, m.ended)
		}
	}
	_, err := w.Speaking(ctx, by(bob), super)
	wantErr(t, err, call.ErrForbidden)
	if events := w.pub.take(); len(events) != 0 {
		t.Errorf("told %q", kinds(events))
	}
}

func TestCreateEndsPredecessor(t *testing.T) {
	w, ctx := newWorld(t, "sqlite::memory:"), t.Context()
	first := w.create(0)
	w.join(first, bob)
	w.pub.take()
	_, err := w.Create(ctx, by(bert), calls.CreateRequest{Chat: super})
	wantErr(t, err, nil)
	events := w.pub.take()
	if got, want := kinds(events), []string{"call 1 state 3", "closed", "call 2 state 2", "opened", "chat"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if e := events[0].(event.CallChanged); !slices.Equal(e.InCall, []int64{bob}) {
		t.Errorf("in call: %v", e.InCall)
	}
	if i := w.info(first); i.State != call.Discarded {
		t.Errorf("first = %+v", i)
	}
	if id, notEmpty, ok := w.OfChat(super); id != 2 || notEmpty || !ok || !slices.Equal(w.media.ended, []int64{1}) {
		t.Errorf("OfChat = %d, %v, %v; ended %v", id, notEmpty, ok, w.media.ended)
	}
	// A scheduled predecessor that never started leaves no message.
	_ = w.create(time.Hour)
	_, err = w.Create(ctx, by(bert), calls.CreateRequest{Chat: super})
	wantErr(t, err, nil)
	if got, want := kinds(w.pub.take()), []string{"call 3 state 3", "call 4 state 2", "opened", "chat"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if n, _ := w.Counts(); n != 1 {
		t.Errorf("%d calls", n)
	}
}

func TestCreateTwice(t *testing.T) {
	w, ctx := newWorld(t, "sqlite::memory:"), t.Context()
	r := calls.CreateRequest{Chat: super, RandomID: -77}
	for range 2 {
		_, err := w.Create(ctx, by(alice), r)
		wantErr(t, err, nil)
	}
	events := w.pub.take()
	if got, want := kinds(events), []string{"call 1 state 2", "opened", "chat", "call 1 state 2"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if e := events[3].(event.CallChanged); e.Only != alice {
		t.Errorf("told to %d", e.Only)
	}
	_, err := w.Discard(ctx, by(alice), 1)
	wantErr(t, err, nil)
	_, err = w.Create(ctx, by(alice), r)
	wantErr(t, err, call.ErrAlreadyDiscarded)
	for _, r := range []calls.CreateRequest{
		{Chat: super, ScheduleDate: 5}, {Chat: peer.OfUser(bob)}, {Chat: peer.ID{}}, {Chat: peer.OfChannel(9)},
	} {
		if _, err = w.Create(ctx, by(alice), r); err == nil {
			t.Errorf("%+v: created", r)
		}
	}
	_, err = w.Create(ctx, by(bob), calls.CreateRequest{Chat: super})
	wantErr(t, err, call.ErrAdminRequired)
}

func TestLivestream(t *testing.T) {
	w, ctx := newWorld(t, "sqlite::memory:"), t.Context()
	_, err := w.Create(ctx, by(alice), calls.CreateRequest{Chat: channel})
	wantErr(t, err, nil)
	m := w.pub.take()[1].(event.Posted).Message
	if !m.From.IsZero() || m.Sender != alice {
		t.Errorf("message = %+v", m)
	}
	link, err := w.ExportInvite(ctx, by(guest), 1, false)
	if wantErr(t, err, nil); link != "https://t.me/tea?livestream" {
		t.Errorf("link = %q", link)
	}
	w.join(1, bob)
	if _, gate, ok := w.media.conn(300); !ok || gate.Audio {
		t.Error("a listener's sound is forwarded")
	}
}

func TestExportInvite(t *testing.T) {
	w, ctx := newWorld(t, "sqlite::memory:"), t.Context()
	id := w.create(0)
	speaker, err := w.ExportInvite(ctx, by(alice), id, true)
	wantErr(t, err, nil)
	_, err = w.ExportInvite(ctx, by(bob), id, true)
	wantErr(t, err, call.ErrForbidden)
	_, err = w.Settings(ctx, by(alice), id, call.SettingsRequest{ResetInviteHash: true, JoinMuted: new(true)})
	wantErr(t, err, nil)
	again, err := w.ExportInvite(ctx, by(alice), id, true)
	if wantErr(t, err, nil); again == speaker {
		t.Error("the hash was not reset")
	}
	r := joinRequest(bob, 300)
	r.InviteHash = again[len("https://t.me/tea?videochat="):]
	_, err = w.Join(ctx, by(bob), id, r)
	wantErr(t, err, nil)
	if _, gate, _ := w.media.conn(300); !gate.Audio {
		t.Error("the speaker link was not honoured")
	}
}

func TestPersonal(t *testing.T) {
	w, ctx := newWorld(t, "sqlite::memory:"), t.Context()
	id := w.create(0)
	w.join(id, alice, bob, carol)
	_, err := w.Edit(ctx, by(carol), id, call.EditRequest{Target: peer.OfUser(bob), Muted: new(true), Volume: new(500)})
	wantErr(t, err, nil)
	w.pub.take()
	_, err = w.Edit(ctx, by(bob), id, call.EditRequest{Target: peer.OfUser(bob), Muted: new(true)})
	wantErr(t, err, nil)
	events := w.pub.take()
	if len(events) != 3 {
		t.Fatalf("told %q", kinds(events))
	}
	answer, own, all := events[0].(event.ParticipantsChanged), events[1].(event.ParticipantsChanged), events[2].(event.ParticipantsChanged)
	if !slices.Equal(answer.To, []int64{bob}) || answer.Personal != nil {
		t.Errorf("answer = %+v", answer)
	}
	if !slices.Equal(own.To, []int64{carol}) || own.Personal[peer.OfUser(bob)] != (event.Personal{MutedByYou: true, Volume: 500}) {
		t.Errorf("own = %+v", own)
	}
	if !slices.Equal(all.To, []int64{alice}) || all.Personal != nil {
		t.Errorf("all = %+v", all)
	}
	v, err := w.Participants(ctx, by(carol), id, calls.ListRequest{Sources: []int32{300}})
	if wantErr(t, err, nil); len(v.Participants) != 1 || v.Personal[peer.OfUser(bob)].Volume != 500 {
		t.Errorf("view = %+v", v)
	}
}

// Anonymous admins are one participant; the one who had its place before is
// told that the place has another's source.
func TestDisplaced(t *testing.T) {
	w, ctx := newWorld(t, "sqlite::memory:"), t.Context()
	id := w.create(0)
	for _, u := range []int64{alice, bert} {
		r := joinRequest(u, int(u*100))
		r.As = super
		_, err := w.Join(ctx, by(u), id, r)
		wantErr(t, err, nil)
	}
	told := map[int64]call.Participant{}
	for _, e := range w.pub.take() {
		if e, ok := e.(event.ParticipantsChanged); ok && e.Changes[0].Version == 3 {
			for _, user := range e.To {
				told[user] = e.Changes[0].Entries[0]
			}
		}
	}
	if own := told[alice]; own.User != alice || own.Source != 200 || own.Left {
		t.Errorf("own = %+v", own)
	}
	if other := told[bert]; len(told) != 2 || other.User != bert || other.Source != 200 {
		t.Errorf("told %+v", told)
	}
	if _, _, ok := w.media.conn(100); ok {
		t.Error("the old connection is open")
	}
	if as, _ := w.dir.DefaultJoinAs(ctx, bert, super); as != super {
		t.Errorf("default join_as = %v", as)
	}
}

func TestPages(t *testing.T) {
	w, ctx := newWorld(t, "sqlite::memory:"), t.Context()
	id := w.create(0)
	w.join(id, alice, bob, carol, 10, 11)
	v, err := w.Get(ctx, by(bob), id, 1)
	if wantErr(t, err, nil); len(v.Participants) != 3 || v.Participants[0].User != bob || v.Info.Count != 5 || v.Subscribed {
		t.Errorf("view = %+v", v)
	}
	v, err = w.Participants(ctx, by(bob), id, calls.ListRequest{Offset: v.Next, Limit: 500})
	if wantErr(t, err, nil); len(v.Participants) != 4 || v.Next == "" {
		t.Errorf("second page = %+v", v)
	}
	v, err = w.Participants(ctx, by(bob), id, calls.ListRequest{Offset: v.Next, Limit: 500})
	if wantErr(t, err, nil); len(v.Participants) != 0 || v.Next != "" {
		t.Errorf("last page = %+v", v)
	}
	_, err = w.Participants(ctx, by(bob), id, calls.ListRequest{Offset: "nonsense"})
	wantErr(t, err, call.ErrInvalid)
	_, err = w.Participants(ctx, by(bot), id, calls.ListRequest{})
	wantErr(t, err, call.ErrInvalid)
}

// messages of a call name it with the hash that the API accepts.
func TestActionNamesCall(t *testing.T) {
	w := newWorld(t, "sqlite::memory:")
	_, err := w.Create(t.Context(), by(alice), calls.CreateRequest{Chat: super})
	wantErr(t, err, nil)
	a := w.pub.take()[1].(event.Posted).Message.Action.(*tg.MessageActionGroupCall)
	in := a.Call.(*tg.InputGroupCall)
	if !peer.NewHasher(make([]byte, 16)).Valid(peer.Call, in.ID, in.AccessHash) {
		t.Errorf("call = %+v", in)
	}
}
