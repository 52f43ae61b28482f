package call

import (
	"slices"
	"testing"
	"time"

	"parley/internal/peer"
)

func TestJoin(t *testing.T) {
	muted := func(c *Call) { c.rec.JoinMuted = true }
	for _, tt := range []struct {
		name    string
		actor   Actor
		prepare func(c *Call)
		change  func(r *JoinRequest)
		want    error
		is      Participant // muted, rights and video
	}{
		{name: "open microphone", actor: actor(bob)},
		{name: "self-muted", actor: actor(bob), change: func(r *JoinRequest) { r.Muted = true }, is: Participant{Muted: true, CanSelfUnmute: true}},
		{name: "force-muted", actor: actor(bob), prepare: muted, is: Participant{Muted: true}},
		{name: "force-muted shows nothing", actor: actor(bob), prepare: muted, change: func(r *JoinRequest) { r.VideoStopped = false }, is: Participant{Muted: true}},
		{name: "join_muted and admin", actor: actor(alice), prepare: muted},
		{name: "speaker link", actor: actor(bob), prepare: muted, change: func(r *JoinRequest) { r.InviteHash = "BwcHBwcHBwcHBwcHBwcHBw" }},
		{name: "expired link", actor: actor(bob), prepare: muted, change: func(r *JoinRequest) { r.InviteHash = "x" }, is: Participant{Muted: true}},
		{name: "camera", actor: actor(bob), change: func(r *JoinRequest) { r.VideoStopped = false }, is: Participant{Video: &Video{}}},
		{name: "camera without groups", actor: actor(bob), change: func(r *JoinRequest) { r.VideoStopped, r.Groups = false, nil }},
		{name: "passer-by", actor: Actor{bob, passerby}},
		{name: "as own channel", actor: actor(bob), change: func(r *JoinRequest) { r.As = peer.OfChannel(bob + 100) }},
		{name: "as somebody else", actor: actor(bob), change: func(r *JoinRequest) { r.As = peer.OfUser(carol) }, want: ErrJoinAs},
		{name: "as nobody", actor: actor(bob), change: func(r *JoinRequest) { r.As = peer.ID{} }, want: ErrJoinAs},
		{name: "stranger", actor: Actor{bob, stranger}, want: ErrWriteForbidden},
		{name: "kicked", actor: Actor{bob, kicked}, want: ErrWriteForbidden},
		{name: "ended", actor: actor(bob), prepare: func(c *Call) { c.End(noon) }, want: ErrForbidden},
		{name: "no ssrc", actor: actor(bob), change: func(r *JoinRequest) { r.Source = 0 }, want: ErrSourceDuplicate},
		{name: "ssrc in own group", actor: actor(bob), change: func(r *JoinRequest) { r.Groups[0].Sources[0] = r.Source }, want: ErrSourceDuplicate},
		{name: "taken ssrc", actor: actor(bob), prepare: func(c *Call) { join(t, c, carol) }, change: func(r *JoinRequest) { r.Source = 300 }, want: ErrSourceDuplicate},
		{name: "ssrc taken by a video", actor: actor(bob), prepare: func(c *Call) { join(t, c, carol) }, change: func(r *JoinRequest) { r.Source = 301 }, want: ErrSourceDuplicate},
		{
			name: "video taken by a presentation", actor: actor(bob), want: ErrSourceDuplicate,
			prepare: func(c *Call) {
				join(t, c, carol)
				_, _ = c.JoinPresentation(carol, Connection{Conn: 5, Source: 201})
			},
		},
		{name: "too many sources", actor: actor(bob), change: func(r *JoinRequest) { r.Groups = manySources() }, want: ErrDataJSON},
		{
			name: "no room for video", actor: actor(bob), change: func(r *JoinRequest) { r.VideoStopped = false }, want: ErrVideoTooMuch,
			prepare: func(c *Call) { c.rec.VideoLimit, c.videos = 1, 1 },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCall(t, false)
			if tt.prepare != nil {
				tt.prepare(c)
			}
			r := request(tt.actor.User, 200)
			if tt.change != nil {
				tt.change(&r)
			}
			before := c.Info()
			ch, err := c.Join(tt.actor, r, noon)
			wantErr(t, err, tt.want)
			if err != nil {
				if c.Info() != before {
					t.Errorf("info changed to %+v", c.Info())
				}
				return
			}
			if len(ch.Entries) != 1 || len(ch.Gates) != 1 || !ch.Counted || len(ch.Closed) != 0 {
				t.Fatalf("change = %+v", ch)
			}
			e := ch.Entries[0]
			if !e.JustJoined || !e.Versioned || e.Left || e.Peer != r.As || e.User != tt.actor.User || e.Source != 200 ||
				e.Date != noon.Unix() || e.VideoJoined != (len(r.Groups) > 0) {
				t.Errorf("entry = %+v", e)
			}
			if e.Muted != tt.is.Muted || e.CanSelfUnmute != tt.is.CanSelfUnmute || (e.Video != nil) != (tt.is.Video != nil) {
				t.Errorf("entry = %+v, want %+v", e, tt.is)
			}
			if e.Video != nil && (e.Video.Endpoint != r.Endpoint || !slices.Equal(e.Video.Groups[0].Sources, []int32{201, 202})) {
				t.Errorf("video = %+v", e.Video)
			}
			if g := (Gate{200, !e.Muted, e.Video != nil}); ch.Gates[0] != g {
				t.Errorf("gate = %+v, want %+v", ch.Gates[0], g)
			}
			if i := c.Info(); i.Version != before.Version+1 || i.Count != before.Count+1 {
				t.Errorf("info = %+v", i)
			}
			if p, _ := c.Joined(tt.actor.User); p.JustJoined || p.Versioned {
				t.Errorf("kept entry = %+v", p)
			}
		})
	}
}

