package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// errorCase is one line of the table: who asks, with which other parameters,
// and what is answered, "" being a success.
type errorCase struct {
	as   string
	more object
	want string
}

// UnmarshalJSON reads the three as a list.
func (e *errorCase) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&e.as, &e.more, &e.want})
}

// methodErrors is what one method answers to whom.
type methodErrors struct {
	Params object
	Bots   bool // may call it, too
	Cases  []errorCase
}

// TestErrors checks every method of group calls against the table of errors
// in testdata. Whoever is nobody, or a bot, is refused by all of them.
func TestErrors(t *testing.T) {
	b, err := os.ReadFile("testdata/phone_errors.json")
	if err != nil {
		t.Fatal(err)
	}
	var table map[string]methodErrors
	if err := json.Unmarshal(b, &table); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, start(t, config(dataDir(t))))
	for method, m := range table {
		t.Run(method, func(t *testing.T) {
			m.Cases = append(m.Cases, errorCase{"nobody", nil, "401 AUTH_KEY_UNREGISTERED"})
			if !m.Bots {
				m.Cases = append(m.Cases, errorCase{"bot", nil, "400 BOT_METHOD_INVALID"})
			}
			if m.Params["call"] != nil && m.Cases[0].want != "400 METHOD_INVALID" {
				for _, call := range []any{"$wrongID", "$wrongHash", object{"_": "inputGroupCallSlug", "slug": "x"}, nil} {
					m.Cases = append(m.Cases, errorCase{"member", object{"call": call}, "400 GROUPCALL_INVALID"})
				}
			}
			for _, e := range m.Cases {
				params := w.fill(with(m.Params, e.more))
				if got := w.who[e.as].fails(method, params); got != e.want {
					t.Errorf("%s with %v: %q, want %q", e.as, e.more, got, e.want)
				}
			}
		})
	}
}

// world is chats in which calls are in every state.
type world struct {
	t    *testing.T
	who  map[string]*client
	vars map[string]any
	ssrc int
}

func newWorld(t *testing.T, s *server) *world {
	t.Helper()
	w := &world{t: t, vars: map[string]any{}, who: map[string]*client{
		"owner": s.user(t, "9996622001"), "admin": s.user(t, "9996622002"), "member": s.user(t, "9996622003"),
		"stranger": s.user(t, "9996622004"), "bot": s.bot(t, "7001:token"), "nobody": s.client(t),
	}}
	owner, admin, member := w.who["owner"], w.who["admin"], w.who["member"]
	for _, name := range []string{"owner", "admin", "member", "stranger"} {
		user := w.who["bot"].asSeen(w.who[name], owner)
		w.vars[name+".user"], w.vars[name+".id"] = user, user["user_id"]
		w.vars[name+".peer"] = with(user, object{"_": "inputPeerUser"})
	}
	calls := map[string]object{}
	for _, name := range []string{"super", "live", "over", "open", "news", "few"} {
		var p place
		if name == "few" {
			p = owner.group(name, admin, member)
		} else {
			p = owner.supergroup(name, name == "news", admin, member)
		}
		promote(owner, admin, p)
		w.vars[name+".peer"], w.vars[name+".channel"], w.vars[name+".id"] = p.peer, p.channel, p.id
		if name == "open" {
			owner.must2("channels.updateUsername", object{"channel": p.channel, "username": "open_house"})
		}
		if name == "few" {
			continue
		}
		calls[name] = owner.schedule(p)
		if name != "super" {
			owner.must("phone.startScheduledGroupCall", object{"call": calls[name]})
		}
	}
	owner.must("phone.discardGroupCall", object{"call": calls["over"]})
	maps.Copy(w.vars, map[string]any{
		"scheduled": calls["super"], "active": calls["live"], "ended": calls["over"],
		"open.call": calls["open"], "news.call": calls["news"],
		"wrongID":   with(calls["live"], object{"id": "999999"}),
		"wrongHash": with(calls["live"], object{"access_hash": "1"}),
	})
	w.join("admin", "active")
	w.join("member", "active")
	w.join("member", "news.call")
	return w
}

// asSeen returns a user as an input.
func (c *client) asSeen(user, by *client) object {
	if user == by {
		return object{"_": "inputUser", "user_id": user.id, "access_hash": user.hash}
	}
	return by.know(user)
}

// join puts somebody into a call and returns the answer.
func (w *world) join(who, call string) object {
	w.t.Helper()
	return w.who[who].must("phone.joinGroupCall", w.fill(object{
		"call": "$" + call, "join_as": object{"_": "inputPeerSelf"}, "params": "$payload",
	}))
}

// fill puts what they stand for in the place of names.
func (w *world) fill(o object) object {
	filled := object{}
	for k, v := range o {
		filled[k] = w.value(v)
	}
	return filled
}

func (w *world) value(v any) any {
	switch v := v.(type) {
	case object:
		return w.fill(v)
	case []any:
		var l []any
		for _, e := range v {
			l = append(l, w.value(e))
		}
		return l
	case string:
		if name, ok := strings.CutPrefix(v, "$"); ok {
			return w.named(name)
		}
	}
	return v
}

func (w *world) named(name string) any {
	if ahead, ok := strings.CutPrefix(name, "now"); ok {
		n, err := strconv.Atoi(ahead)
		if err != nil {
			w.t.Fatal(err)
		}
		return time.Now().Unix() + int64(n)
	}
	if kind, ok := strings.CutPrefix(name, "payload"); ok {
		return object{"_": "dataJSON", "data": w.payload(kind)}
	}
	v, ok := w.vars[name]
	if !ok {
		w.t.Fatalf("there is no $%s", name)
	}
	return v
}

