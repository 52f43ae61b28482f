package call

import (
	"testing"

	"parley/internal/peer"
)

// edit lets by change the participant of user.
func edit(c *Call, by, user int64, r EditRequest) (Change, error) {
	r.Target = peer.OfUser(user)
	r.TargetManages = user == alice
	return c.Edit(actor(by), r)
}

const (
	free   = "unmuted"
	self   = "self-muted"
	forced = "force-muted"
)

// put brings a participant into a state of its microphone.
func put(t *testing.T, c *Call, user int64, state string) {
	t.Helper()
	m := c.members[user]
	m.Muted, m.CanSelfUnmute = state != free, state == self
}

func stateOf(p Participant) string {
	switch {
	case p.Muted && p.CanSelfUnmute:
		return self
	case p.Muted:
		return forced
	case p.CanSelfUnmute:
		return "can_self_unmute alone"
	}
	return free
}

func TestEditMuted(t *testing.T) {
	for _, tt := range []struct {
		name     string
		by, user int64
		from     string
		muted    bool
		to       string
		err      error
	}{
		{"self mutes", bob, bob, free, true, self, nil},
		{"self mutes again", bob, bob, self, true, self, nil},
		{"self mutes, force-muted", bob, bob, forced, true, forced, nil},
		{"self unmutes", bob, bob, self, false, free, nil},
		{"self unmutes again", bob, bob, free, false, free, nil},
		{"self unmutes, force-muted", bob, bob, forced, false, forced, ErrForbidden},
		{"admin unmutes itself, force-muted", alice, alice, forced, false, free, nil},
		{"admin mutes", alice, bob, free, true, forced, nil},
		{"admin mutes self-muted", alice, bob, self, true, forced, nil},
		{"admin mutes again", alice, bob, forced, true, forced, nil},
		{"admin lets speak", alice, bob, forced, false, self, nil},
		{"admin can't open a microphone", alice, bob, self, false, self, nil},
		{"admin unmutes the unmuted", alice, bob, free, false, free, nil},
		{"admin is muted by another", 4, alice, free, true, self, nil},
		{"admin, force-muted before, is muted by another", 4, alice, forced, true, self, nil},
		{"member mutes for itself", bob, carol, free, true, free, nil},
		{"member unmutes for itself", bob, carol, free, false, free, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCall(t, false)
			join(t, c, alice, bob, carol, 4)
			put(t, c, tt.user, tt.from)
			a := actor(tt.by)
			if tt.by == 4 {
				a.Rights = admin
			}
			before := c.Info()
			ch, err := c.Edit(a, EditRequest{Target: peer.OfUser(tt.user), TargetManages: tt.user == alice, Muted: &tt.muted})
			wantErr(t, err, tt.err)
			p, _ := c.Joined(tt.user)
			if got := stateOf(p); got != tt.to {
				t.Errorf("state = %s, want %s", got, tt.to)
			}
			if c.Info() != before {
				t.Errorf("info = %+v", c.Info())
			}
			if err != nil {
				return
			}
			if len(ch.Entries) != 1 || ch.Entries[0].Versioned || ch.Entries[0].User != tt.user {
				t.Fatalf("change = %+v", ch)
			}
			if (ch.Only == tt.by) != (tt.from == tt.to) {
				t.Errorf("only = %d", ch.Only)
			}
			if tt.from != tt.to && (len(ch.Gates) != 1 || ch.Gates[0].Audio != (tt.to == free)) {
				t.Errorf("gates = %+v", ch.Gates)
			}
			own := c.Personal(tt.by, ch.Entries)[peer.OfUser(tt.user)]
			if own.MutedByYou != (tt.by == bob && tt.user == carol && tt.muted) {
				t.Errorf("personal = %+v", own)
			}
		})
	}
}

