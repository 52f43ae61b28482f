package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// listener is a WebSocket's updates.
type listener struct {
	c    *client
	conn *websocket.Conn
	seen []object // single updates that nobody waited for yet
}

// listen opens a WebSocket with the client's token, and says nothing there.
func (c *client) listen() *listener {
	c.t.Helper()
	ctx, stop := context.WithTimeout(c.t.Context(), patience)
	defer stop()
	conn, resp, err := websocket.Dial(ctx, "ws"+c.url[len("http"):]+"/api/ws", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + c.token}},
	})
	if err != nil {
		c.t.Fatal("open the WebSocket: ", err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		c.t.Fatal(resp.Status)
	}
	c.t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(1 << 22)
	return &listener{c: c, conn: conn}
}

func (l *listener) send(o object) {
	l.c.t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		l.c.t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(l.c.t.Context(), patience)
	defer stop()
	if err := l.conn.Write(ctx, websocket.MessageText, b); err != nil {
		l.c.t.Fatal("write: ", err)
	}
}

// read returns the next message.
func (l *listener) read() object {
	l.c.t.Helper()
	ctx, stop := context.WithTimeout(l.c.t.Context(), patience)
	defer stop()
	_, b, err := l.conn.Read(ctx)
	if err != nil {
		l.c.t.Fatalf("read: %v; before: %v", err, l.seen)
	}
	var o object
	if err := json.Unmarshal(b, &o); err != nil {
		l.c.t.Fatalf("message %s: %v", b, err)
	}
	return o
}

// next waits for an update and takes it off what was seen.
func (l *listener) next(constructor string, is func(object) bool) object {
	l.c.t.Helper()
	for {
		for i, u := range l.seen {
			if u["_"] == constructor && is(u) {
				l.seen = append(l.seen[:i], l.seen[i+1:]...)
				return u
			}
		}
		m := l.read()
		list, _ := at(m, "update", "updates").([]any)
		for _, u := range list {
			if o, ok := u.(object); ok {
				l.seen = append(l.seen, o)
			}
		}
	}
}

// place is a chat with its references.
type place struct {
	peer, channel object // channel is nil for a basic group
	id            string
}

// supergroup makes a supergroup, or a broadcast channel, with members.
func (c *client) supergroup(title string, broadcast bool, members ...*client) place {
	c.t.Helper()
	made := c.must("channels.createChannel", object{"title": title, "about": "", "megagroup": !broadcast, "broadcast": broadcast})
	ch := pick(made["chats"], "channel")
	p := place{
		peer:    object{"_": "inputPeerChannel", "channel_id": ch["id"], "access_hash": ch["access_hash"]},
		channel: object{"_": "inputChannel", "channel_id": ch["id"], "access_hash": ch["access_hash"]},
		id:      text(ch, "id"),
	}
	for _, m := range members {
		c.must("channels.inviteToChannel", object{"channel": p.channel, "users": []any{c.know(m)}})
	}
	return p
}

// group makes a basic group.
func (c *client) group(title string, members ...*client) place {
	c.t.Helper()
	var users []any
	for _, m := range members {
		users = append(users, c.know(m))
	}
	made := c.must("messages.createChat", object{"title": title, "users": users})
	id := text(pick(at(made, "updates", "chats"), "chat"), "id")
	return place{peer: object{"_": "inputPeerChat", "chat_id": id}, id: id}
}

// schedule announces a call in an hour and returns it as input.
func (c *client) schedule(p place) object {
	c.t.Helper()
	u := c.must("phone.createGroupCall", object{
		"peer": p.peer, "random_id": int(time.Now().UnixNano() & 0x7fffffff), "title": "Weekly",
		"schedule_date": time.Now().Add(time.Hour).Unix(),
	})
	return inputCall(pick(u["updates"], "updateGroupCall"))
}

// inputCall returns the reference to the call of an updateGroupCall.
func inputCall(update object) object {
	return object{"_": "inputGroupCall", "id": text(update, "call", "id"), "access_hash": text(update, "call", "access_hash")}
}

// full returns the full chat.
func (c *client) full(p place) object {
	c.t.Helper()
	if p.channel == nil {
		return c.must("messages.getFullChat", object{"chat_id": p.id})
	}
	return c.must("channels.getFullChannel", object{"channel": p.channel})
}

func started(u object) bool {
	return text(u, "call", "_") == "groupCall" && at(u, "call", "schedule_date") == nil
}

// action returns a test of new messages for their action.
func action(name string, has func(a object) bool) func(object) bool {
	return func(u object) bool {
		a, _ := at(u, "message", "action").(object)
		return a["_"] == name && has(a)
	}
}

func hasDuration(a object) bool { return a["duration"] != nil }
func noDuration(a object) bool  { return a["duration"] == nil }

