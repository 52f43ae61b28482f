package directory_test

import (
	"reflect"
	"slices"
	"testing"

	"parley/internal/directory"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

func TestCreateChannel(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	id, _, err := w.CreateChannel(ctx, w.alice, directory.NewChannel{Title: "News", About: "All of it", Broadcast: true})
	w.ok(err)
	if got := w.actions(); !slices.Equal(got, []string{"messageActionChannelCreate"}) {
		t.Errorf("posted %v", got)
	}
	ch := w.view(w.alice, id).(*tg.Channel)
	if !ch.Creator || ch.Left || !ch.Broadcast || ch.Megagroup || *ch.ParticipantsCount != 1 || !ch.AdminRights.ManageCall || ch.AdminRights.Anonymous {
		t.Errorf("creator sees %+v", ch)
	}
	if id.ID <= 1000000 || id.ID >= 1<<31 {
		t.Errorf("channel id %d", id.ID)
	}
	if got, want := w.rights(w.alice, id), (peer.Rights{Member: true, Creator: true, Admin: true, ManageCall: true, CanRead: true, Broadcast: true}); got != want {
		t.Errorf("rights %+v, want %+v", got, want)
	}
	w.calls.chat, w.calls.id, w.calls.notEmpty = id, 5, true
	if ch := w.view(w.alice, id).(*tg.Channel); !ch.CallActive || !ch.CallNotEmpty {
		t.Error("the call does not show")
	}
	full, res, err := w.FullChannel(ctx, w.alice, id.ID)
	w.ok(err)
	w.encodable(res)
	if call, ok := full.Call.(*tg.InputGroupCall); !ok || call.ID != 5 || full.About != "All of it" || *full.AdminsCount != 1 {
		t.Errorf("full channel %+v", full)
	}
	_, _, err = w.FullChannel(ctx, w.bob, id.ID)
	w.want(err, "CHANNEL_PRIVATE")
	_, _, err = w.FullChannel(ctx, w.bob, 999)
	w.want(err, "CHANNEL_INVALID")
	if ch := w.view(w.bob, id).(*tg.Channel); !ch.Left || ch.AdminRights != nil {
		t.Errorf("stranger sees %+v", ch)
	}
	all, err := w.VisibleChannels(ctx, w.bob.User, []int64{id.ID})
	w.ok(err)
	if _, ok := all[0].(*tg.ChannelForbidden); !ok {
		t.Errorf("getChannels shows a stranger %T", all[0])
	}
}

func TestChannelMembers(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	id := w.channel(w.bob)
	join := func(who rpc.Caller) error { _, err := w.Join(ctx, who, id.ID); return err }
	invite := func(by rpc.Caller, who ...int64) error { _, err := w.Invite(ctx, by, id.ID, who); return err }

	w.want(join(w.carol), "CHANNEL_PRIVATE")
	w.want(join(w.bob), "USER_ALREADY_PARTICIPANT")
	w.want(invite(w.carol, w.dave.User), "CHANNEL_PRIVATE")
	w.want(invite(w.alice, w.bob.User), "USER_ALREADY_PARTICIPANT")
	w.want(invite(w.alice, 99), "USER_ID_INVALID")
	w.want(invite(w.alice, peer.Service), "USER_ID_INVALID")
	w.want(w.SetChannelName(ctx, w.bob, id, "the_group"), "CHAT_ADMIN_REQUIRED")
	w.want(w.SetChannelName(ctx, w.alice, id, "no"), "USERNAME_INVALID")
	w.ok(w.SetChannelName(ctx, w.alice, id, "the_group"))
	w.want(w.SetChannelName(ctx, w.alice, id, "the_group"), "USERNAME_NOT_MODIFIED")
	w.want(w.SetUsername(ctx, w.bob, "The_Group"), "USERNAME_OCCUPIED")
	w.ok(join(w.carol))
	if got := w.actions(); !slices.Equal(got, []string{"messageActionChatAddUser"}) {
		t.Errorf("posted %v", got)
	}
	w.ok(invite(w.bob, w.bob.User, w.dave.User)) // who is in is passed over
	if ch := w.view(w.dave, id).(*tg.Channel); ch.Left || *ch.ParticipantsCount != 4 {
		t.Errorf("invited user sees %+v", ch)
	}
	if ids, err := w.ChatsOf(ctx, w.dave.User); err != nil || !slices.Equal(ids, []peer.ID{id}) {
		t.Errorf("ChatsOf = %v, %v", ids, err)
	}
	_, err := w.Leave(ctx, w.alice, id)
	w.want(err, "USER_CREATOR")
	_, err = w.Leave(ctx, w.dave, id)
	w.ok(err)
	_, err = w.Leave(ctx, w.dave, id)
	w.want(err, "USER_NOT_PARTICIPANT")
	if list, _ := w.Members(ctx, id); len(list) != 3 {
		t.Errorf("members %v", list)
	}
	_, err = w.Delete(ctx, w.alice, id)
	w.ok(err)
	if _, err := w.ByUsername(ctx, "the_group"); err == nil {
		t.Error("a deleted channel keeps its username")
	}
	if _, ok := w.view(w.bob, id).(*tg.ChannelForbidden); !ok {
		t.Error("a deleted channel is still shown")
	}
	w.want(join(w.dave), "CHANNEL_INVALID")
	if !slices.Contains(w.calls.gone, id.String()) {
		t.Error("calls were not told that the chat is gone")
	}
}

func TestEditAdmin(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	id := w.channel(w.bob, w.carol)
	edit := func(by rpc.Caller, who int64, rights directory.AdminRights) error {
		_, err := w.EditAdmin(ctx, by, directory.Promotion{Channel: id.ID, User: who, Rights: rights})
		return err
	}
	w.want(edit(w.bob, w.carol.User, directory.ManageCall), "CHAT_ADMIN_REQUIRED")
	w.want(edit(w.dave, w.carol.User, directory.ManageCall), "CHANNEL_PRIVATE")
	w.want(edit(w.alice, w.dave.User, directory.ManageCall), "USER_NOT_PARTICIPANT")
	w.want(edit(w.alice, 99, directory.ManageCall), "USER_ID_INVALID")
	w.ok(edit(w.alice, w.bob.User, directory.ManageCall|directory.AddAdmins))
	if got, want := w.rights(w.bob, id), (peer.Rights{Member: true, Admin: true, ManageCall: true, CanRead: true}); got != want {
		t.Errorf("rights %+v, want %+v", got, want)
	}
	if ch := w.view(w.bob, id).(*tg.Channel); ch.AdminRights == nil || !ch.AdminRights.ManageCall || ch.AdminRights.BanUsers {
		t.Errorf("admin sees %+v", ch.AdminRights)
	}
	w.want(edit(w.bob, w.alice.User, 0), "USER_CREATOR")
	w.want(edit(w.bob, w.carol.User, directory.BanUsers), "RIGHT_FORBIDDEN")
	w.ok(edit(w.bob, w.carol.User, directory.ManageCall))
	w.want(edit(w.carol, w.bob.User, 0), "CHAT_ADMIN_REQUIRED")
	w.ok(edit(w.alice, w.carol.User, directory.ChangeInfo)) // now alice's admin
	w.want(edit(w.bob, w.carol.User, 0), "CHAT_ADMIN_REQUIRED")
	if w.rights(w.carol, id).ManageCall {
		t.Error("an admin without manage_call may manage calls")
	}
	w.ok(edit(w.alice, w.bob.User, 0))
	if r := w.rights(w.bob, id); r.Admin || !r.Member {
		t.Errorf("demoted admin has %+v", r)
	}
	w.ok(edit(w.alice, w.alice.User, directory.Anonymous))
	if r := w.rights(w.alice, id); !r.Anonymous || !r.ManageCall || !r.Creator {
		t.Errorf("anonymous creator has %+v", r)
	}
	choices, err := w.JoinAs(ctx, w.alice.User, id)
	w.ok(err)
	if want := []peer.ID{id, peer.OfUser(w.alice.User)}; !slices.Equal(choices, want) {
		t.Errorf("JoinAs = %v, want %v", choices, want)
	}
	w.ok(w.SaveDefaultJoinAs(ctx, w.alice, id, id))
	w.want(w.SaveDefaultJoinAs(ctx, w.bob, id, id), "JOIN_AS_PEER_INVALID")
	bot, err := w.AddBot(ctx, "42:x", "Bot")
	w.ok(err)
	w.ok(edit(w.alice, bot, directory.ManageCall)) // enters as an admin
	if !w.rights(rpc.Caller{User: bot}, id).ManageCall {
		t.Error("bot was not promoted")
	}
}

// TestDefaultJoinAs reads a default once, saved or not, and again after it was
// saved.
func TestDefaultJoinAs(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	id, other := w.channel(w.bob), w.channel(w.bob)
	want := func(who rpc.Caller, chat, as peer.ID, reads int) {
		t.Helper()
		w.reads.joinAs = 0
		for range 3 {
			if got, err := w.DefaultJoinAs(ctx, who.User, chat); err != nil || got != as {
				t.Errorf("DefaultJoinAs = %v, %v, want %v", got, err, as)
			}
		}
		if w.reads.joinAs != reads {
			t.Errorf("the store was read %d times, want %d", w.reads.joinAs, reads)
		}
	}
	self := peer.OfUser(w.bob.User)
	want(w.bob, id, peer.ID{}, 1)
	want(w.bob, id, peer.ID{}, 0)
	want(w.bob, other, peer.ID{}, 1)
	w.ok(w.SaveDefaultJoinAs(ctx, w.bob, id, self))
	want(w.bob, id, self, 1)
	want(w.bob, id, self, 0)
	want(w.bob, other, peer.ID{}, 0)
	want(w.alice, id, peer.ID{}, 1)
	if _, full, err := w.FullChannel(ctx, w.bob, id.ID); err != nil || full == nil || w.reads.joinAs != 1 {
		t.Errorf("FullChannel = %v, %v after %d reads, want 1", full, err, w.reads.joinAs)
	}
	w.want(w.SaveDefaultJoinAs(ctx, w.bob, id, id), "JOIN_AS_PEER_INVALID")
	want(w.bob, id, self, 0)
}

func TestEditBanned(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	id := w.channel(w.bob, w.carol)
	w.ok(w.SetChannelName(ctx, w.alice, id, "the_group"))
	ban := func(by rpc.Caller, who int64, rights directory.BanRights) error {
		_, err := w.EditBanned(ctx, by, directory.Ban{Channel: id.ID, User: who, Rights: rights})
		return err
	}
	w.want(ban(w.bob, w.carol.User, directory.BanView), "CHAT_ADMIN_REQUIRED")
	w.want(ban(w.alice, 99, directory.BanView), "PARTICIPANT_ID_INVALID")
	w.want(ban(w.alice, w.alice.User, directory.BanView), "USER_ADMIN_INVALID")
	w.promote(id, w.bob, directory.BanUsers)
	w.want(ban(w.bob, w.alice.User, directory.BanView), "USER_ADMIN_INVALID")
	w.promote(id, w.carol, directory.BanUsers)
	w.want(ban(w.bob, w.carol.User, directory.BanView), "USER_ADMIN_INVALID")
	w.promote(id, w.carol, 0)
	w.ok(ban(w.bob, w.carol.User, directory.BanView))
	if got := w.actions(); !slices.Equal(got, []string{"messageActionChatDeleteUser"}) {
		t.Errorf("posted %v", got)
	}
	if f, ok := w.view(w.carol, id).(*tg.ChannelForbidden); !ok || !f.Megagroup {
		t.Errorf("kicked user sees %T", w.view(w.carol, id))
	}
	if r := w.rights(w.carol, id); !r.Banned || r.CanRead || r.Member {
		t.Errorf("kicked user has %+v", r)
	}
	_, err := w.Join(ctx, w.carol, id.ID)
	w.want(err, "CHANNEL_PRIVATE")
	w.promote(id, w.bob, 0)
	_, err = w.Invite(ctx, w.bob, id.ID, []int64{w.carol.User})
	w.want(err, "USER_KICKED")
	w.ok(ban(w.alice, w.carol.User, 0)) // forgiven, but not in
	if r := w.rights(w.carol, id); r.Banned || r.Member {
		t.Errorf("forgiven user has %+v", r)
	}
	_, err = w.Join(ctx, w.carol, id.ID)
	w.ok(err)
	w.ok(ban(w.alice, w.carol.User, directory.BanInvite))
	_, err = w.Invite(ctx, w.carol, id.ID, []int64{w.dave.User})
	w.want(err, "CHAT_ADMIN_REQUIRED")
	if ch := w.view(w.carol, id).(*tg.Channel); ch.BannedRights == nil || !ch.BannedRights.InviteUsers || ch.Left {
		t.Errorf("restricted user sees %+v", ch)
	}
}

func TestParticipants(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	id := w.channel(w.bob, w.carol, w.dave)
	w.promote(id, w.bob, directory.ManageCall)
	bot, err := w.AddBot(ctx, "42:x", "Robot")
	w.ok(err)
	_, err = w.Invite(ctx, w.alice, id.ID, []int64{bot})
	w.ok(err)
	_, err = w.EditBanned(ctx, w.alice, directory.Ban{Channel: id.ID, User: w.dave.User, Rights: directory.BanView})
	w.ok(err)
	_, err = w.EditBanned(ctx, w.alice, directory.Ban{Channel: id.ID, User: w.carol.User, Rights: directory.BanInvite})
	w.ok(err)
	for _, tt := range []struct {
		filter tg.ChannelParticipantsFilterClass
		want   []int64
	}{
		{&tg.ChannelParticipantsRecent{}, []int64{bot, w.alice.User, w.bob.User, w.carol.User}},
		{&tg.ChannelParticipantsAdmins{}, []int64{w.alice.User, w.bob.User}},
		{&tg.ChannelParticipantsBots{}, []int64{bot}},
		{&tg.ChannelParticipantsKicked{}, []int64{w.dave.User}},
		{&tg.ChannelParticipantsBanned{}, []int64{w.carol.User}},
		{&tg.ChannelParticipantsSearch{Q: "BO"}, []int64{bot, w.bob.User}},
		{&tg.ChannelParticipantsSearch{Q: "%"}, nil},
		{&tg.ChannelParticipantsSearch{Q: "@dev_42"}, []int64{bot}},
		{&tg.ChannelParticipantsContacts{}, nil},
	} {
		res, err := w.Participants(ctx, w.alice, id.ID, tt.filter, 0, 100)
		w.ok(err)
		w.encodable(res)
		var got []int64
		for _, u := range res.Users {
			if u, ok := u.(*tg.User); ok && (slices.Contains(tt.want, u.ID) || len(tt.want) == 0) {
				got = append(got, u.ID)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, tt.want) || res.Count != len(tt.want) || len(res.Participants) != len(tt.want) {
			t.Errorf("%s: users %v, count %d of %d, want %v", tt.filter.TypeName(), got, len(res.Participants), res.Count, tt.want)
		}
	}
	_, err = w.Participants(ctx, w.carol, id.ID, &tg.ChannelParticipantsKicked{}, 0, 10)
	w.want(err, "CHAT_ADMIN_REQUIRED")
	for _, tt := range []struct {
		by   rpc.Caller
		who  int64
		want string // type or error
	}{
		{w.alice, w.alice.User, "channelParticipantCreator"},
		{w.bob, w.bob.User, "channelParticipantAdmin"},
		{w.carol, bot, "channelParticipant"},
		{w.carol, w.carol.User, "channelParticipantBanned"},
		{w.alice, w.dave.User, "channelParticipantBanned"},
		{w.bob, w.dave.User, "USER_NOT_PARTICIPANT"},
		{w.dave, w.bob.User, "CHANNEL_PRIVATE"},
		{w.alice, 99, "PARTICIPANT_ID_INVALID"},
		{w.alice, peer.Service, "USER_NOT_PARTICIPANT"},
	} {
		res, err := w.Participant(ctx, tt.by, id.ID, tt.who)
		if err != nil {
			w.want(err, tt.want)
			continue
		}
		w.encodable(res)
		if res.Participant.TypeName() != tt.want {
			t.Errorf("participant %s, want %s", res.Participant.TypeName(), tt.want)
		}
	}
	page, err := w.Participants(ctx, w.alice, id.ID, &tg.ChannelParticipantsRecent{}, 3, 100)
	if w.ok(err); page.Count != 4 || len(page.Participants) != 1 {
		t.Errorf("last page: %d of %d", len(page.Participants), page.Count)
	}
}

// TestDefaultJoinAsOutlived shows no default that the user may not appear as
// any more: clients would join as it, and be refused.
func TestDefaultJoinAsOutlived(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	id := w.channel(w.bob)
	anonymous := func(rights directory.AdminRights) {
		t.Helper()
		_, err := w.EditAdmin(ctx, w.alice, directory.Promotion{Channel: id.ID, User: w.alice.User, Rights: rights})
		w.ok(err)
	}
	shows := func(want tg.PeerClass) {
		t.Helper()
		full, _, err := w.FullChannel(ctx, w.alice, id.ID)
		w.ok(err)
		if !reflect.DeepEqual(full.GroupcallDefaultJoinAs, want) {
			t.Errorf("default = %v, want %v", full.GroupcallDefaultJoinAs, want)
		}
	}
	anonymous(directory.Anonymous)
	w.ok(w.SaveDefaultJoinAs(ctx, w.alice, id, id))
	shows(&tg.PeerChannel{ChannelID: id.ID})
	anonymous(0)
	shows(nil)
	anonymous(directory.Anonymous)
	shows(&tg.PeerChannel{ChannelID: id.ID})
	w.ok(w.SaveDefaultJoinAs(ctx, w.alice, id, peer.OfUser(w.alice.User)))
	shows(&tg.PeerUser{UserID: w.alice.User})
}

// TestJoinAsOfNoChat answers what clients know from these two methods.
func TestJoinAsOfNoChat(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	deleted := w.channel()
	_, err := w.Delete(ctx, w.alice, deleted)
	w.ok(err)
	for chat, name := range map[peer.ID]string{peer.OfChat(12345): "PEER_ID_INVALID", deleted: "CHANNEL_INVALID"} {
		_, err = w.JoinAs(ctx, w.alice.User, chat)
		w.want(err, name)
		w.want(w.SaveDefaultJoinAs(ctx, w.alice, chat, peer.OfUser(w.alice.User)), "PEER_ID_INVALID")
	}
}