func manySources() []SourceGroup {
	g := SourceGroup{Semantics: "SIM"}
	for i := range int32(maxSources + 10) {
		g.Sources = append(g.Sources, 1000+i)
	}
	return []SourceGroup{g}
}

func TestJoinScheduled(t *testing.T) {
	c := newCall(t, true)
	_, err := c.Join(actor(alice), request(alice, 100), noon)
	wantErr(t, err, ErrForbidden)
}

func TestRejoin(t *testing.T) {
	for _, tt := range []struct {
		name    string
		source  int32
		prepare func(c *Call)
		check   func(t *testing.T, p Participant)
	}{
		{name: "new source", source: 900},
		{name: "same source", source: 200}, // the answer got lost
		{
			name: "force-muted stays so", source: 900,
			prepare: func(c *Call) { edit(c, alice, bob, EditRequest{Muted: new(true)}) },
			check: func(t *testing.T, p Participant) {
				t.Helper()
				if !p.Muted || p.CanSelfUnmute {
					t.Error("is not force-muted")
				}
			},
		},
		{
			name: "raised hand stays", source: 900,
			prepare: func(c *Call) {
				edit(c, alice, bob, EditRequest{Muted: new(true)})
				edit(c, bob, bob, EditRequest{RaiseHand: new(true)})
			},
			check: func(t *testing.T, p Participant) {
				t.Helper()
				if p.HandRating != 1 {
					t.Error("hand is down")
				}
			},
		},
		{
			name: "who was let speak may", source: 900,
			prepare: func(c *Call) {
				c.rec.JoinMuted = true
				edit(c, alice, bob, EditRequest{Muted: new(true)})
				edit(c, alice, bob, EditRequest{Muted: new(false)})
			},
			check: func(t *testing.T, p Participant) {
				t.Helper()
				if p.Muted {
					t.Error("is muted")
				}
			},
		},
		{
			name: "presentation ends", source: 900,
			prepare: func(c *Call) { _, _ = c.JoinPresentation(bob, Connection{Conn: 77, Source: 777}) },
			check: func(t *testing.T, p Participant) {
				t.Helper()
				if p.Presentation != nil {
					t.Error("presentation is there")
				}
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCall(t, false)
			join(t, c, alice, bob)
			if tt.prepare != nil {
				tt.prepare(c)
			}
			old, _ := c.Joined(bob)
			before := c.Info()
			r := request(bob, tt.source)
			r.Conn = 1234
			ch, err := c.Join(actor(bob), r, noon.Add(time.Hour))
			wantErr(t, err, nil)
			if len(ch.Entries) != 1 || len(ch.Closed) == 0 || ch.Closed[0] != 200 || ch.Displaced != 0 {
				t.Fatalf("change = %+v", ch)
			}
			e := ch.Entries[0]
			if e.JustJoined || e.Left || !e.Versioned || e.Source != tt.source || e.Date != old.Date {
				t.Errorf("entry = %+v", e)
			}
			if i := c.Info(); i.Version != before.Version+1 || i.Count != before.Count || i.Videos != 0 {
				t.Errorf("info = %+v", i)
			}
			if tt.check != nil {
				tt.check(t, e)
			}
			if gone := c.ConnGone(bob, 200); len(gone.Entries) != 0 {
				t.Error("the old connection's end took the new one along")
			}
			if _, err := c.Join(actor(carol), request(carol, 777), noon); err != nil {
				t.Errorf("a free source is taken: %v", err)
			}
		})
	}
}

