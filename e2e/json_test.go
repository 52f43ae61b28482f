package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/e2e/harness"
)

// object is a TL object or a method's parameters as JSON.
type object = map[string]any

// jsonClient calls methods over HTTP with a bearer token.
type jsonClient struct {
	server, token string
}

// newJSONClient signs in by code, and up.
func newJSONClient(t *testing.T, s *harness.Server, phone harness.Phone, name string) *jsonClient {
	t.Helper()
	c := &jsonClient{server: s.HTTP}
	c.token, _ = c.must(t, "token", nil)["token"].(string)
	if c.token == "" {
		t.Fatal("no token")
	}
	sent := c.must(t, "auth.sendCode", object{
		"phone_number": phone.Number, "api_id": s.APIID, "api_hash": s.APIHash, "settings": object{"_": "codeSettings"},
	})
	in := object{"phone_number": phone.Number, "phone_code_hash": sent["phone_code_hash"], "phone_code": phone.Code}
	if c.must(t, "auth.signIn", in)["_"] == "auth.authorizationSignUpRequired" {
		c.must(t, "auth.signUp", object{
			"phone_number": phone.Number, "phone_code_hash": sent["phone_code_hash"], "first_name": name, "last_name": "",
		})
	}
	return c
}

// call posts a method and returns its answer and the HTTP status.
func (c *jsonClient) call(t *testing.T, method string, params object) (object, int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), harness.Patience)
	defer stop()
	body, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.server+"/api/"+method, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	var answer object
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%s answered %s: %v", method, text, err)
	}
	return answer, resp.StatusCode
}

// must calls a method that has to succeed.
func (c *jsonClient) must(t *testing.T, method string, params object) object {
	t.Helper()
	answer, status := c.call(t, method, params)
	if status != http.StatusOK {
		t.Fatalf("%s answered %d: %v", method, status, answer)
	}
	return answer
}

// refused calls a method that must fail.
func (c *jsonClient) refused(t *testing.T, method string, params object, code int, name string) {
	t.Helper()
	answer, status := c.call(t, method, params)
	e, _ := answer["error"].(object)
	if status != code || e["name"] != name || e["code"] != float64(code) {
		t.Errorf("%s answered %d: %v, want %d %s", method, status, answer, code, name)
	}
}

// pick returns the first element of a list with the given constructor.
func pick(list any, constructor string) object {
	all, _ := list.([]any)
	for _, e := range all {
		if e, ok := e.(object); ok && e["_"] == constructor {
			return e
		}
	}
	return nil
}

// TestJSON does the main job with nothing but JSON.
func TestJSON(t *testing.T) {
	s := harness.Start(t)
	stranger := &jsonClient{server: s.HTTP}
	stranger.refused(t, "users.getUsers", object{"id": []any{object{"_": "inputUserSelf"}}}, 401, "AUTH_KEY_INVALID")
	c := newJSONClient(t, s, harness.NewPhone(), "Owner")
	next := c.listen(t)

	made := c.must(t, "channels.createChannel", object{"megagroup": true, "title": "JSON", "about": ""})
	channel := pick(made["chats"], "channel")
	at := time.Now().Add(time.Hour).Unix()
	scheduled := c.must(t, "phone.createGroupCall", object{
		"peer":      object{"_": "inputPeerChannel", "channel_id": channel["id"], "access_hash": channel["access_hash"]},
		"random_id": 1, "title": "Weekly", "schedule_date": at,
	})
	call, _ := pick(scheduled["updates"], "updateGroupCall")["call"].(object)
	if call["_"] != "groupCall" || call["schedule_date"] != float64(at) {
		t.Fatalf("scheduled call: %v", scheduled)
	}
	start := object{"call": object{"_": "inputGroupCall", "id": call["id"], "access_hash": call["access_hash"]}}

	started := c.must(t, "phone.startScheduledGroupCall", start)
	if call, _ := pick(started["updates"], "updateGroupCall")["call"].(object); call["_"] != "groupCall" || call["schedule_date"] != nil {
		t.Errorf("started call: %v", started)
	}
	c.refused(t, "phone.startScheduledGroupCall", start, 403, "GROUPCALL_ALREADY_STARTED")
	next("updateGroupCall", func(u object) bool {
		call, _ := u["call"].(object)
		return call["schedule_date"] == nil
	})

	c.refused(t, "phone.noSuchMethod", nil, 400, "METHOD_INVALID")
	c.refused(t, "phone.startScheduledGroupCall", object{"call": 7}, 400, "DATA_JSON_INVALID")
	c.must(t, "phone.discardGroupCall", start)
}

// listen opens a WebSocket of the same sign-in, which is another session of
// it; next waits for an update there, without having asked for anything.
func (c *jsonClient) listen(t *testing.T) (next func(constructor string, is func(object) bool)) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 2*harness.Patience)
	t.Cleanup(stop)
	conn, _, err := websocket.Dial(ctx, "ws"+c.server[len("http"):]+"/api/ws", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + c.token}},
	})
	if err != nil {
		t.Fatal("open the WebSocket:", err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(1 << 20)
	return func(constructor string, is func(object) bool) {
		t.Helper()
		var seen []string
		for {
			_, text, err := conn.Read(ctx)
			if err != nil {
				t.Fatalf("no %s came: %v; before: %v", constructor, err, seen)
			}
			var m struct{ Update object }
			if err := json.Unmarshal(text, &m); err != nil {
				t.Fatalf("message %s: %v", text, err)
			}
			if u := pick(m.Update["updates"], constructor); u != nil && is(u) {
				return
			}
			seen = append(seen, fmt.Sprintf("%.200s", text))
		}
	}
}
