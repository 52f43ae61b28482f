package updates_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"parley/internal/call"
	"parley/internal/event"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// TestBodies: viewers who see the same share one body, which is encoded once
// for each layer.
func TestBodies(t *testing.T) {
	w := newWorld(t)
	bodies := map[int64]rpc.Body{}
	for user := int64(1); user <= 5; user++ {
		session := rpc.NewSession(user, func(b rpc.Body) { bodies[user] = b })
		session.WantUpdates()
		w.Attach(user, session)
	}
	_, err := w.Deliver(t.Context(), rpcServer, []event.Event{event.CallChanged{Info: call.Info{ID: 7, Chat: super, State: call.Active}}})
	if err != nil {
		t.Fatal(err)
	}
	if bodies[2] != bodies[3] || bodies[2] != bodies[5] || bodies[1] == bodies[2] {
		t.Errorf("bodies %v, want one for who manages and one for the others", bodies)
	}
	for _, layer := range []int{0, 127, 131, 200, tg.Layer, 999} {
		first, _ := bodies[2].EncodeLayer(layer)
		again, _ := bodies[2].EncodeLayer(layer)
		var o tg.Object
		if o, err = tg.Decode(first); err != nil || &first[0] != &again[0] {
			t.Errorf("layer %d: %v, encoded twice: %v", layer, err, &first[0] != &again[0])
			continue
		}
		if u, ok := o.(*tg.Updates); !ok || len(u.Updates) != 1 || len(u.Chats) != 1 {
			t.Errorf("layer %d: %v", layer, o)
		}
	}
	text, err := json.Marshal(bodies[2])
	if again, _ := json.Marshal(bodies[2]); err != nil || !strings.Contains(string(text), `"_":"updateGroupCall"`) || !bytes.Equal(text, again) {
		t.Errorf("JSON %s, %v", text, err)
	}
}

// TestRawNames: updates that come ready bring their peers along.
func TestRawNames(t *testing.T) {
	w := newWorld(t)
	c := w.client(1)
	roster := &tg.ChatParticipants{ChatID: group.ID, Participants: []tg.ChatParticipantClass{
		&tg.ChatParticipantCreator{UserID: 1}, &tg.ChatParticipantAdmin{UserID: 2, InviterID: 3}, &tg.ChatParticipant{UserID: 4, InviterID: 5},
	}}
	for _, tt := range []struct {
		update       tg.UpdateClass
		users, chats int
	}{
		{&tg.UpdateChatParticipants{Participants: roster}, 5, 1},
		{&tg.UpdateChatParticipants{Participants: &tg.ChatParticipantsForbidden{ChatID: 100}}, 0, 0},
		{&tg.UpdateUserStatus{UserID: 2, Status: &tg.UserStatusEmpty{}}, 1, 0},
		{&tg.UpdateUserName{UserID: 2}, 1, 0},
		{&tg.UpdateChat{ChatID: 100}, 0, 1},
		{&tg.UpdateChannel{ChannelID: 200}, 0, 1},
		{&tg.UpdateChannelUserTyping{ChannelID: 200, FromID: &tg.PeerChannel{ChannelID: 300}, Action: &tg.SendMessageTypingAction{}}, 0, 2},
		{&tg.UpdateReadHistoryInbox{Peer: &tg.PeerChat{ChatID: 100}}, 0, 1},
	} {
		answer, err := w.Deliver(t.Context(), c.Caller, []event.Event{event.Raw{User: 1, Update: tt.update}})
		if err != nil {
			t.Fatal(err)
		}
		if u := answer.(*tg.Updates); len(u.Users) != tt.users || len(u.Chats) != tt.chats {
			t.Errorf("%s names %d users and %d chats, want %d and %d", tt.update.TypeName(), len(u.Users), len(u.Chats), tt.users, tt.chats)
		}
	}
}

// TestActionNames: service messages bring those they speak of along, and call
// for the attention of who is invited.
func TestActionNames(t *testing.T) {
	w := newWorld(t)
	from := w.client(1)
	for i, tt := range []struct {
		action tg.MessageActionClass
		users  int
	}{
		{&tg.MessageActionChatCreate{Users: []int64{1, 2, 3}}, 3},
		{&tg.MessageActionChatAddUser{Users: []int64{2, 3}}, 3},
		{&tg.MessageActionChatDeleteUser{UserID: 2}, 2},
		{&tg.MessageActionChatJoinedByLink{InviterID: 3}, 2},
		{&tg.MessageActionInviteToGroupCall{Call: w.InputGroupCall(7), Users: []int64{4, 5}}, 3},
	} {
		answer, err := w.run(from, step{commit: draft(tt.action)})
		if err != nil {
			t.Fatal(err)
		}
		if u := answer.(*tg.Updates); len(u.Users) != tt.users || len(u.Updates) != 1 {
			t.Errorf("action %d names %d users, want %d", i, len(u.Users), tt.users)
		}
	}
	for user, mentioned := range map[int64]bool{3: false, 4: true} {
		answer, err := w.Messages(t.Context(), user, super, []int{5})
		if m := answer.(*tg.MessagesChannelMessages).Messages[0].(*tg.MessageService); err != nil || m.Mentioned != mentioned {
			t.Errorf("user %d: mentioned %v, %v", user, m.Mentioned, err)
		}
	}
}
