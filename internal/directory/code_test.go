package directory

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// lastCode is a sink that keeps one code.
type lastCode struct{ code string }

func (l *lastCode) SendCode(_ context.Context, _, code string) error {
	l.code = code
	return nil
}

func TestCodeExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink lastCode
		c := newCodes(&sink, false)
		hash, err := c.send(t.Context(), "12345")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(codeLife - time.Second)
		if err := c.verify("12345", hash, sink.code); err != nil {
			t.Errorf("just before the end: %v", err)
		}
		if err := c.verified("12345", hash); err != nil {
			t.Errorf("sign-up: %v", err)
		}
		time.Sleep(2 * time.Second)
		if err := c.verify("12345", hash, sink.code); !errors.Is(err, errCodeExpired) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestCodesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCodes(&lastCode{}, true)
		for range maxCodes + 10 {
			if _, err := c.send(t.Context(), "9996612345"); err != nil {
				t.Fatal(err)
			}
		}
		if len(c.sent) > maxCodes || len(c.order) > maxCodes {
			t.Errorf("%d codes, %d in order", len(c.sent), len(c.order))
		}
		time.Sleep(2 * codeLife)
		if _, err := c.send(t.Context(), "9996612345"); err != nil || len(c.sent) != 1 {
			t.Errorf("%d codes left after all expired, %v", len(c.sent), err)
		}
	})
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(2, time.Minute)
		for i, want := range []string{"", "", "420 FLOOD_WAIT_60", "420 FLOOD_WAIT_60"} {
			if err := l.take("a", 1); want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
				t.Errorf("take %d: %v, want %q", i, err, want)
			}
		}
		if err := l.take("b", 1); err != nil {
			t.Errorf("another key waits, too: %v", err)
		}
		time.Sleep(time.Minute)
		if err := l.take("a", 1); err != nil {
			t.Errorf("after the wait: %v", err)
		}
		time.Sleep(time.Hour)
		if l.sweep(time.Now()); len(l.buckets) != 0 {
			t.Errorf("%d keys kept", len(l.buckets))
		}
	})
}

// What was read before a change and arrives after it is not kept.
func TestCacheKeepsNothingStale(t *testing.T) {
	c := newCache[int, string](2)
	read := func(value string, meanwhile func()) func([]int) (map[int]string, error) {
		return func([]int) (map[int]string, error) {
			meanwhile()
			return map[int]string{1: value}, nil
		}
	}
	if got, _ := c.load([]int{1}, read("old", func() { c.drop(1) })); got[1] != "old" {
		t.Errorf("first load = %v", got)
	}
	if got, _ := c.load([]int{1}, read("new", func() {})); got[1] != "new" {
		t.Errorf("load after the change = %v", got)
	}
	if got, _ := c.load([]int{1}, read("none", func() { t.Error("not cached") })); got[1] != "new" {
		t.Errorf("third load = %v", got)
	}
	broken := errors.New("broken")
	if _, err := c.one(7, func() (string, error) { return "", broken }); !errors.Is(err, broken) {
		t.Errorf("error of read: %v", err)
	}
	for i := range 10 {
		_, _ = c.one(i, func() (string, error) { return "x", nil })
	}
	if len(c.rows) > 2 {
		t.Errorf("%d rows in a cache of 2", len(c.rows))
	}
}

func TestBansEnd(t *testing.T) {
	kicked := Member{User: 1, Status: Kicked, Banned: BanView, Until: 100}
	if m := kicked.at(99); m.Status != Kicked {
		t.Errorf("before the end: %+v", m)
	}
	if m := kicked.at(100); m.Status != Left || m.Banned != 0 {
		t.Errorf("after the end: %+v", m)
	}
	restricted := Member{User: 1, Status: Joined, Banned: BanInvite}
	if m := restricted.at(1 << 40); m.Banned != BanInvite {
		t.Errorf("a ban for ever ended: %+v", m)
	}
}

func TestRightsBits(t *testing.T) {
	for i := range 32 {
		admin := adminRights(1 << i)
		if got := AdminBits(&admin); got != 0 && got != 1<<i {
			t.Errorf("admin bit %d became %b", i, got)
		}
		ban := banRights(1<<i, 5)
		if got := BanBits(&ban); got != 0 && got != 1<<i {
			t.Errorf("ban bit %d became %b", i, got)
		}
	}
	if all := adminRights(allAdminRights); AdminBits(&all) != allAdminRights || all.Anonymous || !all.ManageCall {
		t.Errorf("all rights are %+v", all)
	}
}

