package app_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/coder/websocket"
)

// TestCrash goes on with the data directory as it is right after a start was
// acknowledged, while the server runs: what a crash leaves.
func TestCrash(t *testing.T) {
	s := start(t, config(dataDir(t)))
	owner, member := s.user(t, "9996625001"), s.user(t, "9996625002")
	p := owner.supergroup("Crash", false, member)
	call := owner.schedule(p)
	member.must("phone.toggleGroupCallStartSubscription", object{"call": call, "subscribed": true})
	owner.must("phone.startScheduledGroupCall", object{"call": call})
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	before := owner.state(call, p)
	pts := at(member.must("updates.getState", nil), "pts")
	s.stop()

	s = start(t, config(dir))
	owner.url, member.url = s.http, s.http
	after := owner.state(call, p)
	if after.version < before.version || after.pts != before.pts {
		t.Errorf("after the crash %+v, before %+v", after, before)
	}
	agree(t, member, p, call)
	if got := at(member.must("updates.getState", nil), "pts"); got != pts {
		t.Errorf("pts %v, before %v", got, pts)
	}
	owner.refused("phone.startScheduledGroupCall", object{"call": call}, "403 GROUPCALL_ALREADY_STARTED")
	owner.must("phone.discardGroupCall", object{"call": call})
}

// counters is what may never go back.
type counters struct{ version, pts float64 }

func (c *client) state(call object, p place) counters {
	c.t.Helper()
	v, _ := at(c.must("phone.getGroupCall", object{"call": call, "limit": 1}), "call", "version").(float64)
	pts, _ := at(c.full(p), "full_chat", "pts").(float64)
	if v == 0 || pts == 0 {
		c.t.Fatalf("version %v, pts %v", v, pts)
	}
	return counters{v, pts}
}

// TestStop checks what a clean stop leaves: nothing that listens, and no
// client.json.
func TestStop(t *testing.T) {
	s := start(t, config(dataDir(t)))
	l := s.user(t, "9996625003").listen()
	name := filepath.Join(s.dir, "client.json")
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("client.json: %v, %v", info, err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var file object
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"tcp", "ws", "http", "media", "public_key", "fingerprint", "mtproxy_secret", "api_hash"} {
		if text(file, key) == "" {
			t.Errorf("client.json has no %s", key)
		}
	}
	if file["http"] != s.http || file["ws"] != "ws"+s.http[4:]+"/apiws" || file["dc_id"] != 2.0 || file["api_id"] == nil ||
		at(file, "layers", 0) != 127.0 || at(file, "layers", 1) != 229.0 {
		t.Errorf("client.json is %s", b)
	}
	if resp, err := http.Get(s.http + "/healthz"); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("healthz: %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
	told := make(chan websocket.StatusCode, 1)
	go func() {
		ctx, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		_, _, err := l.conn.Read(ctx)
		told <- websocket.CloseStatus(err)
	}()
	s.stop()
	if code := <-told; code != websocket.StatusGoingAway {
		t.Errorf("the WebSocket was closed with %v", code)
	}
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("client.json is still there: %v", err)
	}
	left, err := fs.Glob(os.DirFS(s.dir), "*")
	if err != nil || len(left) == 0 {
		t.Error(left, err)
	}
	for _, f := range left { // no temporary files, no WAL
		if f != "parley.db" && f != "server.pem" && f != "secret" && f != "lock" && f != "parley.db.lock" {
			t.Errorf("%s is left", f)
		}
	}
}

// TestSilencedAfterCrash: whom an admin muted can't come back unmuted.
func TestSilencedAfterCrash(t *testing.T) {
	s := start(t, config(dataDir(t)))
	w := newWorld(t, s)
	admin, member := w.who["admin"], w.who["member"]
	admin.must("phone.editGroupCallParticipant", w.fill(object{"call": "$active", "participant": "$member.peer", "muted": true}))
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	s.stop()

	s = start(t, config(dir))
	admin.url, member.url = s.http, s.http
	answer := w.join("member", "active")
	self := func(u object) bool { return at(u, "participants", 0, "self") == true }
	entry, _ := at(pick(answer["updates"], "updateGroupCallParticipants", self), "participants", 0).(object)
	if entry["muted"] != true || entry["can_self_unmute"] != nil {
		t.Errorf("came back as %v", entry)
	}
	member.refused("phone.editGroupCallParticipant",
		w.fill(object{"call": "$active", "participant": object{"_": "inputPeerSelf"}, "muted": false}), "403 GROUPCALL_FORBIDDEN")
}
