package calls_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/call"
	"parley/internal/calls"
	"parley/internal/colibri"
	"parley/internal/event"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
)

func TestReopen(t *testing.T) {
	w, ctx := newWorld(t, fileURL(t)), t.Context()
	id := w.create(time.Hour)
	_, err := w.Subscribe(ctx, by(bob), id, true)
	wantErr(t, err, nil)
	before := w.info(id)

	w.reopen()
	if i := w.info(id); i != before || i.State != call.Scheduled || i.Version != 1 {
		t.Errorf("info = %+v, want %+v", i, before)
	}
	if v, _ := w.Get(ctx, by(bob), id, 0); !v.Subscribed {
		t.Error("the subscription is lost")
	}
	_, err = w.Start(ctx, by(alice), id)
	wantErr(t, err, nil)
	if got := kinds(w.pub.take()); !slices.Equal(got, []string{"call 1 state 2", "opened", "text"}) {
		t.Errorf("told %q", got)
	}
	w.join(id, alice, bob)
	_, err = w.Edit(ctx, by(alice), id, call.EditRequest{Target: peer.OfUser(bob), Volume: new(7)})
	wantErr(t, err, nil)
	told := w.info(id)

	for range 3 { // versions never come back, whether used or not
		w.reopen()
		i := w.info(id)
		if i.State != call.Active || i.StartDate != told.StartDate || i.Count != 0 || i.Version < told.Version {
			t.Errorf("info = %+v, was %+v", i, told)
		}
		if n, notEmpty, ok := w.OfChat(super); n != int64(id) || notEmpty || !ok {
			t.Errorf("OfChat = %d, %v, %v", n, notEmpty, ok)
		}
		_, err = w.Check(ctx, by(bob), id, []int32{300})
		wantErr(t, err, call.ErrJoinMissing) // clients join again
		w.join(id, bob)
		told = w.info(id)
		if told.Version != i.Version+1 {
			t.Errorf("version %d after %d", told.Version, i.Version)
		}
	}
	_, err = w.Start(ctx, by(alice), id)
	wantErr(t, err, call.ErrAlreadyStarted)
	_, err = w.Discard(ctx, by(alice), id)
	wantErr(t, err, nil)
	w.reopen()
	if next := w.create(0); next != id+1 {
		t.Errorf("the next call is %d", next)
	}
	if i := w.info(id); i.State != call.Discarded {
		t.Errorf("info = %+v", i)
	}
}

// Whom an admin muted stays so after a crash, until an admin lets it speak.
func TestReopenSilenced(t *testing.T) {
	w, ctx := newWorld(t, fileURL(t)), t.Context()
	id := w.create(0)
	mute := func(on bool) {
		t.Helper()
		_, err := w.Edit(ctx, by(alice), id, call.EditRequest{Target: peer.OfUser(bob), Muted: &on})
		wantErr(t, err, nil)
	}
	w.join(id, alice, bob, carol)
	mute(true)
	for _, forced := range []bool{true, false} {
		w.reopen()
		w.join(id, alice, bob, carol)
		v, err := w.Participants(ctx, by(alice), id, calls.ListRequest{Peers: []peer.ID{peer.OfUser(bob), peer.OfUser(carol)}})
		wantErr(t, err, nil)
		if p, other := v.Page.Participants[0], v.Page.Participants[1]; p.Muted != forced || p.CanSelfUnmute || other.Muted {
			t.Errorf("forced %v: %+v, %+v", forced, p, other)
		}
		mute(false)
	}
}

// A mute that can't be kept did not happen.
func TestSilenceFails(t *testing.T) {
	w, ctx := &world{t: t}, t.Context()
	st := &fullShelf{}
	w.serve(st)
	defer w.Service.Close()
	id := w.create(0)
	w.join(id, alice, bob)
	w.pub.take()
	st.full.Store(true)
	if _, err := w.Edit(ctx, by(alice), id, call.EditRequest{Target: peer.OfUser(bob), Muted: new(true)}); err == nil {
		t.Error("muted")
	}
	if _, gate, _ := w.media.conn(300); !gate.Audio || len(w.pub.take()) != 0 {
		t.Error("a mute that failed was told")
	}
	_, err := w.Edit(ctx, by(bob), id, call.EditRequest{Target: peer.OfUser(bob), Muted: new(true)})
	wantErr(t, err, nil) // one's own is not kept
	_, err = w.Edit(ctx, by(bob), id, call.EditRequest{Target: peer.OfUser(bob), Muted: new(false)})
	wantErr(t, err, nil)
}

