package app_test

import (
	"testing"
)

// TestLoginToken signs a client in by the token that another accepts.
func TestLoginToken(t *testing.T) {
	s := start(t, config(dataDir(t)))
	user, fresh := s.user(t, "9996626001"), s.client(t)
	ask := object{"api_id": 1, "api_hash": "x"}
	token := fresh.must("auth.exportLoginToken", ask)
	if token["_"] != "auth.loginToken" {
		t.Fatal(token)
	}
	s.bot(t, "7003:token").refused("auth.acceptLoginToken", object{"token": token["token"]}, "400 BOT_METHOD_INVALID")
	user.refused("auth.acceptLoginToken", object{"token": "AAAA"}, "400 AUTH_TOKEN_INVALID")
	fresh.refused("users.getUsers", object{"id": []any{object{"_": "inputUserSelf"}}}, "401 AUTH_KEY_UNREGISTERED")
	user.must("auth.acceptLoginToken", object{"token": token["token"]})
	if got := fresh.must("auth.exportLoginToken", ask); text(got, "authorization", "user", "id") != user.id {
		t.Errorf("after the token was accepted: %v", got)
	}
	if list, _ := user.must("account.getAuthorizations", nil)["authorizations"].([]any); len(list) != 2 {
		t.Errorf("%d logins, want 2", len(list))
	}
	user.must2("auth.resetAuthorizations", nil)
	fresh.refused("updates.getState", nil, "401 AUTH_KEY_UNREGISTERED")
}

// TestAnotherUser signs in again with a token, as somebody else: what the
// first one is told no longer comes.
func TestAnotherUser(t *testing.T) {
	s := start(t, config(dataDir(t)))
	first, friend := s.user(t, "9996626002"), s.user(t, "9996626003")
	heard := first.listen()
	again := s.bot(t, "7004:token")
	first.must("auth.importBotAuthorization", object{"api_id": 1, "api_hash": "x", "bot_auth_token": "7004:token"})
	friend.must("messages.sendMessage", object{
		"peer":    object{"_": "inputPeerUser", "user_id": first.id, "access_hash": friend.know(first)["access_hash"]},
		"message": "for the first one only", "random_id": "1",
	})
	heard.send(object{"id": 1, "method": "users.getUsers", "params": object{"id": []any{object{"_": "inputUserSelf"}}}})
	m := heard.read()
	if m["update"] != nil || text(m, "result", 0, "id") != again.id {
		t.Errorf("got %v", m)
	}
}