// TestRules holds the table of who may do what.
func TestRules(t *testing.T) {
	group := Chat{Creator: 1}
	group.ID.Kind, group.ID.ID = 2, 10
	channel := Chat{Creator: 1}
	channel.ID.Kind, channel.ID.ID = 3, 10
	public, deleted, news := channel, channel, channel
	public.Username, deleted.Deleted, news.Broadcast = "name", true, true
	in := Member{User: 2, Status: Joined}
	admin := Member{User: 2, Status: Joined, Admin: true, Rights: ManageCall}
	for _, tt := range []struct {
		name   string
		chat   Chat
		m      Member
		rights string // of creator admin manage member read
	}{
		{"creator", channel, Member{User: 1, Status: Joined, Admin: true}, "creator admin manage member read"},
		{"creator who left", group, Member{User: 1, Status: Left}, ""},
		{"member", channel, in, "member read"},
		{"admin of a group", group, admin, "admin manage member read"},
		{"admin", channel, admin, "admin manage member read"},
		{"admin without", channel, Member{User: 2, Status: Joined, Admin: true, Rights: BanUsers}, "admin member read"},
		{"admin who left", channel, Member{User: 2, Status: Left, Admin: true, Rights: ManageCall}, ""},
		{"stranger", channel, Member{User: 2}, ""},
		{"stranger, public", public, Member{User: 2}, "read"},
		{"kicked, public", public, Member{User: 2, Status: Kicked}, ""},
		{"deleted", deleted, Member{User: 1, Status: Joined}, ""},
		{"subscriber", news, in, "member read"},
	} {
		r := tt.chat.rights(tt.m)
		var got []string
		for _, one := range []struct {
			name string
			has  bool
		}{{"creator", r.Creator}, {"admin", r.Admin}, {"manage", r.ManageCall}, {"member", r.Member}, {"read", r.CanRead}} {
			if one.has {
				got = append(got, one.name)
			}
		}
		if s := strings.Join(got, " "); s != tt.rights {
			t.Errorf("%s: %q, want %q", tt.name, s, tt.rights)
		}
	}
	if news.lets(in, InviteUsers, BanInvite) || !channel.lets(in, InviteUsers, BanInvite) {
		t.Error("members invite into supergroups, subscribers don't into channels")
	}
}

func FuzzParsePhone(f *testing.F) {
	for _, s := range []string{"+1 (234) 567-89", "9996612345", "", "+", "٣٤٥٦٧٨", "1234567890123456"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		digits, ok := parsePhone(s)
		if !ok {
			return
		}
		if len(digits) < minPhone || len(digits) > maxPhone || strings.Trim(digits, "0123456789") != "" {
			t.Errorf("parsePhone(%q) = %q", s, digits)
		}
		if again, ok := parsePhone("+" + digits); !ok || again != digits {
			t.Errorf("parsePhone(+%s) = %q", digits, again)
		}
		if code, ok := devCode(digits); ok && (len(code) != CodeLength || strings.Count(code, code[:1]) != CodeLength) {
			t.Errorf("devCode(%s) = %q", digits, code)
		}
	})
}

func FuzzUsername(f *testing.F) {
	for _, s := range []string{"alice", "a_b_c", "ab__c", "абвгде", "alice_", "1alice"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !validUsername(s) {
			return
		}
		if len(s) < minUsername || len(s) > maxUsername || strings.ToValidUTF8(s, "") != s {
			t.Errorf("%q is no username", s)
		}
		if strings.ContainsFunc(s, func(r rune) bool { return r > 'z' }) {
			t.Errorf("%q has a foreign letter", s)
		}
	})
}

func FuzzToken(f *testing.F) {
	for _, s := range []string{"1:a", "7123456789:AAF-x_y", ":", "1:", "-1:a", "+1:a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := parseToken(s); ok && (n <= 0 || len(s) > maxToken || !strings.Contains(s, ":")) {
			t.Errorf("parseToken(%q) = %d", s, n)
		}
	})
}

func FuzzInvite(f *testing.F) {
	for _, s := range []string{"https://t.me/+abc", "t.me/joinchat/abc", "tg://join?invite=abc", "abc", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := ParseInvite(s); len(got) > len(s) || !strings.HasSuffix(s, got) {
			t.Errorf("ParseInvite(%q) = %q", s, got)
		}
	})
}
