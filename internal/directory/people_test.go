package directory_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"parley/internal/directory"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// see returns a user as viewer sees them.
func (w *world) see(viewer rpc.Caller, id int64) *tg.User {
	w.t.Helper()
	all, err := w.Users(w.t.Context(), viewer.User, []int64{id})
	w.ok(err)
	if len(all) != 1 {
		w.t.Fatalf("Users returned %d users", len(all))
	}
	w.encodable(all[0])
	return all[0].(*tg.User)
}

func TestUsers(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if me := w.see(w.alice, w.alice.User); !me.Self || *me.FirstName != "Alice" || *me.Phone != "1001555" || *me.AccessHash == 0 {
		t.Errorf("alice sees herself as %+v", me)
	}
	if her := w.see(w.bob, w.alice.User); her.Self || her.Phone != nil || her.Contact {
		t.Errorf("a stranger sees %+v", her)
	}
	if s := w.see(w.bob, peer.Service); *s.FirstName != "Parley" || !s.Verified {
		t.Errorf("service account %+v", s)
	}
	if all, err := w.Users(ctx, w.bob.User, []int64{99}); err != nil || len(all) != 0 {
		t.Errorf("unknown user: %v, %v", all, err)
	}
	w.ok(w.UpdateProfile(ctx, w.alice, new("Alicia"), new(" K "), new("hi")))
	w.want(w.UpdateProfile(ctx, w.alice, new(" "), nil, nil), "FIRSTNAME_INVALID")
	w.want(w.UpdateProfile(ctx, w.alice, nil, nil, new(strings.Repeat("ж", 71))), "ABOUT_TOO_LONG")
	if her := w.see(w.bob, w.alice.User); *her.FirstName != "Alicia" || *her.LastName != "K" {
		t.Errorf("after the change: %+v", her)
	}
	full, err := w.FullUser(ctx, w.bob.User, w.alice.User)
	w.ok(err)
	if *full.FullUser.About != "hi" || len(full.Users) != 1 {
		t.Errorf("full user %+v", full)
	}
	w.SetOnline(w.alice.User, true)
	if s, ok := w.see(w.bob, w.alice.User).Status.(*tg.UserStatusOnline); !ok || s.Expires == 0 {
		t.Error("alice is not online")
	}
	w.SetOnline(w.alice.User, false)
	if _, ok := w.see(w.bob, w.alice.User).Status.(*tg.UserStatusOffline); !ok {
		t.Error("alice is not offline")
	}
}

func TestUsernames(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.ok(w.SetUsername(ctx, w.alice, "Alice_1"))
	w.want(w.SetUsername(ctx, w.alice, "Alice_1"), "USERNAME_NOT_MODIFIED")
	w.want(w.SetUsername(ctx, w.bob, "alice_1"), "USERNAME_OCCUPIED")
	for _, bad := range []string{"abc", "1abcd", "_abcd", "abcd_", "ab__cd", "ab cd", "абвгд", strings.Repeat("a", 33)} {
		w.want(w.SetUsername(ctx, w.bob, bad), "USERNAME_INVALID")
	}
	if free, err := w.CheckUsername(ctx, peer.OfUser(w.bob.User), "ALICE_1"); err != nil || free {
		t.Errorf("CheckUsername = %v, %v", free, err)
	}
	res, err := w.ResolveUsername(ctx, w.bob, "aLICE_1")
	w.ok(err)
	w.encodable(res)
	if u := res.Users[0].(*tg.User); u.ID != w.alice.User || *u.Username != "Alice_1" {
		t.Errorf("resolved %+v", u)
	}
	w.ok(w.SetUsername(ctx, w.alice, "Alice_2"))
	_, err = w.ResolveUsername(ctx, w.bob, "Alice_1")
	w.want(err, "USERNAME_NOT_OCCUPIED")
	_, err = w.ResolveUsername(ctx, w.bob, "")
	w.want(err, "USERNAME_INVALID")
	w.ok(w.SetUsername(ctx, w.alice, ""))
	w.ok(w.SetUsername(ctx, w.bob, "alice_2"))
}

