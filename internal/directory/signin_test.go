package directory_test

import (
	"path/filepath"
	"strings"
	"testing"

	"parley/internal/directory"
	"parley/internal/peer"
)

func TestSignInAndUp(t *testing.T) {
	w := openWorld(t, "sqlite::memory:", true)
	ctx := t.Context()
	key := directory.Authorization{Key: 1, Device: "a phone"}
	hash, err := w.SendCode(ctx, "+99966 1 2345")
	w.ok(err)
	_, err = w.SignIn(ctx, key, "9996612345", hash, "22222")
	w.want(err, "PHONE_CODE_INVALID")
	_, err = w.SignIn(ctx, key, "9996612345", hash, "")
	w.want(err, "PHONE_CODE_EMPTY")
	_, err = w.SignIn(ctx, key, "9996612345", "wrong", "11111")
	w.want(err, "PHONE_CODE_EXPIRED")
	_, err = w.SignIn(ctx, key, "9996612346", hash, "11111")
	w.want(err, "PHONE_CODE_EXPIRED")
	_, err = w.SignUp(ctx, key, "9996612345", hash, "Ann", "")
	w.want(err, "PHONE_CODE_INVALID") // the code was not given yet

	user, err := w.SignIn(ctx, key, "9996612345", hash, "11111")
	w.ok(err)
	if user != 0 {
		t.Fatal("a user was there before anybody signed up")
	}
	_, err = w.SignUp(ctx, key, "9996612345", hash, "  ", "")
	w.want(err, "FIRSTNAME_INVALID")
	user, err = w.SignUp(ctx, key, "9996612345", hash, "Ann", "")
	w.ok(err)
	if user <= 1000000 || user >= 1<<31 {
		t.Errorf("user id %d", user)
	}
	if who, err := w.SignedIn(ctx, 1); err != nil || who.User != user || who.Bot {
		t.Errorf("SignedIn = %+v, %v", who, err)
	}
	_, err = w.SignIn(ctx, key, "9996612345", hash, "11111")
	w.want(err, "PHONE_CODE_EXPIRED") // used up

	key.Key = 2
	hash, err = w.SendCode(ctx, "9996612345")
	w.ok(err)
	if again, err := w.SignIn(ctx, key, "9996612345", hash, "11111"); err != nil || again != user {
		t.Errorf("second sign-in = %d, %v; want %d", again, err, user)
	}
	w.ok(w.LogOut(ctx, 1))
	if who, _ := w.SignedIn(ctx, 1); who.User != 0 {
		t.Error("still signed in after logging out")
	}
	w.want(w.Revoke(ctx, user, 1), "HASH_INVALID")
	w.ok(w.Revoke(ctx, user, 2))
	if list, err := w.Authorizations(ctx, user); err != nil || len(list) != 0 {
		t.Errorf("Authorizations = %v, %v", list, err)
	}
}

func TestSendCodeRefuses(t *testing.T) {
	ctx := t.Context()
	w := openWorld(t, "sqlite::memory:", false)
	for _, phone := range []string{"", "+", "123", "abc12345", "1234567890123456", "12345\x00"} {
		_, err := w.SendCode(ctx, phone)
		w.want(err, "PHONE_NUMBER_INVALID")
	}
	for range 5 {
		_, err := w.SendCode(ctx, "9996612345")
		w.ok(err)
	}
	if code := w.codes["9996612345"]; len(code) != directory.CodeLength {
		t.Errorf("code %q was handed over", code)
	}
	_, err := w.SendCode(ctx, "9996612345")
	if err == nil || !strings.Contains(err.Error(), "420 FLOOD_WAIT_") {
		t.Errorf("sixth code: %v", err)
	}
	hash, err := w.SendCode(ctx, "9996612399")
	w.ok(err)
	for range 5 {
		_, err = w.SignIn(ctx, directory.Authorization{Key: 1}, "9996612399", hash, "x")
		w.want(err, "PHONE_CODE_INVALID")
	}
	_, err = w.SignIn(ctx, directory.Authorization{Key: 1}, "9996612399", hash, w.codes["9996612399"])
	w.want(err, "PHONE_CODE_EXPIRED")
	hash, err = w.ResendCode(ctx, "9996612398", "none")
	w.want(err, "PHONE_CODE_EXPIRED")
	w.want(w.CancelCode("9996612398", hash), "PHONE_CODE_HASH_EMPTY")
}

