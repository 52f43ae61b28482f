package directory_test

import (
	"slices"
	"testing"

	"parley/internal/directory"
	"parley/internal/event"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

func TestCreateChat(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	_, _, err := w.CreateChat(ctx, w.alice, " ", nil)
	w.want(err, "CHAT_TITLE_EMPTY")
	_, _, err = w.CreateChat(ctx, w.alice, "x", []int64{12345})
	w.want(err, "USER_ID_INVALID")
	id, _, err := w.CreateChat(ctx, w.alice, "Friends", []int64{w.bob.User, w.alice.User, w.bob.User, w.carol.User})
	w.ok(err)
	if got := w.actions(); !slices.Equal(got, []string{"messageActionChatCreate", "messageActionChatCreate", "messageActionChatCreate"}) {
		t.Errorf("posted %v", got)
	}
	numbers := 0
	for i, e := range w.pub.events {
		raw, ok := e.(event.Raw)
		if !ok {
			continue
		}
		if u, ok := raw.Update.(*tg.UpdateMessageID); ok {
			numbers++
			p, ok := w.pub.events[i+1].(event.Posted)
			if !ok || p.Message.ID != u.ID || p.Message.Box != peer.OfUser(w.alice.User) || raw.User != 0 {
				t.Errorf("updateMessageID %+v stands before %+v", raw, w.pub.events[i+1])
			}
		}
	}
	if numbers != 1 {
		t.Errorf("%d updateMessageID", numbers)
	}
	if list, err := w.Members(ctx, id); err != nil || len(list) != 3 {
		t.Errorf("Members = %v, %v", list, err)
	}
	g, ok := w.view(w.alice, id).(*tg.Chat)
	if !ok || !g.Creator || g.Left || g.ParticipantsCount != 3 || g.Version != 1 || g.AdminRights == nil {
		t.Errorf("creator sees %+v", g)
	}
	full, err := w.FullChat(ctx, w.bob, id.ID)
	w.ok(err)
	w.encodable(full)
	if list := full.FullChat.(*tg.ChatFull).Participants.(*tg.ChatParticipants); len(list.Participants) != 3 || list.Version != 1 {
		t.Errorf("participants %+v", list)
	}
	_, err = w.FullChat(ctx, w.dave, id.ID)
	w.want(err, "CHAT_ID_INVALID")
	_, err = w.VisibleChats(ctx, w.dave.User, []int64{id.ID})
	w.want(err, "CHAT_ID_INVALID")
}

func TestGroupMembers(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	id, _, err := w.CreateChat(ctx, w.alice, "Friends", []int64{w.bob.User})
	w.ok(err)
	add := func(by, who rpc.Caller) error { _, err := w.AddChatUser(ctx, by, id.ID, who.User); return err }
	remove := func(by, who rpc.Caller) error { _, err := w.DeleteChatUser(ctx, by, id.ID, who.User); return err }

	w.want(add(w.dave, w.carol), "CHAT_ID_INVALID") // a stranger
	w.want(add(w.bob, w.alice), "USER_ALREADY_PARTICIPANT")
	w.want(add(w.bob, rpc.Caller{User: 99}), "USER_ID_INVALID")
	w.ok(add(w.bob, w.carol))
	w.want(remove(w.carol, w.bob), "CHAT_ADMIN_REQUIRED")
	w.want(remove(w.alice, w.dave), "USER_NOT_PARTICIPANT")
	w.ok(remove(w.bob, w.carol)) // whom one invited
	if got := w.actions(); len(got) != 3 {
		t.Errorf("%d copies; who is removed is told, too", len(got))
	}
	if _, ok := w.view(w.carol, id).(*tg.ChatForbidden); !ok || !w.rights(w.carol, id).Banned {
		t.Error("who was removed still sees the chat")
	}
	if want := []string{id.String() + " " + peer.OfUser(w.carol.User).String()}; !slices.Equal(w.calls.gone, want) {
		t.Errorf("calls heard of %v, want %v", w.calls.gone, want)
	}
	w.want(add(w.bob, w.carol), "USER_KICKED")
	w.want(add(w.carol, w.carol), "CHAT_ADMIN_REQUIRED")
	w.ok(add(w.alice, w.carol))

	w.want(w.EditChatAdmin(ctx, w.bob, id.ID, w.carol.User, true), "CHAT_ADMIN_REQUIRED")
	w.want(w.EditChatAdmin(ctx, w.alice, id.ID, w.dave.User, true), "USER_NOT_PARTICIPANT")
	w.want(w.EditChatAdmin(ctx, w.alice, id.ID, w.alice.User, true), "USER_CREATOR")
	w.ok(w.EditChatAdmin(ctx, w.alice, id.ID, w.carol.User, true))
	want := peer.Rights{Member: true, Admin: true, ManageCall: true, CanRead: true}
	if got := w.rights(w.carol, id); got != want {
		t.Errorf("admin's rights %+v", got)
	}
	w.ok(remove(w.carol, w.bob)) // an admin
	w.want(remove(w.carol, w.alice), "CHAT_ADMIN_REQUIRED")
	w.ok(remove(w.carol, w.carol)) // leaves
	if g, ok := w.view(w.carol, id).(*tg.Chat); !ok || !g.Left || g.AdminRights != nil {
		t.Errorf("who left sees %+v", g)
	}
	w.want(remove(w.carol, w.carol), "USER_NOT_PARTICIPANT")
	w.ok(add(w.carol, w.carol)) // and comes back
	if w.rights(w.carol, id).Admin {
		t.Error("who left came back as an admin")
	}
	_, err = w.Delete(ctx, w.bob, id)
	w.want(err, "CHAT_ADMIN_REQUIRED")
	_, err = w.Delete(ctx, w.alice, id)
	w.ok(err)
	w.want(add(w.alice, w.dave), "CHAT_ID_INVALID")
}

func TestEditTitle(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	group, _, err := w.CreateChat(ctx, w.alice, "Friends", []int64{w.bob.User})
	w.ok(err)
	public := w.channel(w.bob)
	w.ok(w.SetChannelName(ctx, w.alice, public, "public_group"))
	for _, tt := range []struct {
		who   rpc.Caller
		chat  peer.ID
		title string
		want  string
	}{
		{w.bob, group, "Foes", ""},
		{w.bob, group, "Foes ", "CHAT_NOT_MODIFIED"},
		{w.bob, group, " ", "CHAT_TITLE_EMPTY"},
		{w.carol, group, "x", "CHAT_ID_INVALID"},
		{w.bob, public, "x", "CHAT_ADMIN_REQUIRED"},
		{w.carol, public, "x", "CHAT_ADMIN_REQUIRED"},
		{w.alice, public, "x", ""},
		{w.alice, peer.OfChannel(group.ID), "x", "CHANNEL_INVALID"},
		{w.alice, peer.OfChat(public.ID), "x", "CHAT_ID_INVALID"},
	} {
		_, err := w.EditTitle(ctx, tt.who, tt.chat, tt.title)
		w.want(err, tt.want)
	}
	w.want(w.EditAbout(ctx, w.bob, public, "x"), "CHAT_ADMIN_REQUIRED")
	w.ok(w.EditAbout(ctx, w.alice, public, "About us"))
	w.want(w.EditAbout(ctx, w.alice, public, "About us"), "CHAT_ABOUT_NOT_MODIFIED")
	_, err = w.EditDefaultBanned(ctx, w.bob, group, &tg.ChatBannedRights{InviteUsers: true})
	w.want(err, "CHAT_ADMIN_REQUIRED")
	_, err = w.EditDefaultBanned(ctx, w.alice, group, &tg.ChatBannedRights{InviteUsers: true, ViewMessages: true})
	w.ok(err)
	_, err = w.AddChatUser(ctx, w.bob, group.ID, w.carol.User)
	w.want(err, "CHAT_ADMIN_REQUIRED")
	if g := w.view(w.bob, group).(*tg.Chat); !g.DefaultBannedRights.InviteUsers || g.DefaultBannedRights.ViewMessages {
		t.Errorf("default rights %+v", g.DefaultBannedRights)
	}
}

func TestInviteLinks(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	id := w.channel(w.bob)
	_, err := w.ExportInvite(ctx, w.bob, id, directory.NewInvite{})
	w.want(err, "CHAT_ADMIN_REQUIRED")
	_, err = w.ExportInvite(ctx, w.alice, id, directory.NewInvite{Expires: 5})
	w.want(err, "EXPIRE_DATE_INVALID")
	_, err = w.ExportInvite(ctx, w.alice, id, directory.NewInvite{Limit: -1})
	w.want(err, "USAGE_LIMIT_INVALID")
	once, err := w.ExportInvite(ctx, w.alice, id, directory.NewInvite{Limit: 1})
	w.ok(err)
	first, err := w.ExportInvite(ctx, w.alice, id, directory.NewInvite{})
	w.ok(err)

	for hash, want := range map[string]string{"": "INVITE_HASH_EMPTY", "no-such-hash": "INVITE_HASH_INVALID"} {
		_, err = w.CheckInvite(ctx, w.carol, hash)
		w.want(err, want)
		_, err = w.ImportInvite(ctx, w.carol, hash)
		w.want(err, want)
	}
	look, err := w.CheckInvite(ctx, w.carol, directory.ParseInvite(once.Link))
	w.ok(err)
	w.encodable(look)
	if i, ok := look.(*tg.ChatInvite); !ok || i.Title != "Group" || i.ParticipantsCount != 2 || !i.Megagroup {
		t.Errorf("link shows %+v", look)
	}
	_, err = w.ImportInvite(ctx, w.carol, directory.ParseInvite(once.Link))
	w.ok(err)
	if got := w.actions(); !slices.Equal(got, []string{"messageActionChatJoinedByLink"}) {
		t.Errorf("posted %v", got)
	}
	_, err = w.ImportInvite(ctx, w.carol, directory.ParseInvite(once.Link))
	w.want(err, "USER_ALREADY_PARTICIPANT")
	_, err = w.ImportInvite(ctx, w.dave, directory.ParseInvite(once.Link))
	w.want(err, "INVITE_HASH_EXPIRED") // used up
	if look, err := w.CheckInvite(ctx, w.carol, directory.ParseInvite(first.Link)); err != nil || look.TypeName() != "chatInviteAlready" {
		t.Errorf("member sees %v, %v", look, err)
	}
	_, full, err := w.FullChannel(ctx, w.alice, id.ID)
	w.ok(err)
	if inv, ok := full.FullChat.(*tg.ChannelFull).ExportedInvite.(*tg.ChatInviteExported); !ok || inv.Link != first.Link {
		t.Errorf("full chat has invite %+v", inv)
	}
	_, err = w.ExportInvite(ctx, w.alice, id, directory.NewInvite{Replace: true})
	w.ok(err)
	_, err = w.ImportInvite(ctx, w.dave, directory.ParseInvite(first.Link))
	w.want(err, "INVITE_HASH_EXPIRED") // revoked
	_, err = w.RevokeInvite(ctx, w.bob, id, once.Link)
	w.want(err, "CHAT_ADMIN_REQUIRED")
	_, err = w.RevokeInvite(ctx, w.alice, id, once.Link)
	w.ok(err)

	group, _, err := w.CreateChat(ctx, w.alice, "Friends", nil)
	w.ok(err)
	link, err := w.ExportInvite(ctx, w.alice, group, directory.NewInvite{})
	w.ok(err)
	_, err = w.ImportInvite(ctx, w.dave, directory.ParseInvite(link.Link))
	w.ok(err) // a stranger to the basic group
	if !w.rights(w.dave, group).Member {
		t.Error("the link did not lead in")
	}
}
