package api

import (
	"context"

	"parley/internal/directory"
	"parley/internal/rpc"
	"parley/internal/tg"
)

func userMethods(a *API) {
	on(a, signedIn, a.getUsers)
	on(a, signedIn, a.getFullUser)
}

func contactMethods(a *API) {
	on(a, signedIn, a.resolveUsername)
	on(a, usersOnly, a.resolvePhone)
	on(a, usersOnly, a.getContacts)
	on(a, usersOnly, a.importContacts)
	on(a, usersOnly, a.addContact)
	on(a, usersOnly, a.deleteContacts)
	on(a, usersOnly, a.searchContacts)
}

// users.getUsers#0d91a548 id:Vector<InputUser> = Vector<User>;
//
// Users that can't be resolved are left out as userEmpty would be useless.
func (a *API) getUsers(ctx context.Context, c rpc.Caller, r *tg.UsersGetUsersRequest) (tg.UserVector, error) {
	if err := few(r.ID); err != nil {
		return nil, err
	}
	ids := make([]int64, 0, len(r.ID))
	for _, in := range r.ID {
		if id, err := a.userOf(c, in); err == nil {
			ids = append(ids, id)
		}
	}
	return a.Directory.Users(ctx, c.User, ids)
}

// users.getFullUser#b60f5918 id:InputUser = users.UserFull;
func (a *API) getFullUser(ctx context.Context, c rpc.Caller, r *tg.UsersGetFullUserRequest) (*tg.UsersUserFull, error) {
	id, err := a.userOf(c, r.ID)
	if err != nil {
		return nil, err
	}
	return a.Directory.FullUser(ctx, c.User, id)
}

// contacts.resolveUsername#725afbbc flags:# username:string referer:flags.0?string = contacts.ResolvedPeer;
func (a *API) resolveUsername(ctx context.Context, c rpc.Caller, r *tg.ContactsResolveUsernameRequest) (*tg.ContactsResolvedPeer, error) {
	return a.Directory.ResolveUsername(ctx, c, r.Username)
}

// contacts.resolvePhone#8af94344 phone:string = contacts.ResolvedPeer;
func (a *API) resolvePhone(ctx context.Context, c rpc.Caller, r *tg.ContactsResolvePhoneRequest) (*tg.ContactsResolvedPeer, error) {
	return a.Directory.ResolvePhone(ctx, c, r.Phone)
}

// contacts.getContacts#5dd69e12 hash:long = contacts.Contacts;
func (a *API) getContacts(ctx context.Context, c rpc.Caller, _ *tg.ContactsGetContactsRequest) (tg.ContactsContactsClass, error) {
	return a.Directory.Contacts(ctx, c)
}

// contacts.importContacts#2c800be5 contacts:Vector<InputContact> = contacts.ImportedContacts;
func (a *API) importContacts(ctx context.Context, c rpc.Caller, r *tg.ContactsImportContactsRequest) (*tg.ContactsImportedContacts, error) {
	return a.Directory.ImportContacts(ctx, c, r.Contacts)
}

// contacts.addContact#d9ba2e54 flags:# add_phone_privacy_exception:flags.0?true id:InputUser first_name:string last_name:string phone:string note:flags.1?TextWithEntities = Updates;
func (a *API) addContact(ctx context.Context, c rpc.Caller, r *tg.ContactsAddContactRequest) (tg.UpdatesClass, error) {
	id, err := a.userOf(c, r.ID)
	if err != nil {
		return nil, err
	}
	err = a.Directory.AddContact(ctx, c, directory.Contact{User: id, First: r.FirstName, Last: r.LastName})
	if err != nil {
		return nil, err
	}
	return a.showUsers(ctx, c, []int64{id})
}

// contacts.deleteContacts#096a0e00 id:Vector<InputUser> = Updates;
func (a *API) deleteContacts(ctx context.Context, c rpc.Caller, r *tg.ContactsDeleteContactsRequest) (tg.UpdatesClass, error) {
	if err := few(r.ID); err != nil {
		return nil, err
	}
	ids, err := a.usersOf(c, r.ID)
	if err != nil {
		return nil, err
	}
	if err := a.Directory.DeleteContacts(ctx, c, ids); err != nil {
		return nil, err
	}
	return a.showUsers(ctx, c, ids)
}

// showUsers answers with nothing but how the users look now.
func (a *API) showUsers(ctx context.Context, c rpc.Caller, ids []int64) (tg.UpdatesClass, error) {
	users, err := a.Directory.Users(ctx, c.User, ids)
	if err != nil {
		return nil, err
	}
	return &tg.Updates{Updates: []tg.UpdateClass{}, Users: users, Chats: []tg.ChatClass{}, Date: unixNow()}, nil
}

// contacts.search#05f58d0f flags:# broadcasts:flags.0?true bots:flags.1?true q:string limit:int = contacts.Found;
//
// Only whole usernames are found: a directory of everybody is nobody's business.
func (a *API) searchContacts(ctx context.Context, c rpc.Caller, r *tg.ContactsSearchRequest) (*tg.ContactsFound, error) {
	found := &tg.ContactsFound{MyResults: []tg.PeerClass{}, Results: []tg.PeerClass{}, Chats: []tg.ChatClass{}, Users: []tg.UserClass{}}
	p, err := a.Directory.ResolveUsername(ctx, c, r.Q)
	if _, meant := rpc.Visible(err); err != nil {
		if meant {
			return found, nil
		}
		return nil, err
	}
	found.Results, found.Chats, found.Users = []tg.PeerClass{p.Peer}, p.Chats, p.Users
	return found, nil
}
