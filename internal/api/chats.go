package api

import (
	"context"

	"parley/internal/directory"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

func chatMethods(a *API) {
	on(a, signedIn, a.getChats)
	on(a, signedIn, a.getFullChat)
	on(a, usersOnly, a.createChat)
	on(a, signedIn, a.editChatTitle)
	on(a, signedIn, a.editChatAbout)
	on(a, usersOnly, a.addChatUser)
	on(a, signedIn, a.deleteChatUser)
	on(a, usersOnly, a.editChatAdmin)
	on(a, signedIn, a.editChatDefaultBannedRights)
	on(a, signedIn, a.exportChatInvite)
	on(a, usersOnly, a.checkChatInvite)
	on(a, usersOnly, a.importChatInvite)
	on(a, usersOnly, a.getOnlines)
}

// messages.getChats#49e9528f id:Vector<long> = messages.Chats;
func (a *API) getChats(ctx context.Context, c rpc.Caller, r *tg.MessagesGetChatsRequest) (tg.MessagesChatsClass, error) {
	if err := few(r.ID); err != nil {
		return nil, err
	}
	chats, err := a.Directory.VisibleChats(ctx, c.User, r.ID)
	return &tg.MessagesChats{Chats: chats}, err
}

// messages.getFullChat#aeb00b34 chat_id:long = messages.ChatFull;
func (a *API) getFullChat(ctx context.Context, c rpc.Caller, r *tg.MessagesGetFullChatRequest) (*tg.MessagesChatFull, error) {
	return a.Directory.FullChat(ctx, c, r.ChatID)
}

// messages.createChat#92ceddd4 flags:# users:Vector<InputUser> title:string ttl_period:flags.0?int = messages.InvitedUsers;
func (a *API) createChat(ctx context.Context, c rpc.Caller, r *tg.MessagesCreateChatRequest) (*tg.MessagesInvitedUsers, error) {
	users, err := a.usersOf(c, r.Users)
	if err != nil {
		return nil, err
	}
	_, u, err := a.Directory.CreateChat(ctx, c, r.Title, users)
	return invited(u, err)
}

// invited wraps the updates of an invitation; everybody asked for came in.
func invited(u tg.UpdatesClass, err error) (*tg.MessagesInvitedUsers, error) {
	if err != nil {
		return nil, err
	}
	return &tg.MessagesInvitedUsers{Updates: u, MissingInvitees: []tg.MissingInvitee{}}, nil
}

// messages.editChatTitle#73783ffd chat_id:long title:string = Updates;
func (a *API) editChatTitle(ctx context.Context, c rpc.Caller, r *tg.MessagesEditChatTitleRequest) (tg.UpdatesClass, error) {
	return a.Directory.EditTitle(ctx, c, peer.OfChat(r.ChatID), r.Title)
}

// messages.editChatAbout#def60797 peer:InputPeer about:string = Bool;
func (a *API) editChatAbout(ctx context.Context, c rpc.Caller, r *tg.MessagesEditChatAboutRequest) (tg.Bool, error) {
	chat, err := a.chatOf(c, r.Peer)
	if err != nil {
		return false, err
	}
	return true, a.Directory.EditAbout(ctx, c, chat, r.About)
}

// messages.addChatUser#cbc6d107 chat_id:long user_id:InputUser fwd_limit:int = messages.InvitedUsers;
func (a *API) addChatUser(ctx context.Context, c rpc.Caller, r *tg.MessagesAddChatUserRequest) (*tg.MessagesInvitedUsers, error) {
	user, err := a.userOf(c, r.UserID)
	if err != nil {
		return nil, err
	}
	return invited(a.Directory.AddChatUser(ctx, c, r.ChatID, user))
}

// messages.deleteChatUser#a2185cab flags:# revoke_history:flags.0?true chat_id:long user_id:InputUser = Updates;
func (a *API) deleteChatUser(ctx context.Context, c rpc.Caller, r *tg.MessagesDeleteChatUserRequest) (tg.UpdatesClass, error) {
	user, err := a.userOf(c, r.UserID)
	if err != nil {
		return nil, err
	}
	return a.Directory.DeleteChatUser(ctx, c, r.ChatID, user)
}

// messages.editChatAdmin#a85bd1c2 chat_id:long user_id:InputUser is_admin:Bool = Bool;
func (a *API) editChatAdmin(ctx context.Context, c rpc.Caller, r *tg.MessagesEditChatAdminRequest) (tg.Bool, error) {
	user, err := a.userOf(c, r.UserID)
	if err != nil {
		return false, err
	}
	return true, a.Directory.EditChatAdmin(ctx, c, r.ChatID, user, r.IsAdmin)
}

// messages.editChatDefaultBannedRights#a5866b41 peer:InputPeer banned_rights:ChatBannedRights = Updates;
func (a *API) editChatDefaultBannedRights(ctx context.Context, c rpc.Caller, r *tg.MessagesEditChatDefaultBannedRightsRequest) (tg.UpdatesClass, error) {
	chat, err := a.chatOf(c, r.Peer)
	if err != nil {
		return nil, err
	}
	return a.Directory.EditDefaultBanned(ctx, c, chat, &r.BannedRights)
}

// messages.exportChatInvite#a455de90 flags:# legacy_revoke_permanent:flags.2?true request_needed:flags.3?true peer:InputPeer expire_date:flags.0?int usage_limit:flags.1?int title:flags.4?string subscription_pricing:flags.5?StarsSubscriptionPricing = ExportedChatInvite;
func (a *API) exportChatInvite(ctx context.Context, c rpc.Caller, r *tg.MessagesExportChatInviteRequest) (tg.ExportedChatInviteClass, error) {
	chat, err := a.chatOf(c, r.Peer)
	if err != nil {
		return nil, err
	}
	n := directory.NewInvite{Replace: r.LegacyRevokePermanent}
	if r.ExpireDate != nil {
		n.Expires = int64(*r.ExpireDate)
	}
	if r.UsageLimit != nil {
		n.Limit = *r.UsageLimit
	}
	return a.Directory.ExportInvite(ctx, c, chat, n)
}

// messages.checkChatInvite#3eadb1bb hash:string = ChatInvite;
func (a *API) checkChatInvite(ctx context.Context, c rpc.Caller, r *tg.MessagesCheckChatInviteRequest) (tg.ChatInviteClass, error) {
	return a.Directory.CheckInvite(ctx, c, r.Hash)
}

// messages.importChatInvite#de91436e hash:string = messages.ChatInviteJoinResult;
func (a *API) importChatInvite(ctx context.Context, c rpc.Caller, r *tg.MessagesImportChatInviteRequest) (tg.MessagesChatInviteJoinResultClass, error) {
	return joined(a.Directory.ImportInvite(ctx, c, r.Hash))
}

// joined wraps the updates of joining a chat.
func joined(u tg.UpdatesClass, err error) (tg.MessagesChatInviteJoinResultClass, error) {
	if err != nil {
		return nil, err
	}
	return &tg.MessagesChatInviteJoinResultOk{Updates: u}, nil
}

// messages.getOnlines#6e2be050 peer:InputPeer = ChatOnlines;
func (a *API) getOnlines(ctx context.Context, c rpc.Caller, r *tg.MessagesGetOnlinesRequest) (*tg.ChatOnlines, error) {
	chat, err := a.chatOf(c, r.Peer)
	if err != nil {
		return nil, err
	}
	rights, err := a.Directory.Rights(ctx, c.User, chat)
	if err != nil {
		return nil, err
	}
	if !rights.CanRead {
		return nil, errChannelPrivate
	}
	members, err := a.Directory.Members(ctx, chat)
	if err != nil {
		return nil, err
	}
	return &tg.ChatOnlines{Onlines: a.online(members)}, nil
}

// online counts the users who have a session now.
func (a *API) online(users []int64) int {
	n := 0
	for _, u := range users {
		if a.Updates.Online(u) {
			n++
		}
	}
	return n
}