// Who manages calls by now is not silenced any more once another who does has
// muted them: they may unmute themselves, also after leaving.
func TestMuteOfPromoted(t *testing.T) {
	c := newCall(t, false)
	join(t, c, alice, bob)
	_, err := edit(c, alice, bob, EditRequest{Muted: new(true)})
	wantErr(t, err, nil)
	ch, err := c.Edit(actor(alice), EditRequest{Target: peer.OfUser(bob), TargetManages: true, Muted: new(true)})
	wantErr(t, err, nil)
	if e := ch.Entries[0]; stateOf(e) != self || ch.Only != 0 || len(c.Record().Silenced) != 0 {
		t.Errorf("change = %+v, silenced %v", ch, c.Record().Silenced)
	}
}

func TestEditOthers(t *testing.T) {
	on, off := true, false
	for _, tt := range []struct {
		name string
		by   int64
		user int64
		r    EditRequest
		err  error
	}{
		{"own volume", bob, bob, EditRequest{Volume: new(100)}, ErrVolume},
		{"own volume of an admin", alice, alice, EditRequest{Volume: new(5000), Muted: &off}, nil},
		{"own volume 0", alice, alice, EditRequest{Volume: new(0)}, ErrVolume},
		{"volume 0", alice, bob, EditRequest{Volume: new(0)}, ErrVolume},
		{"volume 20001", bob, carol, EditRequest{Volume: new(20001)}, ErrVolume},
		{"negative volume", bob, carol, EditRequest{Volume: new(-1)}, ErrVolume},
		{"admin raises", alice, bob, EditRequest{RaiseHand: &on}, ErrRaiseHand},
		{"admin lowers", alice, bob, EditRequest{RaiseHand: &off}, nil},
		{"member raises another's", bob, carol, EditRequest{RaiseHand: &on}, ErrRaiseHand},
		{"member lowers another's", bob, carol, EditRequest{RaiseHand: &off}, ErrRaiseHand},
		{"raise without need", bob, bob, EditRequest{RaiseHand: &on}, ErrRaiseHand},
		{"lower", bob, bob, EditRequest{RaiseHand: &off}, nil},
		{"admin stops video", alice, bob, EditRequest{VideoStopped: &on}, ErrVideoStop},
		{"member stops video", bob, carol, EditRequest{VideoStopped: &off}, ErrVideoStop},
		{"admin pauses video", alice, bob, EditRequest{VideoPaused: &on}, ErrVideoPause},
		{"admin pauses presentation", alice, bob, EditRequest{PresentationPaused: &on}, ErrVideoPause},
		{"pauses no video", bob, bob, EditRequest{VideoPaused: &on}, ErrVideoPause},
		{"pauses no presentation", bob, bob, EditRequest{PresentationPaused: &on}, ErrVideoPause},
		{"who is not there", alice, 7, EditRequest{Muted: &on}, ErrParticipantMissing},
		{"by who is not there", 7, bob, EditRequest{Muted: &on}, ErrParticipantMissing},
		{"nothing", bob, bob, EditRequest{}, nil},
		{
			"ntgcalls with sound only", bob, bob,
			EditRequest{Muted: &off, VideoPaused: &on, VideoStopped: &on, PresentationPaused: &on},
			nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCall(t, false)
			join(t, c, alice, bob, carol)
			before := c.Info()
			ch, err := edit(c, tt.by, tt.user, tt.r)
			wantErr(t, err, tt.err)
			if c.Info() != before || err == nil && len(ch.Entries) != 1 {
				t.Errorf("info %+v, change %+v", c.Info(), ch)
			}
		})
	}
	c := newCall(t, false)
	join(t, c, bob)
	_, err := c.Edit(actor(bob), EditRequest{})
	wantErr(t, err, ErrUserID)
	_, err = newCall(t, true).Edit(actor(bob), EditRequest{Target: peer.OfUser(bob)})
	wantErr(t, err, ErrForbidden)
}

