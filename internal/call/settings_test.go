package call

import (
	"slices"
	"testing"

	"parley/internal/peer"
)

func everybody(int64) (bool, error) { return true, nil }

func TestSettings(t *testing.T) {
	on, off := true, false
	for _, tt := range []struct {
		name  string
		actor Actor
		r     SettingsRequest
		want  error
	}{
		{"mute", actor(alice), SettingsRequest{JoinMuted: &on}, nil},
		{"same", actor(alice), SettingsRequest{JoinMuted: &off}, ErrNotModified},
		{"nothing", actor(alice), SettingsRequest{}, ErrNotModified},
		{"reset", actor(alice), SettingsRequest{ResetInviteHash: true}, nil},
		{"both", actor(alice), SettingsRequest{ResetInviteHash: true, JoinMuted: &off}, nil},
		{"others", actor(alice), SettingsRequest{Others: true, JoinMuted: &on}, ErrChangeForbidden},
		{"member", actor(bob), SettingsRequest{JoinMuted: &on}, ErrForbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCall(t, true)
			before := c.Record()
			wantErr(t, c.Settings(tt.actor, tt.r, &counter{}), tt.want)
			after := c.Record()
			if (after.InviteHash != before.InviteHash) != (tt.want == nil && tt.r.ResetInviteHash) {
				t.Error("hash")
			}
			if tt.want == nil && tt.r.JoinMuted != nil && after.JoinMuted != *tt.r.JoinMuted {
				t.Error("join_muted")
			}
			if after.Version != 1 {
				t.Errorf("version = %d", after.Version)
			}
		})
	}
}

// counter is a source of bytes that never repeats.
type counter struct{ n byte }

func (c *counter) Read(b []byte) (int, error) {
	for i := range b {
		c.n++
		b[i] = c.n
	}
	return len(b), nil
}

func TestEditTitle(t *testing.T) {
	c := newCall(t, false)
	wantErr(t, c.EditTitle(actor(bob), "x"), ErrForbidden)
	wantErr(t, c.EditTitle(actor(alice), ""), ErrNotModified)
	wantErr(t, c.EditTitle(actor(alice), "x"), nil)
	wantErr(t, c.EditTitle(actor(alice), " x "), ErrNotModified)
	wantErr(t, c.EditTitle(actor(alice), ""), nil)
	if c.Info().Title != "" {
		t.Errorf("title = %q", c.Info().Title)
	}
}

func TestInvite(t *testing.T) {
	onlyCarol := func(u int64) (bool, error) { return u == carol, nil }
	for _, tt := range []struct {
		name    string
		actor   Actor
		prepare func(c *Call)
		users   []int64
		member  func(int64) (bool, error)
		fresh   []int64
		want    error
	}{
		{name: "member", actor: actor(bob), users: []int64{carol}, fresh: []int64{carol}},
		{name: "named twice", actor: actor(bob), users: []int64{carol, carol}, fresh: []int64{carol}},
		{name: "nobody", actor: actor(bob), want: ErrUserID},
		{name: "eleven", actor: actor(bob), users: make([]int64, 11), want: ErrUsersTooMuch},
		{name: "passer-by", actor: Actor{bob, passerby}, users: []int64{carol}, want: ErrUserNotParticipant},
		{name: "no member", actor: actor(bob), users: []int64{carol, 7}, member: onlyCarol, want: ErrUserNotParticipant},
		{
			name: "again", actor: actor(bob), users: []int64{carol}, want: ErrAlreadyInvited,
			prepare: func(c *Call) { c.Invited([]int64{carol}) },
		},
		{
			name: "partly again", actor: actor(bob), users: []int64{carol, 7}, fresh: []int64{7},
			prepare: func(c *Call) { c.Invited([]int64{carol}) },
		},
		{
			name: "livestream", actor: actor(bob), users: []int64{carol}, want: ErrChatType,
			prepare: func(c *Call) { c.rec.Broadcast = true },
		},
		{
			name: "as a channel", actor: actor(bob), users: []int64{carol}, want: ErrInviteJoinAs,
			prepare: func(c *Call) {
				r := request(bob, 200)
				r.As = peer.OfChannel(bob + 100)
				_, _ = c.Join(actor(bob), r, noon)
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCall(t, false)
			if tt.prepare != nil {
				tt.prepare(c)
			}
			if tt.member == nil {
				tt.member = everybody
			}
			fresh, err := c.CheckInvite(tt.actor, tt.users, tt.member)
			wantErr(t, err, tt.want)
			if !slices.Equal(fresh, tt.fresh) {
				t.Errorf("fresh = %v, want %v", fresh, tt.fresh)
			}
		})
	}
}

func TestExportInvite(t *testing.T) {
	public := admin
	public.Public = true
	for _, tt := range []struct {
		name   string
		rights peer.Rights
		speak  bool
		hash   bool
		want   error
	}{
		{"listener link", passerby, false, false, nil},
		{"speaker link", public, true, true, nil},
		{"speaker link by a member", passerby, true, false, ErrForbidden},
		{"private", admin, true, false, ErrPublicMissing},
		{"kicked", kicked, false, false, ErrForbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCall(t, false)
			hash, err := c.ExportInvite(Actor{bob, tt.rights}, tt.speak)
			wantErr(t, err, tt.want)
			if (hash != "") != tt.hash || tt.hash && hash != c.Record().InviteHash {
				t.Errorf("hash = %q", hash)
			}
		})
	}
}
