package app_test

import (
	"slices"
	"testing"
)

// TestPutOut takes guests out of the call of a public group who may not see it
// any more: they can't come back.
func TestPutOut(t *testing.T) {
	w := newWorld(t, start(t, config(dataDir(t))))
	owner, guest := w.who["owner"], w.who["stranger"]
	w.join("member", "open.call")
	heard := guest.listen()
	name := func(name string) {
		owner.must2("channels.updateUsername", w.fill(object{"channel": "$open.channel", "username": name}))
	}
	ban := func() {
		owner.must("channels.editBanned", w.fill(object{
			"channel": "$open.channel", "participant": with(owner.know(guest), object{"_": "inputPeerUser"}),
			"banned_rights": object{"view_messages": true, "until_date": 0},
		}))
	}
	for i, forbid := range []func(){func() { name("") }, ban} {
		w.join("stranger", "open.call")
		forbid()
		heard.next("updateGroupCallParticipants", func(u object) bool { return at(u, "participants", 0, "left") == true })
		guest.refused("phone.joinGroupCall", w.fill(object{
			"call": "$open.call", "join_as": object{"_": "inputPeerSelf"}, "params": "$payload",
		}), "403 CHAT_WRITE_FORBIDDEN")
		got := owner.must("phone.getGroupCall", w.fill(object{"call": "$open.call", "limit": 5}))
		if n := at(got, "call", "participants_count"); n != 1.0 {
			t.Errorf("%v in the call, want 1", n)
		}
		if i == 0 {
			name("open_doors")
		}
	}
	if !slices.ContainsFunc(heard.seen, func(u object) bool { return u["_"] == "updateChannel" }) {
		t.Errorf("who was banned heard of its end in the call first: %v", heard.seen)
	}
}

// TestSpeaks relays that somebody speaks as whom they appear in the call.
func TestSpeaks(t *testing.T) {
	w := newWorld(t, start(t, config(dataDir(t))))
	owner, admin, guest := w.who["owner"], w.who["admin"], w.who["stranger"]
	heard := w.who["member"].listen()
	owner.must("channels.editAdmin", w.fill(object{
		"channel": "$open.channel", "user_id": owner.know(admin), "admin_rights": object{"manage_call": true, "anonymous": true}, "rank": "",
	}))
	speaks := w.fill(object{"peer": "$open.peer", "action": object{"_": "speakingInGroupCallAction"}})
	join := func(c *client, as any, muted bool) {
		c.must("phone.joinGroupCall", w.fill(object{"call": "$open.call", "join_as": as, "muted": muted, "params": "$payload"}))
	}
	guest.refused("messages.setTyping", speaks, "403 GROUPCALL_FORBIDDEN")
	join(admin, "$open.peer", false)
	join(guest, object{"_": "inputPeerSelf"}, true)
	guest.must2("messages.setTyping", speaks) // muted: nobody hears
	admin.must2("messages.setTyping", speaks)
	admin.must2("messages.setTyping", with(speaks, object{"action": object{"_": "sendMessageTypingAction"}}))
	join(guest, object{"_": "inputPeerSelf"}, false)
	guest.must2("messages.setTyping", speaks)
	for _, want := range [][2]string{
		{"speakingInGroupCallAction", "peerChannel"},
		{"sendMessageTypingAction", "peerChannel"},
		{"speakingInGroupCallAction", "peerUser"},
	} {
		u := heard.next("updateChannelUserTyping", func(object) bool { return true })
		if got := [2]string{text(u, "action", "_"), text(u, "from_id", "_")}; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
}