func TestForceMuteOutlastsLeaving(t *testing.T) {
	c := newCall(t, false)
	join(t, c, alice, bob)
	edit(c, alice, bob, EditRequest{Muted: new(true)})
	_, _ = c.Leave(bob, 0)
	join(t, c, bob)
	if p, _ := c.Joined(bob); !p.Muted || p.CanSelfUnmute {
		t.Errorf("participant = %+v", p)
	}
}

func TestRejoinAsAnother(t *testing.T) {
	c := newCall(t, false)
	join(t, c, alice, bob)
	r := request(bob, 900)
	r.As = peer.OfChannel(bob + 100)
	ch, err := c.Join(actor(bob), r, noon)
	wantErr(t, err, nil)
	if len(ch.Entries) != 2 {
		t.Fatalf("entries = %+v", ch.Entries)
	}
	old, fresh := ch.Entries[0], ch.Entries[1]
	if !old.Left || !old.Versioned || old.Peer != peer.OfUser(bob) || old.Source != 200 {
		t.Errorf("old = %+v", old)
	}
	if !fresh.JustJoined || !fresh.Versioned || fresh.Peer != r.As || fresh.Source != 900 || fresh.User != bob {
		t.Errorf("fresh = %+v", fresh)
	}
	if i := c.Info(); i.Version != 4 || i.Count != 2 {
		t.Errorf("info = %+v", i)
	}
	if _, ok := c.UserOf(peer.OfUser(bob)); ok {
		t.Error("the old identity is still there")
	}
}

// Two anonymous admins are one participant: the chat.
func TestJoinTakesIdentityOver(t *testing.T) {
	c := newCall(t, false)
	for i, u := range []int64{alice, bob} {
		r := request(u, int32(u*100))
		r.As = group
		ch, err := c.Join(Actor{u, admin}, r, noon)
		wantErr(t, err, nil)
		e := ch.Entries[0]
		if len(ch.Entries) != 1 || e.JustJoined != (i == 0) || e.User != u {
			t.Errorf("entries = %+v", ch.Entries)
		}
		if i == 1 && (ch.Displaced != alice || !slices.Equal(ch.Gone, []int64{alice}) || !slices.Equal(ch.Closed, []int64{100})) {
			t.Errorf("change = %+v", ch)
		}
	}
	if c.Info().Count != 1 || c.Info().Version != 3 {
		t.Errorf("info = %+v", c.Info())
	}
	_, err := c.Leave(alice, 0)
	wantErr(t, err, ErrJoinMissing)
}

// What one set for an identity is not set for oneself who takes it over: nobody
// can change that of themselves.
func TestTakeOverOfMuted(t *testing.T) {
	c := newCall(t, false)
	join(t, c, bob)
	r := request(alice, 100)
	r.As = group
	_, err := c.Join(actor(alice), r, noon)
	wantErr(t, err, nil)
	_, err = c.Edit(actor(bob), EditRequest{Target: group, Muted: new(true), Volume: new(1)})
	wantErr(t, err, nil)
	r = request(bob, 200)
	r.As = group
	ch, err := c.Join(actor(bob), r, noon)
	wantErr(t, err, nil)
	if own := c.Personal(bob, ch.Entries); own != nil {
		t.Errorf("personal = %+v", own)
	}
}