func TestEditVolume(t *testing.T) {
	c := newCall(t, false)
	join(t, c, alice, bob, carol)
	ch, err := edit(c, alice, bob, EditRequest{Volume: new(5000)})
	wantErr(t, err, nil)
	if ch.Only != 0 || ch.Entries[0].Volume != 5000 {
		t.Errorf("by an admin: %+v", ch)
	}
	ch, err = edit(c, carol, bob, EditRequest{Volume: new(700), Muted: new(true)})
	wantErr(t, err, nil)
	if ch.Only != carol || ch.Entries[0].Volume != 5000 {
		t.Errorf("by a member: %+v", ch)
	}
	if own := c.Personal(carol, ch.Entries)[peer.OfUser(bob)]; own != (Personal{true, 700}) {
		t.Errorf("personal = %+v", own)
	}
	if c.Personal(alice, ch.Entries) != nil {
		t.Error("others see it")
	}
	ch, err = edit(c, alice, alice, EditRequest{Volume: new(2500), Muted: new(false)})
	wantErr(t, err, nil)
	if e := ch.Entries[0]; ch.Only != 0 || e.Peer != peer.OfUser(alice) || e.Volume != 2500 || e.Muted {
		t.Errorf("an admin's own: %+v", ch)
	}
}

// What one set for oneself before one managed calls does not stand in front of
// what one sets now: clients look for that in the answer.
func TestEditByPromoted(t *testing.T) {
	c := newCall(t, false)
	join(t, c, alice, bob, carol)
	_, err := edit(c, bob, carol, EditRequest{Muted: new(true), Volume: new(500)})
	wantErr(t, err, nil)
	for _, step := range []struct {
		r    EditRequest
		want Personal
	}{
		{EditRequest{Volume: new(700)}, Personal{MutedByYou: true}},
		{EditRequest{Muted: new(true)}, Personal{MutedByYou: true}},
		{EditRequest{Muted: new(false)}, Personal{}},
	} {
		step.r.Target = peer.OfUser(carol)
		ch, err := c.Edit(Actor{bob, admin}, step.r)
		wantErr(t, err, nil)
		if own := c.Personal(bob, ch.Entries)[peer.OfUser(carol)]; own != step.want || ch.Entries[0].Volume != 700 {
			t.Errorf("%+v: personal %+v of %+v", step.r, own, ch.Entries[0])
		}
	}
}

func TestRaiseHand(t *testing.T) {
	c := newCall(t, false)
	join(t, c, alice, bob, carol)
	put(t, c, bob, forced)
	put(t, c, carol, forced)
	for _, step := range []struct {
		by, user  int64
		r         EditRequest
		bob, caro int64
	}{
		{bob, bob, EditRequest{RaiseHand: new(true)}, 1, 0},
		{carol, carol, EditRequest{RaiseHand: new(true)}, 1, 2},
		{bob, bob, EditRequest{RaiseHand: new(true)}, 1, 2},
		{alice, bob, EditRequest{Muted: new(true)}, 1, 2},
		{alice, carol, EditRequest{RaiseHand: new(false)}, 1, 0},
		{carol, carol, EditRequest{RaiseHand: new(true)}, 1, 2},
		{alice, bob, EditRequest{Muted: new(false)}, 0, 2},
		{carol, carol, EditRequest{RaiseHand: new(false)}, 0, 0},
	} {
		_, err := edit(c, step.by, step.user, step.r)
		wantErr(t, err, nil)
		b, _ := c.Joined(bob)
		k, _ := c.Joined(carol)
		if b.HandRating != step.bob || k.HandRating != step.caro {
			t.Errorf("%+v: ratings %d and %d", step, b.HandRating, k.HandRating)
		}
	}
}

