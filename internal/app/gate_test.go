package app_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"parley/internal/tg"
)

// TestGate calls every method of the schema with nothing in it, as nobody, as
// a bot and as a user. Those that testdata does not name are for users only.
func TestGate(t *testing.T) {
	b, err := os.ReadFile("testdata/gate.json")
	if err != nil {
		t.Fatal(err)
	}
	var is struct {
		Open, Bots []string
		Refused    []string // pass the gate and are refused
		Unserved   []string
	}
	if err := json.Unmarshal(b, &is); err != nil {
		t.Fatal(err)
	}
	s := start(t, config(dataDir(t)))
	nobody, bot, user := s.client(t), s.bot(t, "7002:token"), s.user(t, "9996623001")
	const unknown, unsigned, noBots = "400 METHOD_INVALID", "401 AUTH_KEY_UNREGISTERED", "400 BOT_METHOD_INVALID"
	for _, method := range tg.Names(true) {
		if slices.Contains(is.Unserved, method) {
			for _, c := range []*client{nobody, bot, user} {
				c.refused(method, nil, unknown)
			}
			continue
		}
		opens := slices.Contains(is.Open, method)
		if got := nobody.fails(method, nil); (got == unsigned) == opens || got == unknown {
			t.Errorf("%s tells nobody %q", method, got)
		}
		if got := bot.fails(method, nil); (got == noBots) == (opens || slices.Contains(is.Bots, method)) || got == unknown {
			t.Errorf("%s tells a bot %q", method, got)
		}
		got := user.fails(method, nil)
		if slices.Contains([]string{unsigned, noBots, "500 INTERNAL"}, got) || (got == unknown) != slices.Contains(is.Refused, method) {
			t.Errorf("%s tells a user %q", method, got)
		}
		if method == "auth.logOut" || method == "auth.resetAuthorizations" { // they have done what they say
			bot, user = s.bot(t, "7002:token"), s.user(t, "9996623001")
		}
	}
	nobody.refused("phone.noSuchMethod", nil, unknown)
	nobody.refused("groupCall", nil, unknown) // no method
	nobody.refused("help.getConfig", object{"no_such_field": 1}, "400 DATA_JSON_INVALID")
}