func TestLeave(t *testing.T) {
	for _, tt := range []struct {
		name   string
		user   int64
		source int32
		left   bool
		want   error
	}{
		{"source", bob, 200, true, nil},
		{"any source", bob, 0, true, nil},
		{"replaced source", bob, 199, false, nil},
		{"not joined", carol, 0, false, ErrJoinMissing},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCall(t, false)
			join(t, c, alice, bob)
			_, _ = c.JoinPresentation(bob, Connection{Conn: 77, Source: 777})
			before := c.Info()
			ch, err := c.Leave(tt.user, tt.source)
			wantErr(t, err, tt.want)
			if !tt.left {
				if len(ch.Entries) != 0 || c.Info() != before {
					t.Errorf("change = %+v", ch)
				}
				return
			}
			if len(ch.Entries) != 1 || !slices.Equal(ch.Gone, []int64{bob}) || !slices.Equal(ch.Closed, []int64{200, 77}) {
				t.Fatalf("change = %+v", ch)
			}
			e := ch.Entries[0]
			if !e.Left || !e.Versioned || e.Source != 200 || e.JustJoined || e.Presentation != nil {
				t.Errorf("entry = %+v", e)
			}
			if i := c.Info(); i.Version != before.Version+1 || i.Count != 1 || i.Videos != 0 || i.State != Active {
				t.Errorf("info = %+v", i)
			}
			join(t, c, bob) // the sources are free again
		})
	}
}

func TestGone(t *testing.T) {
	c := newCall(t, false)
	join(t, c, bob)
	_, _ = c.JoinPresentation(bob, Connection{Conn: 77, Source: 777, Groups: []SourceGroup{{"FID", []int32{778, 779}}}})
	if ch := c.ConnGone(bob, 5); len(ch.Entries) != 0 {
		t.Errorf("unknown connection: %+v", ch)
	}
	ch := c.ConnGone(bob, 77)
	if len(ch.Entries) != 1 || ch.Entries[0].Left || ch.Entries[0].Presentation != nil || !ch.Entries[0].Versioned || c.Info().Videos != 0 {
		t.Errorf("presentation: %+v", ch)
	}
	ch = c.ConnGone(bob, 200)
	if len(ch.Entries) != 1 || !ch.Entries[0].Left || ch.Entries[0].Source != 200 || c.Info().Count != 0 {
		t.Errorf("main: %+v", ch)
	}
	if ch := c.Remove(bob); len(ch.Entries) != 0 {
		t.Errorf("removed twice: %+v", ch)
	}
}

func TestCheck(t *testing.T) {
	c := newCall(t, false)
	join(t, c, bob, carol)
	_, _ = c.JoinPresentation(bob, Connection{Conn: 77, Source: 777})
	for _, tt := range []struct {
		name          string
		user          int64
		sources, want []int32
		err           error
	}{
		{"main", bob, []int32{200}, []int32{200}, nil},
		{"both in the order asked", bob, []int32{777, 5, 200, 200}, []int32{777, 200}, nil},
		{"nothing asked", bob, nil, []int32{200}, nil},
		{"only foreign", bob, []int32{300, 0}, nil, ErrJoinMissing},
		{"not joined", alice, []int32{200}, nil, ErrJoinMissing},
	} {
		got, err := c.Check(tt.user, tt.sources)
		wantErr(t, err, tt.err)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}

func TestSpeaking(t *testing.T) {
	c := newCall(t, false)
	join(t, c, bob)
	ch := c.Speaking(bob, noon.Add(time.Minute))
	if len(ch.Entries) != 1 || ch.Entries[0].Versioned || ch.Entries[0].ActiveDate != noon.Unix()+60 || c.Info().Version != 2 {
		t.Errorf("change = %+v", ch)
	}
	if ch := c.Speaking(bob, noon); len(ch.Entries) != 0 {
		t.Error("active_date went back")
	}
	edit(c, bob, bob, EditRequest{Muted: new(true)})
	if ch := c.Speaking(bob, noon.Add(time.Hour)); len(ch.Entries) != 0 {
		t.Error("spoke while muted")
	}
	if ch := c.Speaking(carol, noon); len(ch.Entries) != 0 {
		t.Error("spoke from outside")
	}
}