// firstSSRC is whose source is taken: that of the one who joined first.
const firstSSRC = 1001

// payload returns a join payload.
func (w *world) payload(kind string) string {
	p := object{
		"ssrc": firstSSRC + w.ssrc, "ufrag": "abcd", "pwd": "abcdefghijklmnopqrstuvwx",
		"fingerprints": []any{object{
			"hash": "sha-256", "setup": "passive", "fingerprint": strings.TrimSuffix(strings.Repeat("AB:", 32), ":"),
		}},
	}
	switch kind {
	case "":
		w.ssrc++
	case ".many": // one more than the media server takes
		p["ssrc-groups"] = []any{
			object{"semantics": "SIM", "sources": []int{2001, 2002, 2003, 2004, 2005, 2006, 2007, 2008, 2009, 2010}},
			object{"semantics": "SIM", "sources": []int{2011, 2012, 2013, 2014, 2015, 2016, 2017, 2018, 2019, 2020}},
		}
	case ".noPrint":
		delete(p, "fingerprints")
	case ".noSSRC":
		delete(p, "ssrc")
	case ".taken":
		p["ssrc"] = firstSSRC
	default:
		w.t.Fatalf("there is no $payload%s", kind)
	}
	b, err := json.Marshal(p)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

// TestTakingPart joins, looks, changes and leaves.
func TestTakingPart(t *testing.T) {
	w := newWorld(t, start(t, config(dataDir(t))))
	owner, member := w.who["owner"], w.who["member"]
	heard := member.listen()
	source := firstSSRC + w.ssrc
	answer := w.join("owner", "active")
	checkAnswer(t, answer)
	joined := heard.next("updateGroupCallParticipants", func(u object) bool {
		return at(u, "participants", 0, "source") == float64(source)
	})
	if at(joined, "participants", 0, "just_joined") != true || at(joined, "participants", 0, "versioned") != true {
		t.Errorf("others saw %v", joined)
	}
	call := object{"call": w.vars["active"]}
	status, body := owner.post("phone.checkGroupCall", with(call, object{"sources": []int{source, 5}}))
	if status != 200 || strings.TrimSpace(string(body)) != fmt.Sprintf("[%d]", source) {
		t.Errorf("check answered %d %s", status, body)
	}
	got := owner.must("phone.getGroupCall", with(call, object{"limit": 10}))
	if list, _ := got["participants"].([]any); len(list) != 3 || at(got, "call", "participants_count") != 3.0 {
		t.Errorf("getGroupCall answered %v", got)
	}
	if at(owner.must("channels.getFullChannel", object{"channel": w.vars["live.channel"]}), "chats", 0, "call_not_empty") != true {
		t.Error("the chat of a call with participants is not call_not_empty")
	}
	edited := owner.must("phone.editGroupCallParticipant", with(call, object{"participant": w.vars["member.peer"], "muted": true}))
	entry, _ := at(pick(edited["updates"], "updateGroupCallParticipants"), "participants", 0).(object)
	if entry["muted"] != true || entry["can_self_unmute"] != nil {
		t.Errorf("force-mute answered %v", edited)
	}
	member.refused("phone.editGroupCallParticipant",
		with(call, object{"participant": object{"_": "inputPeerSelf"}, "muted": false}), "403 GROUPCALL_FORBIDDEN")
	owner.must("phone.leaveGroupCall", with(call, object{"source": source}))
	heard.next("updateGroupCallParticipants", func(u object) bool { return at(u, "participants", 0, "left") == true })
	owner.refused("phone.checkGroupCall", with(call, object{"sources": []int{source}}), "400 GROUPCALL_JOIN_MISSING")
}

// checkAnswer checks the answer to a join for what clients need (media.md 2.1).
func checkAnswer(t *testing.T, answer object) {
	t.Helper()
	if pick(answer["updates"], "updateGroupCall", started) == nil ||
		at(pick(answer["updates"], "updateGroupCallParticipants"), "participants", 0, "self") != true {
		t.Errorf("join answered %v", answer)
	}
	var params object
	connection := pick(answer["updates"], "updateGroupCallConnection")
	if err := json.Unmarshal([]byte(text(connection, "params", "data")), &params); err != nil {
		t.Fatal(err)
	}
	for _, path := range [][]any{
		{"transport", "ufrag"},
		{"transport", "pwd"},
		{"transport", "fingerprints", 0, "fingerprint"},
		{"transport", "candidates", 0, "id"},
		{"transport", "candidates", 0, "foundation"},
		{"transport", "candidates", 0, "component"},
		{"transport", "candidates", 0, "priority"},
		{"transport", "candidates", 0, "ip"},
		{"transport", "candidates", 0, "port"},
		{"transport", "candidates", 0, "generation"},
		{"transport", "candidates", 0, "network"},
		{"audio", "payload-types", 0, "name"},
		{"audio", "rtp-hdrexts", 0, "uri"},
		{"video", "endpoint"},
		{"video", "payload-types", 0, "name"},
		{"video", "rtp-hdrexts", 0, "uri"},
	} {
		if text(params, path...) == "" {
			t.Errorf("the answer has no %v: %v", path, params)
		}
	}
	for what, want := range map[string]any{"protocol": "udp", "type": "host"} {
		if got := at(params, "transport", "candidates", 0, what); got != want {
			t.Errorf("candidate %s = %v, want %v", what, got, want)
		}
	}
	if at(params, "transport", "fingerprints", 0, "setup") != "active" || at(params, "transport", "rtcp-mux") != true ||
		at(params, "stream") != nil || at(params, "rtmp") != nil || len(at(params, "video", "server_sources").([]any)) != 1 {
		t.Errorf("the answer is %v", params)
	}
}