func TestBotTokens(t *testing.T) {
	w := openWorld(t, "sqlite::memory:", true)
	ctx := t.Context()
	for _, token := range []string{"", "1", "1:", ":a", "x:a", "-1:a", "0:a", "1:a b", "1:" + strings.Repeat("a", 200)} {
		_, err := w.SignInBot(ctx, directory.Authorization{Key: 1}, token)
		w.want(err, "ACCESS_TOKEN_INVALID")
	}
	ids := map[string]int64{}
	for i, token := range []string{"42:secret", "42:other", "7123456789:secret", "777000:secret"} {
		key := directory.Authorization{Key: int64(10 + i)}
		id, err := w.SignInBot(ctx, key, token)
		w.ok(err)
		again, err := w.SignInBot(ctx, key, token)
		w.ok(err)
		if again != id || id <= 0 || id >= 1<<31 || id == peer.Service {
			t.Errorf("token %s: bot %d, then %d", token, id, again)
		}
		if who, err := w.SignedIn(ctx, key.Key); err != nil || who.User != id || !who.Bot {
			t.Errorf("SignedIn = %+v, %v", who, err)
		}
		ids[token] = id
	}
	if ids["42:secret"] != 42 || ids["42:other"] == 42 {
		t.Errorf("bots got ids %v", ids)
	}
	if id, err := w.ByUsername(ctx, "dev_42_bot"); err != nil || id != peer.OfUser(42) {
		t.Errorf("ByUsername = %v, %v", id, err)
	}

	strict := openWorld(t, "sqlite::memory:", false)
	_, err := strict.SignInBot(ctx, directory.Authorization{Key: 1}, "42:secret")
	strict.want(err, "ACCESS_TOKEN_INVALID")
	_, err = strict.AddBot(ctx, "42:secret", "Registered")
	strict.ok(err)
	_, err = strict.SignInBot(ctx, directory.Authorization{Key: 1}, "42:secret")
	strict.ok(err)
}

// The sequence passes over ids that bots took.
func TestIDsAreUnique(t *testing.T) {
	w := openWorld(t, "sqlite::memory:", true)
	_, err := w.SignInBot(t.Context(), directory.Authorization{Key: 1}, "1000002:secret")
	w.ok(err)
	seen := map[int64]bool{1000002: true}
	for _, phone := range []string{"10001", "10002", "10003"} {
		id := w.person(phone, "x").User
		if seen[id] {
			t.Errorf("id %d was given out twice", id)
		}
		seen[id] = true
	}
}

func TestRestart(t *testing.T) {
	ctx := t.Context()
	url := "sqlite:" + filepath.Join(t.TempDir(), "parley.db")
	w := openWorld(t, url, true)
	w.alice, w.bob = w.person("1001", "Alice"), w.person("1002", "Bob")
	w.ok(w.Bind(ctx, directory.Authorization{Key: 77, Device: "x"}, w.alice.User))
	id := w.channel(w.bob)
	w.ok(w.SetChannelName(ctx, w.alice, id, "some_group"))
	w.promote(id, w.bob, directory.ManageCall)
	w.ok(w.SaveDefaultJoinAs(ctx, w.bob, id, peer.OfUser(w.bob.User)))

	again := openWorld(t, url, true)
	again.alice = w.alice
	if who, err := again.SignedIn(ctx, 77); err != nil || who.User != w.alice.User {
		t.Errorf("SignedIn = %+v, %v", who, err)
	}
	if got, err := again.ByUsername(ctx, "@Some_Group"); err != nil || got != id {
		t.Errorf("ByUsername = %v, %v", got, err)
	}
	want := peer.Rights{Member: true, Admin: true, ManageCall: true, CanRead: true, Public: true}
	if got := again.rights(w.bob, id); got != want {
		t.Errorf("rights = %+v, want %+v", got, want)
	}
	if as, err := again.DefaultJoinAs(ctx, w.bob.User, id); err != nil || as != peer.OfUser(w.bob.User) {
		t.Errorf("DefaultJoinAs = %v, %v", as, err)
	}
	if other := again.channel(); other.ID <= id.ID {
		t.Errorf("new id %d after %d", other.ID, id.ID)
	}
}