// fullShelf is a store that may have no room.
type fullShelf struct {
	shelf
	full atomic.Bool
}

func (f *fullShelf) CommitCalls(ctx context.Context, c calls.Commit) ([][]message.Message, error) {
	if f.full.Load() {
		return nil, errors.New("disk full")
	}
	return f.shelf.CommitCalls(ctx, c)
}

// More joins than a block has versions.
func TestVersionBlocks(t *testing.T) {
	w, ctx := newWorld(t, fileURL(t)), t.Context()
	id := w.create(0)
	for range 1100 {
		w.join(id, bob)
		_, err := w.Leave(ctx, by(bob), id, 0)
		wantErr(t, err, nil)
	}
	told := w.info(id).Version
	w.reopen()
	if v := w.info(id).Version; told != 2201 || v < told {
		t.Errorf("version %d, told %d", v, told)
	}
}

// The last version of a block may be told, too: what follows a crash is new.
func TestVersionOfFullBlock(t *testing.T) {
	w := newWorld(t, fileURL(t))
	id := w.create(0)
	for range 1000 {
		w.join(id, bob)
	}
	told := w.info(id)
	w.reopen()
	if i := w.info(id); i.Count == told.Count || i.Version <= told.Version {
		t.Errorf("version %d of a list of %d, version %d of one of %d", told.Version, told.Count, i.Version, i.Count)
	}
}

// What can't be kept did not happen.
func TestCommitFails(t *testing.T) {
	w, ctx := newWorld(t, "sqlite::memory:"), t.Context()
	id := w.create(time.Hour)
	before := w.info(id)
	w.pub.fail.Store(true)
	for name, do := range map[string]func() error{
		"start":     func() error { _, err := w.Start(ctx, by(alice), id); return err },
		"subscribe": func() error { _, err := w.Subscribe(ctx, by(alice), id, true); return err },
		"title":     func() error { _, err := w.EditTitle(ctx, by(alice), id, "x"); return err },
		"settings": func() error {
			_, err := w.Settings(ctx, by(alice), id, call.SettingsRequest{JoinMuted: new(true)})
			return err
		},
		"discard": func() error { _, err := w.Discard(ctx, by(alice), id); return err },
		"create":  func() error { _, err := w.Create(ctx, by(alice), calls.CreateRequest{Chat: super}); return err },
		"invite":  func() error { _, err := w.Invite(ctx, by(alice), id, []int64{bob}); return err },
	} {
		if err := do(); err == nil {
			t.Errorf("%s succeeded", name)
		}
		if v, err := w.Get(ctx, by(alice), id, 0); err != nil || v.Info != before || v.Subscribed {
			t.Errorf("after %s: %+v, %v", name, v, err)
		}
		if n, _, ok := w.OfChat(super); n != int64(id) || !ok {
			t.Errorf("after %s: OfChat = %d, %v", name, n, ok)
		}
	}
	w.pub.fail.Store(false)
	_, err := w.Invite(ctx, by(alice), id, []int64{bob})
	wantErr(t, err, nil)
	_, err = w.Start(ctx, by(alice), id)
	wantErr(t, err, nil)
	if next := w.create(0); next != id+2 { // that of the failed request is not used again
		t.Errorf("the next call is %d", next)
	}
}

// A call whose chat is gone ends, also when the news was lost in a crash.
func TestChatDeleted(t *testing.T) {
	w, ctx := newWorld(t, fileURL(t)), t.Context()
	id := w.create(0)
	w.deleted, w.dir.deleted = true, true
	_, err := w.Get(ctx, by(alice), id, 0)
	wantErr(t, err, call.ErrForbidden)
	_, err = w.Create(ctx, by(alice), calls.CreateRequest{Chat: super})
	wantErr(t, err, rpc.ErrPeerID)
	w.reopen()
	eventually(t, func() string {
		if n, _, ok := w.OfChat(super); ok {
			return fmt.Sprintf("call %d goes on", n)
		}
		return ""
	})
	if got := kinds(w.pub.take()); !slices.Equal(got, []string{"call 1 state 3", "chat"}) {
		t.Errorf("told %q", got)
	}
}