// TestStory is what the server is for: a call is announced, somebody waits for
// it, it is started early, and everybody who should know knows.
func TestStory(t *testing.T) {
	s := start(t, config(dataDir(t)))
	owner, admin, member := s.user(t, "9996621001"), s.user(t, "9996621002"), s.user(t, "9996621003")
	for name, found := range map[string]func() place{
		"supergroup": func() place { return owner.supergroup("Story", false, admin, member) },
		"broadcast":  func() place { return owner.supergroup("News", true, admin, member) },
		"group":      func() place { return owner.group("Few", admin, member) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range []*client{owner, admin, member} {
				c.t = t
			}
			p := found()
			promote(owner, admin, p)
			tellStory(t, owner, admin, member, p)
		})
	}
}

// promote lets somebody manage calls.
func promote(owner, admin *client, p place) {
	owner.t.Helper()
	user := owner.know(admin)
	if p.channel == nil {
		owner.must2("messages.editChatAdmin", object{"chat_id": p.id, "user_id": user, "is_admin": true})
		return
	}
	owner.must("channels.editAdmin", object{
		"channel": p.channel, "user_id": user, "admin_rights": object{"manage_call": true}, "rank": "host",
	})
}

// must2 calls a method that has to answer something.
func (c *client) must2(method string, params any) {
	c.t.Helper()
	if status, body := c.post(method, params); status != http.StatusOK {
		c.t.Fatalf("%s answered %d %s", method, status, body)
	}
}

func tellStory(t *testing.T, owner, admin, member *client, p place) {
	t.Helper()
	message := "updateNewChannelMessage"
	if p.channel == nil {
		message = "updateNewMessage"
	}
	pushed := member.listen()
	ref := admin.schedule(p)
	start := object{"call": ref}
	scheduled := pushed.next("updateGroupCall", func(u object) bool { return at(u, "call", "schedule_date") != nil })
	if inputCall(scheduled)["id"] != ref["id"] {
		t.Errorf("pushed %v", scheduled)
	}
	pushed.next(message, action("messageActionGroupCallScheduled", noDuration))
	on := member.must("phone.toggleGroupCallStartSubscription", object{"call": ref, "subscribed": true})
	if at(pick(on["updates"], "updateGroupCall"), "call", "schedule_start_subscribed") != true {
		t.Errorf("subscribed: %v", on)
	}

	member.refused("phone.startScheduledGroupCall", start, "403 GROUPCALL_FORBIDDEN")
	answer := admin.must("phone.startScheduledGroupCall", start)
	if pick(answer["updates"], "updateGroupCall", started) == nil ||
		pick(answer["updates"], message, action("messageActionGroupCall", noDuration)) == nil {
		t.Errorf("start answered %v", answer)
	}
	pushed.next("updateGroupCall", started)
	pushed.next(message, action("messageActionGroupCall", noDuration))
	pushed.next("updateNewMessage", func(u object) bool { return text(u, "message", "peer_id", "user_id") == "777000" })
	owner.refused("phone.startScheduledGroupCall", start, "403 GROUPCALL_ALREADY_STARTED")
	agree(t, member, p, ref)

	ended := owner.must("phone.discardGroupCall", start)
	gone := pick(ended["updates"], "updateGroupCall")
	if text(gone, "call", "_") != "groupCallDiscarded" || at(gone, "call", "duration") == nil {
		t.Errorf("discard answered %v", ended)
	}
	pushed.next("updateGroupCall", func(u object) bool { return text(u, "call", "_") == "groupCallDiscarded" })
	pushed.next(message, action("messageActionGroupCall", hasDuration))
	if full := member.full(p); at(full, "full_chat", "call") != nil || at(full, "chats", 0, "call_active") != nil {
		t.Errorf("a call that ended is still in %v", full)
	}
	_ = pushed.conn.Close(websocket.StatusNormalClosure, "")
}

// agree checks that all places that show a started call show the same.
func agree(t *testing.T, c *client, p place, ref object) {
	t.Helper()
	full := c.full(p)
	if got := at(full, "full_chat", "call"); fmt.Sprint(got) != fmt.Sprint(ref) {
		t.Errorf("the full chat has %v, want %v", got, ref)
	}
	if at(full, "chats", 0, "call_active") != true || at(full, "chats", 0, "call_not_empty") != nil {
		t.Errorf("the chat is %v", at(full, "chats", 0))
	}
	got := c.must("phone.getGroupCall", object{"call": ref, "limit": 3})
	if !started(got) || at(got, "call", "participants_count") != 0.0 {
		t.Errorf("getGroupCall answered %v", got)
	}
	history := c.must("messages.getHistory", object{"peer": p.peer, "limit": 10})
	if text(history, "messages", 0, "action", "_") != "messageActionGroupCall" ||
		text(history, "messages", 1, "action", "_") != "messageActionGroupCallScheduled" {
		t.Errorf("history %v", history["messages"])
	}
}