func TestEditVideo(t *testing.T) {
	c := newCall(t, false)
	join(t, c, alice, bob)
	for _, step := range []struct {
		name           string
		r              EditRequest
		video, paused  bool
		version, count int
	}{
		{"start", EditRequest{VideoStopped: new(false)}, true, false, 4, 1},
		{"start again", EditRequest{VideoStopped: new(false)}, true, false, 4, 1},
		{"pause", EditRequest{VideoPaused: new(true)}, true, true, 4, 1},
		{"mute and stop", EditRequest{Muted: new(true), VideoStopped: new(true)}, false, false, 5, 0},
		{"start paused and unmute", EditRequest{Muted: new(false), VideoStopped: new(false), VideoPaused: new(true)}, true, true, 6, 1},
		{"resume", EditRequest{VideoPaused: new(false)}, true, false, 6, 1},
	} {
		before := c.Info().Version
		ch, err := edit(c, bob, bob, step.r)
		wantErr(t, err, nil)
		e := ch.Entries[0]
		if (e.Video != nil) != step.video || e.Video != nil && e.Video.Paused != step.paused {
			t.Errorf("%s: video = %+v", step.name, e.Video)
		}
		i := c.Info()
		if i.Version != step.version || i.Videos != step.count || e.Versioned != (i.Version != before) || ch.Counted != e.Versioned {
			t.Errorf("%s: info %+v, change %+v", step.name, i, ch)
		}
	}
	// A force-mute takes the video away, and keeps it away.
	_, _ = c.JoinPresentation(bob, Connection{Conn: 77, Source: 777})
	ch, err := edit(c, alice, bob, EditRequest{Muted: new(true)})
	wantErr(t, err, nil)
	e := ch.Entries[0]
	if e.Video != nil || e.Presentation != nil || !e.Versioned || len(ch.Closed) != 1 || ch.Closed[0] != 77 || c.Info().Videos != 0 {
		t.Errorf("change = %+v", ch)
	}
	_, err = edit(c, bob, bob, EditRequest{VideoStopped: new(false)})
	wantErr(t, err, ErrVideoStop)
	_, err = c.JoinPresentation(bob, Connection{Conn: 78})
	wantErr(t, err, ErrForbidden)
}

// TestVideoOfDisplaced: who takes over the identity of somebody with video has
// the room for it.
func TestVideoOfDisplaced(t *testing.T) {
	c := newCall(t, false)
	c.rec.VideoLimit = 1
	for _, u := range []int64{alice, bob} {
		r := request(u, int32(u*100))
		r.As, r.Groups, r.VideoStopped = group, []SourceGroup{{"FID", []int32{int32(u*100 + 1), int32(u*100 + 2)}}}, false
		_, err := c.Join(Actor{u, admin}, r, noon)
		wantErr(t, err, nil)
	}
	if c.Info().Videos != 1 {
		t.Errorf("%d videos", c.Info().Videos)
	}
}

func TestVideoLimit(t *testing.T) {
	c := newCall(t, false)
	c.rec.VideoLimit = 1
	join(t, c, alice, bob)
	_, err := edit(c, bob, bob, EditRequest{VideoStopped: new(false)})
	wantErr(t, err, nil)
	_, err = edit(c, alice, alice, EditRequest{VideoStopped: new(false)})
	wantErr(t, err, ErrVideoTooMuch)
	pictures := []SourceGroup{{"FID", []int32{901, 902}}}
	_, err = c.JoinPresentation(alice, Connection{Conn: 5, Groups: pictures})
	wantErr(t, err, ErrVideoTooMuch)
	_, err = c.JoinPresentation(alice, Connection{Conn: 5, Source: 900}) // of sound alone
	wantErr(t, err, nil)
	_, err = c.JoinPresentation(bob, Connection{Conn: 6, Groups: pictures}) // counts once
	wantErr(t, err, nil)
	if c.Info().Videos != 1 {
		t.Errorf("%d videos", c.Info().Videos)
	}
	r := request(carol, 300)
	r.Groups = nil
	_, _ = c.Join(actor(carol), r, noon)
	c.rec.VideoLimit = 0
	_, err = edit(c, carol, carol, EditRequest{VideoStopped: new(false)})
	wantErr(t, err, ErrVideoStop)
}