func TestMediaRefuses(t *testing.T) {
	w, ctx := newWorld(t, "sqlite::memory:"), t.Context()
	id := w.create(0)
	w.join(id, bob)
	for _, tt := range []struct{ fail, want error }{
		{errors.New("no port"), call.ErrAddFailed},
		{fmt.Errorf("open: %w", colibri.ErrNoFingerprint), call.ErrDataJSON},
		{call.ErrSourceDuplicate, call.ErrSourceDuplicate},
	} {
		w.media.fail = tt.fail
		before := w.info(id)
		_, err := w.Join(ctx, by(carol), id, joinRequest(carol, 400))
		wantErr(t, err, tt.want)
		_, err = w.JoinPresentation(ctx, by(bob), id, params(700))
		wantErr(t, err, tt.want)
		if w.info(id) != before {
			t.Errorf("info = %+v", w.info(id))
		}
	}
	w.media.fail = nil
	for _, bad := range []string{"", "{}", "[]", "null", `{"ssrc":"1"}`, `{"ssrc":1,"ufrag":"Jpbd"}`} {
		r := joinRequest(carol, 400)
		r.Params = []byte(bad)
		_, err := w.Join(ctx, by(carol), id, r)
		wantErr(t, err, call.ErrDataJSON)
	}
	r := joinRequest(carol, 0)
	_, err := w.Join(ctx, by(carol), id, r)
	wantErr(t, err, call.ErrSourceDuplicate)
	r = joinRequest(carol, 400)
	r.As = peer.OfUser(bob)
	_, err = w.Join(ctx, by(carol), id, r)
	wantErr(t, err, call.ErrJoinAs)
	_, err = w.Join(ctx, by(bot), id, joinRequest(bot, 400))
	wantErr(t, err, call.ErrWriteForbidden)
}

func TestGates(t *testing.T) {
	w, ctx := newWorld(t, "sqlite::memory:"), t.Context()
	id := w.create(0)
	w.join(id, alice, bob)
	edit := func(user int64, r call.EditRequest) {
		t.Helper()
		r.Target = peer.OfUser(bob)
		_, err := w.Edit(ctx, by(user), id, r)
		wantErr(t, err, nil)
	}
	gate := func(audio, video bool) {
		t.Helper()
		if j, g, _ := w.media.conn(300); g.Audio != audio || g.Video != video || j.Audio || j.Video || len(j.Endpoint) != 16 {
			t.Errorf("gate = %+v, want %v, %v; %+v", g, audio, video, j)
		}
	}
	gate(true, false)
	edit(bob, call.EditRequest{Muted: new(true)})
	gate(false, false)
	edit(bob, call.EditRequest{Muted: new(false), VideoStopped: new(false)})
	gate(true, true)
	_, err := w.JoinPresentation(ctx, by(bob), id, params(700))
	wantErr(t, err, nil)
	edit(alice, call.EditRequest{Muted: new(true)})
	gate(false, false)
	if _, _, ok := w.media.conn(700); ok {
		t.Error("the presentation goes on")
	}
	edit(alice, call.EditRequest{Muted: new(false)})
	gate(false, false)
	edit(bob, call.EditRequest{Muted: new(false)})
	gate(true, false)
	_, err = w.Edit(ctx, by(bert), id, call.EditRequest{Target: peer.OfUser(bob), Muted: new(true)})
	wantErr(t, err, call.ErrParticipantMissing) // who manages has to be there, too
}

