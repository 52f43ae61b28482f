package call

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"parley/internal/peer"
	"parley/internal/rpc"
)

var (
	noon     = time.Unix(1_700_000_000, 0)
	group    = peer.OfChannel(500)
	admin    = peer.Rights{Member: true, Admin: true, ManageCall: true, CanRead: true}
	common   = peer.Rights{Member: true, CanRead: true}
	passerby = peer.Rights{CanRead: true, Public: true}
	stranger = peer.Rights{}
	kicked   = peer.Rights{Banned: true, CanRead: true}
)

const (
	alice = 1 // manages calls
	bob   = 2
	carol = 3
)

func random() io.Reader { return bytes.NewReader(bytes.Repeat([]byte{7}, 1000)) }

// newCall returns an active call, or one scheduled for an hour later.
func newCall(t testing.TB, scheduled bool) *Call {
	t.Helper()
	r := CreateRequest{ID: 9, Chat: group}
	if scheduled {
		r.ScheduleDate = noon.Add(time.Hour).Unix()
	}
	c, err := Create(Actor{alice, admin}, r, noon, random())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// request is a plain request to join with camera groups above the source.
func request(user int64, source int32) JoinRequest {
	return JoinRequest{
		As: peer.OfUser(user), Allowed: []peer.ID{peer.OfUser(user), peer.OfChannel(user + 100), group},
		VideoStopped: true,
		Connection: Connection{
			Conn: int64(source), Endpoint: "0123456789abcdef", Source: source,
			Groups: []SourceGroup{{"FID", []int32{source + 1, source + 2}}},
		},
	}
}

func actor(user int64) Actor {
	if user == alice {
		return Actor{user, admin}
	}
	return Actor{user, common}
}

// join lets the users join, each with a source of user*100.
func join(t testing.TB, c *Call, users ...int64) {
	t.Helper()
	for _, u := range users {
		if _, err := c.Join(actor(u), request(u, int32(u*100)), noon.Add(time.Duration(u)*time.Second)); err != nil {
			t.Fatalf("join %d: %v", u, err)
		}
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("err = %v, want %v", err, want)
	}
}

func TestCreate(t *testing.T) {
	long := ""
	for range 100 {
		long += "й"
	}
	for _, tt := range []struct {
		name   string
		rights peer.Rights
		chat   peer.ID
		ahead  time.Duration
		title  string
		want   error
		cut    string
	}{
		{name: "now", rights: admin, chat: group},
		{name: "title", rights: admin, chat: group, title: "  Tea time ", cut: "Tea time"},
		{name: "long title", rights: admin, chat: group, title: long, cut: long[:2*MaxTitle]},
		{name: "broken title", rights: admin, chat: group, title: "a\xffb", cut: "ab"},
		{name: "in 10 seconds", rights: admin, chat: group, ahead: 10 * time.Second},
		{name: "in 8 days", rights: admin, chat: group, ahead: 8 * 24 * time.Hour},
		{name: "too soon", rights: admin, chat: group, ahead: 9 * time.Second, want: ErrScheduleDate},
		{name: "past", rights: admin, chat: group, ahead: -time.Hour, want: ErrScheduleDate},
		{name: "too late", rights: admin, chat: group, ahead: 8*24*time.Hour + time.Second, want: ErrScheduleDate},
		{name: "basic group", rights: admin, chat: peer.OfChat(3)},
		{name: "user", rights: admin, chat: peer.OfUser(3), want: rpc.ErrPeerID},
		{name: "nobody", rights: admin, want: rpc.ErrPeerID},
		{name: "member", rights: common, chat: group, want: ErrAdminRequired},
		{name: "passer-by", rights: passerby, chat: group, want: ErrAdminRequired},
		{name: "stranger", rights: stranger, chat: group, want: ErrChannelPrivate},
		{name: "kicked", rights: kicked, chat: group, want: ErrChannelPrivate},
		{name: "stranger of a basic group", rights: stranger, chat: peer.OfChat(3), want: rpc.ErrPeerID},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := CreateRequest{ID: 9, Chat: tt.chat, Title: tt.title, RandomID: 5}
			if tt.ahead != 0 {
				r.ScheduleDate = noon.Add(tt.ahead).Unix()
			}
			c, err := Create(Actor{alice, tt.rights}, r, noon, random())
			wantErr(t, err, tt.want)
			if err != nil {
				return
			}
			i := c.Info()
			want := Info{
				ID: 9, Chat: tt.chat, Creator: alice, State: Active, Title: tt.cut,
				StartDate: noon.Unix(), Version: 1, VideoLimit: VideoLimit,
			}
			if tt.ahead != 0 {
				want.State, want.StartDate, want.ScheduleDate = Scheduled, 0, r.ScheduleDate
			}
			if i != want {
				t.Errorf("info = %+v\nwant   %+v", i, want)
			}
			if len(c.Record().InviteHash) != 22 {
				t.Errorf("invite hash %q", c.Record().InviteHash)
			}
		})
	}
	if _, err := Create(actor(alice), CreateRequest{Chat: group}, noon, bytes.NewReader(nil)); err == nil {
		t.Error("created without randomness")
	}
}

