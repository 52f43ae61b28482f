package directory_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"parley/internal/directory"
)

// TestCallsHearLast changes who may see a chat: its call hears of that when all
// have been told, also if telling them fails, and of nothing that was refused.
func TestCallsHearLast(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	id := w.channel(w.bob)
	var failed error
	w.pub.told = func() error { w.calls.note("told"); return failed }
	ban := func(user int64) error {
		_, err := w.EditBanned(ctx, w.alice, directory.Ban{Channel: id.ID, User: user, Rights: directory.BanView})
		return err
	}
	name := func(name string) error { return w.SetChannelName(ctx, w.alice, id, name) }
	gone := func(user int64) string { return fmt.Sprintf("%s user %d", id, user) }
	for _, tt := range []struct {
		what string
		do   func() error
		want []string
	}{
		{"public", func() error { return name("the_group") }, []string{"told"}},
		{"kick a member", func() error { return ban(w.bob.User) }, []string{"told", gone(w.bob.User)}},
		{"ban a guest", func() error { return ban(w.carol.User) }, []string{"told", gone(w.carol.User)}},
		{"another name", func() error { return name("our_group") }, []string{"told"}},
		{"private", func() error { return name("") }, []string{"told", id.String() + " hidden"}},
		{"delete", func() error { _, err := w.Delete(ctx, w.alice, id); return err }, []string{"told", id.String()}},
	} {
		w.calls.gone = nil
		w.ok(tt.do())
		if !slices.Equal(w.calls.gone, tt.want) {
			t.Errorf("%s: %q, want %q", tt.what, w.calls.gone, tt.want)
		}
	}

	id = w.channel(w.bob)
	w.calls.gone, failed = nil, errors.New("nobody can be told")
	if err := ban(w.bob.User); !errors.Is(err, failed) {
		t.Errorf("ban: %v", err)
	}
	if want := []string{"told", gone(w.bob.User)}; !slices.Equal(w.calls.gone, want) {
		t.Errorf("with nobody told: %q, want %q", w.calls.gone, want)
	}
	w.calls.gone = nil
	if err := ban(w.alice.User); err == nil || len(w.calls.gone) != 0 {
		t.Errorf("refused with %v: %q", err, w.calls.gone)
	}
}