func TestGone(t *testing.T) {
	w, ctx := newWorld(t, "sqlite::memory:"), t.Context()
	id := w.create(0)
	w.join(id, alice, bob, carol)
	_, err := w.JoinPresentation(ctx, by(bob), id, params(700))
	wantErr(t, err, nil)
	w.pub.take()
	told := func(want ...string) {
		t.Helper()
		var got []string
		eventually(t, func() string {
			got = append(got, kinds(w.pub.take())...)
			if len(got) < len(want) {
				return fmt.Sprintf("told %q, want %q", got, want)
			}
			return ""
		})
		if !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	main, _, _ := w.media.conn(300)
	screen, _, _ := w.media.conn(700)
	w.Gone(int64(id), 12345)
	w.Gone(99, main.Conn)
	w.Gone(int64(id), screen.Conn)
	told("1 entries v6", "call 1 state 2")
	w.Gone(int64(id), main.Conn)
	w.Gone(int64(id), main.Conn)
	told("1 entries v7", "call 1 state 2")
	w.dir.leave(carol)
	w.MemberGone(super, carol)
	w.MemberGone(super, bob)
	w.MemberGone(peer.OfChannel(9), carol)
	told("1 entries v8", "call 1 state 2")
	if _, _, ok := w.media.conn(400); ok {
		t.Error("the removed member's connection is open")
	}
	w.join(id, guest)
	w.pub.take()
	w.dir.hide()
	w.ChatHidden(super)
	w.ChatHidden(peer.OfChannel(9))
	told("1 entries v10", "call 1 state 2")
	if _, err := w.Check(ctx, by(guest), id, nil); !errors.Is(err, call.ErrJoinMissing) {
		t.Errorf("a guest of a hidden chat: %v", err)
	}
	w.ChatGone(super)
	told("call 1 state 3", "chat")
	if _, err := w.Leave(ctx, by(alice), id, 0); !errors.Is(err, call.ErrForbidden) {
		t.Errorf("leave: %v", err)
	}
}

// TestConcurrent lets many users do everything at once; the publisher checks
// the order of versions.
func TestConcurrent(t *testing.T) {
	for name, every := range map[string]time.Duration{"at once": 0, "together": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, url: "sqlite::memory:", every: every}
			w.open()
			t.Cleanup(w.close)
			crowd(t, w, w.create(0))
		})
	}
}