func TestCreateLivestream(t *testing.T) {
	rights := admin
	rights.Broadcast = true
	c, err := Create(Actor{alice, rights}, CreateRequest{ID: 9, Chat: group}, noon, random())
	if err != nil || !c.Info().Broadcast || !c.Info().JoinMuted {
		t.Fatalf("info = %+v, %v", c.Info(), err)
	}
	off := false
	wantErr(t, c.Settings(actor(alice), SettingsRequest{JoinMuted: &off}, random()), ErrChangeForbidden)
}

func TestStart(t *testing.T) {
	for _, tt := range []struct {
		name  string
		actor Actor
		do    func(c *Call)
		want  error
	}{
		{name: "admin", actor: actor(alice)},
		{name: "member", actor: actor(bob), want: ErrForbidden},
		{name: "twice", actor: actor(alice), do: func(c *Call) { _ = c.Start(actor(alice), noon) }, want: ErrAlreadyStarted},
		{name: "ended", actor: actor(alice), do: func(c *Call) { c.End(noon) }, want: ErrForbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCall(t, true)
			_ = c.Subscribe(actor(bob), true)
			if tt.do != nil {
				tt.do(c)
			}
			wantErr(t, c.Start(tt.actor, noon.Add(time.Minute)), tt.want)
			if tt.want != nil {
				return
			}
			i := c.Info()
			if i.State != Active || i.ScheduleDate != 0 || i.StartDate != noon.Unix()+60 || i.Version != 1 {
				t.Errorf("info = %+v", i)
			}
			if c.Subscribed(bob) || len(c.Subscribers()) != 0 {
				t.Error("still subscribed")
			}
		})
	}
}

func TestSubscribe(t *testing.T) {
	c := newCall(t, true)
	before := c.Record()
	for _, tt := range []struct {
		actor Actor
		on    bool
		want  error
	}{
		{actor(bob), false, ErrNotModified},
		{actor(bob), true, nil},
		{actor(bob), true, ErrNotModified},
		{actor(carol), true, nil},
		{actor(bob), false, nil},
		{Actor{bob, passerby}, true, ErrForbidden},
	} {
		wantErr(t, c.Subscribe(tt.actor, tt.on), tt.want)
	}
	if c.Subscribed(bob) || !c.Subscribed(carol) || c.Info().Version != 1 {
		t.Errorf("subscribers = %v, version %d", c.Subscribers(), c.Info().Version)
	}
	if len(before.Subscribers) != 0 {
		t.Error("an older record changed")
	}
	_ = c.Start(actor(alice), noon)
	wantErr(t, c.Subscribe(actor(bob), true), ErrAlreadyStarted)
	c.End(noon)
	wantErr(t, c.Subscribe(actor(bob), true), ErrAlreadyStarted)
}

func TestDiscard(t *testing.T) {
	for _, tt := range []struct {
		name      string
		scheduled bool
		after     time.Duration
		want      int
	}{
		{"active", false, 90 * time.Second, 90},
		{"clock went back", false, -90 * time.Second, 0},
		{"never started", true, time.Hour, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCall(t, tt.scheduled)
			wantErr(t, c.Discard(actor(bob), noon), ErrForbidden)
			wantErr(t, c.Discard(actor(alice), noon.Add(tt.after)), nil)
			if i := c.Info(); i.State != Discarded || i.Duration() != tt.want || i.ScheduleDate != 0 {
				t.Errorf("info = %+v, duration %d", i, i.Duration())
			}
			wantErr(t, c.Discard(actor(alice), noon), ErrAlreadyDiscarded)
		})
	}
}

// Nothing but Discard has an own answer for a call that has ended.
func TestEnded(t *testing.T) {
	c := newCall(t, false)
	join(t, c, bob)
	c.End(noon)
	_, joinErr := c.Join(actor(bob), request(bob, 200), noon)
	_, leaveErr := c.Leave(bob, 0)
	_, checkErr := c.Check(bob, nil)
	_, editErr := c.Edit(actor(bob), EditRequest{Target: peer.OfUser(bob)})
	_, screenErr := c.JoinPresentation(bob, Connection{})
	_, unscreenErr := c.LeavePresentation(bob)
	_, inviteErr := c.CheckInvite(actor(bob), []int64{carol}, everybody)
	_, exportErr := c.ExportInvite(actor(bob), false)
	for i, err := range []error{
		joinErr, leaveErr, checkErr, editErr, screenErr, unscreenErr, inviteErr, exportErr,
		c.EditTitle(actor(alice), "x"), c.Settings(actor(alice), SettingsRequest{ResetInviteHash: true}, random()),
	} {
		if !errors.Is(err, ErrForbidden) {
			t.Errorf("%d: err = %v", i, err)
		}
	}
}

func TestLoad(t *testing.T) {
	c := newCall(t, false)
	if !c.Reserve(1, 100) || c.Reserve(100, 100) || c.Record().Ceiling != 101 {
		t.Fatalf("ceiling = %d", c.Record().Ceiling)
	}
	join(t, c, alice, bob)
	again := Load(c.Record())
	if i := again.Info(); i.Version != 101 || i.Count != 0 || i.State != Active {
		t.Errorf("info = %+v", i)
	}
	if !again.Reserve(1, 100) {
		t.Error("versions above the ceiling are free to use")
	}
	if i := Load(newCall(t, true).Record()).Info(); i.Version != 1 {
		t.Errorf("version of an untouched call = %d", i.Version)
	}
}