func TestContacts(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	res, err := w.ImportContacts(ctx, w.alice, []tg.InputPhoneContact{
		{ClientID: 1, Phone: "+1002 555", FirstName: "Bobby"},
		{ClientID: 2, Phone: "99999999", FirstName: "Nobody"},
		{ClientID: 3, Phone: "nonsense"},
	})
	w.ok(err)
	w.encodable(res)
	if len(res.Imported) != 1 || res.Imported[0] != (tg.ImportedContact{UserID: w.bob.User, ClientID: 1}) {
		t.Errorf("imported %+v", res.Imported)
	}
	if bob := w.see(w.alice, w.bob.User); !bob.Contact || bob.MutualContact || *bob.FirstName != "Bobby" || *bob.Phone != "1002555" {
		t.Errorf("contact seen as %+v", bob)
	}
	for _, tt := range []struct {
		viewer rpc.Caller
		ids    []int64
		knows  bool
	}{
		{w.alice, []int64{w.carol.User, w.bob.User}, true},
		{w.bob, []int64{w.alice.User, w.carol.User}, false},
		{w.bob, []int64{w.alice.User, w.bob.User}, true},
		{w.bob, nil, false},
	} {
		if knows, err := w.Knows(ctx, tt.viewer.User, tt.ids); err != nil || knows != tt.knows {
			t.Errorf("user %d knows any of %v: %v, %v", tt.viewer.User, tt.ids, knows, err)
		}
	}
	w.ok(w.AddContact(ctx, w.bob, directory.Contact{User: w.alice.User, First: "A"}))
	w.want(w.AddContact(ctx, w.bob, directory.Contact{User: w.carol.User}), "CONTACT_NAME_EMPTY")
	w.want(w.AddContact(ctx, w.bob, directory.Contact{User: 99, First: "x"}), "CONTACT_ID_INVALID")
	list, err := w.Contacts(ctx, w.alice)
	w.ok(err)
	if len(list.Contacts) != 1 || !list.Contacts[0].Mutual || len(list.Users) != 1 {
		t.Errorf("contacts %+v", list)
	}
	w.ok(w.DeleteContacts(ctx, w.alice, []int64{w.bob.User}))
	if w.see(w.alice, w.bob.User).Contact {
		t.Error("contact is still one")
	}
	found, err := w.ResolvePhone(ctx, w.carol, "1002555")
	w.ok(err)
	if found.Users[0].(*tg.User).ID != w.bob.User {
		t.Errorf("ResolvePhone = %+v", found)
	}
	_, err = w.ResolvePhone(ctx, w.carol, "1009555")
	w.want(err, "PHONE_NOT_OCCUPIED")
	_, err = w.ImportContacts(ctx, w.dave, make([]tg.InputPhoneContact, 1000))
	w.ok(err)
	_, err = w.ImportContacts(ctx, w.dave, make([]tg.InputPhoneContact, 10))
	if err == nil || !strings.Contains(err.Error(), "FLOOD_WAIT") {
		t.Errorf("import flood: %v", err)
	}
}

// Members come and go from everywhere while everybody looks: counts and copies
// agree in the end.
func TestConcurrentChanges(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	id := w.channel()
	w.ok(w.SetChannelName(ctx, w.alice, id, "the_group"))
	const people, rounds = 8, 10
	var all sync.WaitGroup
	for i := range people {
		who := w.person(fmt.Sprintf("200%d", i), "x")
		all.Go(func() {
			for r := range rounds {
				if _, err := w.Join(ctx, who, id.ID); err != nil {
					t.Error(err)
				}
				if rights, err := w.Rights(ctx, who.User, id); err != nil || !rights.Member {
					t.Errorf("joined, but rights are %+v, %v", rights, err)
				}
				if _, err := w.Chats(ctx, who.User, []peer.ID{id}); err != nil {
					t.Error(err)
				}
				if _, err := w.Members(ctx, id); err != nil {
					t.Error(err)
				}
				if r == rounds-1 && i%2 == 0 {
					return // these stay
				}
				if _, err := w.Leave(ctx, who, id); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	const want = 1 + people/2
	if list, err := w.Members(ctx, id); err != nil || len(list) != want {
		t.Errorf("%d members, %v; want %d", len(list), err, want)
	}
	if ch := w.view(w.alice, id).(*tg.Channel); *ch.ParticipantsCount != want {
		t.Errorf("participants_count %d, want %d", *ch.ParticipantsCount, want)
	}
}