func crowd(t *testing.T, w *world, id call.ID) {
	t.Helper()
	ctx := t.Context()
	var wg sync.WaitGroup
	for u := int64(10); u < 30; u++ {
		wg.Go(func() {
			for i := range 20 {
				w.join(id, u)
				if _, err := w.Edit(ctx, by(u), id, call.EditRequest{Target: peer.OfUser(u), Muted: new(true), VideoStopped: new(i%2 == 0)}); err != nil && !errors.Is(err, call.ErrVideoStop) {
					t.Errorf("edit: %v", err)
				}
				if _, err := w.Get(ctx, by(u), id, 10); err != nil {
					t.Errorf("get: %v", err)
				}
				j, _, ok := w.media.conn(int32(u * 100))
				if i%4 == 0 && ok {
					w.Spoke(int64(id), j.Conn, time.Now())
					w.Gone(int64(id), j.Conn)
				}
				if _, err := w.Leave(ctx, by(u), id, 0); err != nil && !errors.Is(err, call.ErrJoinMissing) {
					t.Errorf("leave: %v", err)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 10 {
			_, err := w.Settings(ctx, by(alice), id, call.SettingsRequest{JoinMuted: new(i%2 == 0)})
			if err != nil {
				t.Errorf("settings: %v", err)
			}
		}
	})
	wg.Wait()
	eventually(t, func() string {
		if i := w.info(id); i.Count != 0 || i.Videos != 0 {
			return fmt.Sprintf("info = %+v", i)
		}
		return ""
	})
}

// Calls of one chat replace each other while others end them.
func TestConcurrentCreate(t *testing.T) {
	w, ctx := newWorld(t, "sqlite::memory:"), t.Context()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 15 {
				if _, err := w.Create(ctx, by(alice), calls.CreateRequest{Chat: super}); err != nil {
					t.Errorf("create: %v", err)
				}
				n, _, ok := w.OfChat(super)
				if !ok {
					continue
				}
				_, _ = w.Join(ctx, by(bob), call.ID(n), joinRequest(bob, 300))
				_, err := w.Discard(ctx, by(bert), call.ID(n))
				if err != nil && !errors.Is(err, call.ErrAlreadyDiscarded) {
					t.Errorf("discard: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if n, joined := w.Counts(); n > 1 || joined > 1 {
		t.Errorf("%d calls with %d participants", n, joined)
	}
	if last := w.create(0); last != 61 {
		t.Errorf("the last call is %d", last)
	}
}

// A panic answers its caller with an internal error and harms nobody else.
func TestPanic(t *testing.T) {
	w, ctx := newWorld(t, "sqlite::memory:"), t.Context()
	id := w.create(0)
	var visible *rpc.Error
	if _, err := w.ExportInvite(ctx, by(broken), id, false); err == nil || errors.As(err, &visible) {
		t.Errorf("err = %v", err)
	}
	w.join(id, bob)
}

func TestCanceled(t *testing.T) {
	w := newWorld(t, "sqlite::memory:")
	id := w.create(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Start(ctx, by(alice), id); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	w.Service.Close()
	if _, err := w.Start(t.Context(), by(alice), id); err == nil || errors.Is(err, call.ErrInvalid) {
		t.Errorf("start after the end: %v", err)
	}
	if _, err := w.Create(t.Context(), by(alice), calls.CreateRequest{Chat: super}); err == nil {
		t.Error("created after the end")
	}
}

// Speakers are told at once, and then every five seconds together.
func TestActiveDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ctx := &world{t: t}, t.Context()
		w.serve(shelf{})
		defer w.Service.Close()
		id := w.create(0)
		w.join(id, alice, bob)
		bobs, _, _ := w.media.conn(300)
		w.pub.take()
		start := time.Now()
		var at []time.Duration
		var entries []int
		for range 60 { // a minute of speech, reported every second
			time.Sleep(time.Second)
			w.Spoke(int64(id), bobs.Conn, time.Now())
			if _, err := w.Speaking(ctx, by(alice), super); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			for _, e := range w.pub.take() {
				p := e.(event.ParticipantsChanged)
				told := p.Changes[0]
				if told.Entries[0].Versioned || told.Version != 3 || told.Entries[0].ActiveDate == 0 {
					t.Errorf("told %+v", p)
				}
				at = append(at, time.Since(start))
				entries = append(entries, len(told.Entries))
			}
		}
		if len(at) < 11 || len(at) > 14 || entries[len(entries)-1] != 2 {
			t.Errorf("told after %v: %v", at, entries)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if more := w.pub.take(); len(more) > 1 {
			t.Errorf("told in silence: %q", kinds(more))
		}
	})
}

// Who speaks is shown as whom it appears, and not at all while it is muted.
func TestSpeakingAs(t *testing.T) {
	w, ctx := newWorld(t, "sqlite::memory:"), t.Context()
	id := w.create(0)
	for _, tt := range []struct {
		user  int64
		as    peer.ID
		muted bool
		want  peer.ID
	}{
		{alice, super, false, super},
		{bob, peer.OfUser(bob), true, peer.ID{}},
		{guest, peer.OfUser(guest), false, peer.OfUser(guest)},
	} {
		r := joinRequest(tt.user, int(tt.user*100))
		r.As, r.Muted = tt.as, tt.muted
		_, err := w.Join(ctx, by(tt.user), id, r)
		wantErr(t, err, nil)
		if as, err := w.Speaking(ctx, by(tt.user), super); err != nil || as != tt.want {
			t.Errorf("user %d speaks as %v, %v, want %v", tt.user, as, err, tt.want)
		}
	}
	_, err := w.Speaking(ctx, by(carol), super)
	wantErr(t, err, call.ErrForbidden)
}

// shelf is a store without an engine.
type shelf struct{}

func (shelf) LoadCalls(context.Context) ([]call.Record, call.ID, error) { return nil, 0, nil }

func (shelf) LoadCall(context.Context, call.ID) (call.Record, error) {
	return call.Record{}, calls.ErrNoCall
}

func (shelf) FindCall(_ context.Context, _ int64, _ peer.ID, randomID int) (call.Record, error) {
	if randomID == 77 {
		return call.Record{Info: call.Info{ID: 1}}, nil
	}
	return call.Record{}, calls.ErrNoCall
}

func (shelf) CommitCalls(_ context.Context, c calls.Commit) ([][]message.Message, error) {
	return make([][]message.Message, len(c.Drafts)), nil
}