func TestPresentation(t *testing.T) {
	screen := func(conn int64, source int32) Connection {
		return Connection{Conn: conn, Endpoint: "fedcba9876543210", Source: source, Groups: []SourceGroup{{"FID", []int32{source + 1, source + 2}}}}
	}
	c := newCall(t, false)
	join(t, c, alice, bob)
	_, err := c.JoinPresentation(carol, screen(70, 700))
	wantErr(t, err, ErrMainMissing)
	_, err = c.LeavePresentation(carol)
	wantErr(t, err, ErrPresentationMissing)
	_, err = c.LeavePresentation(bob)
	wantErr(t, err, ErrPresentationMissing)
	for _, source := range []int32{100, 101, 200, 202} {
		_, err = c.JoinPresentation(bob, screen(70, source))
		wantErr(t, err, ErrSourceDuplicate)
	}
	ch, err := c.JoinPresentation(bob, screen(70, 700))
	wantErr(t, err, nil)
	e := ch.Entries[0]
	if e.Presentation == nil || e.Presentation.AudioSource != 700 || e.Presentation.Endpoint != "fedcba9876543210" || !e.Versioned || e.Source != 200 {
		t.Errorf("entry = %+v", e)
	}
	if i := c.Info(); i.Version != 4 || i.Videos != 1 {
		t.Errorf("info = %+v", i)
	}
	if len(ch.Gates) != 2 || ch.Gates[1] != (Gate{70, true, true}) {
		t.Errorf("gates = %+v", ch.Gates)
	}
	ch, err = c.JoinPresentation(bob, screen(71, 700)) // again, with the same source
	wantErr(t, err, nil)
	if len(ch.Closed) != 1 || ch.Closed[0] != 70 || c.Info().Videos != 1 {
		t.Errorf("second: %+v", ch)
	}
	ch, err = edit(c, bob, bob, EditRequest{PresentationPaused: new(true)})
	wantErr(t, err, nil)
	if e := ch.Entries[0]; !e.Presentation.Paused || e.Versioned {
		t.Errorf("paused = %+v", e)
	}
	ch, err = c.LeavePresentation(bob)
	wantErr(t, err, nil)
	if e := ch.Entries[0]; e.Presentation != nil || !e.Versioned || e.Left || c.Info().Videos != 0 || len(ch.Closed) != 1 {
		t.Errorf("left: %+v", ch)
	}
	_, err = c.JoinPresentation(alice, Connection{Conn: 72, Groups: []SourceGroup{{"FID", []int32{701, 702}}}}) // no sound
	wantErr(t, err, nil)
}

// TestScreenEndsTwice: Web K closes the connection of its screen and then leaves
// it, also when an admin took the screen away. After an error it would say so
// before its next screen, again and again, and show none.
func TestScreenEndsTwice(t *testing.T) {
	c := newCall(t, false)
	join(t, c, alice, bob)
	present := func() {
		t.Helper()
		_, err := c.JoinPresentation(bob, Connection{Conn: 70, Endpoint: "s", Source: 700})
		wantErr(t, err, nil)
	}
	for name, end := range map[string]func(){
		"closed":    func() { c.ConnGone(bob, 70) },
		"muted":     func() { _, _ = edit(c, alice, bob, EditRequest{Muted: new(true)}) },
		"main anew": func() { _, _ = c.Join(actor(bob), request(bob, 210), noon) },
		"main twice": func() {
			_, _ = c.Join(actor(bob), request(bob, 210), noon)
			_, _ = c.Join(actor(bob), request(bob, 220), noon)
		},
	} {
		present()
		end()
		ch, err := c.LeavePresentation(bob)
		if wantErr(t, err, nil); len(ch.Entries) > 0 {
			t.Errorf("%s: told %+v", name, ch)
		}
		_, err = c.LeavePresentation(bob)
		wantErr(t, err, ErrPresentationMissing)
		_, _ = edit(c, alice, bob, EditRequest{Muted: new(false)})
	}
	present()
	_, err := c.LeavePresentation(bob)
	wantErr(t, err, nil)
	_, err = c.LeavePresentation(bob)
	wantErr(t, err, ErrPresentationMissing)
}
