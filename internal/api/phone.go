package api

import (
	"context"

	"parley/internal/call"
	"parley/internal/calls"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

func phoneMethods(a *API) {
	on(a, usersOnly, a.createGroupCall)
	on(a, usersOnly, a.startScheduledGroupCall)
	on(a, usersOnly, a.toggleGroupCallStartSubscription)
	on(a, usersOnly, a.discardGroupCall)
	on(a, usersOnly, a.toggleGroupCallSettings)
	on(a, usersOnly, a.editGroupCallTitle)
	on(a, usersOnly, a.inviteToGroupCall)
	on(a, usersOnly, a.exportGroupCallInvite)
	on(a, usersOnly, a.getGroupCall)
	on(a, usersOnly, a.getGroupCallJoinAs)
	on(a, usersOnly, a.saveDefaultGroupCallJoinAs)
	on(a, usersOnly, a.getGroupCallStreamChannels)
}

// phone.createGroupCall#48cdc6d8 flags:# rtmp_stream:flags.2?true peer:InputPeer random_id:int title:flags.0?string schedule_date:flags.1?int = Updates;
func (a *API) createGroupCall(ctx context.Context, c rpc.Caller, r *tg.PhoneCreateGroupCallRequest) (tg.UpdatesClass, error) {
	chat, err := a.chatOf(c, r.Peer)
	if err != nil {
		return nil, err
	}
	if r.RTMPStream { // nothing here takes RTMP
		return nil, errCreateFailed
	}
	req := calls.CreateRequest{Chat: chat, RandomID: r.RandomID}
	if r.Title != nil {
		req.Title = *r.Title
	}
	if r.ScheduleDate != nil {
		req.ScheduleDate = int64(*r.ScheduleDate)
		if req.ScheduleDate <= 0 {
			return nil, call.ErrScheduleDate
		}
	}
	return a.Calls.Create(ctx, c, req)
}

var errCreateFailed = rpc.Err(400, "CREATE_CALL_FAILED")

// phone.startScheduledGroupCall#5680e342 call:InputGroupCall = Updates;
func (a *API) startScheduledGroupCall(ctx context.Context, c rpc.Caller, r *tg.PhoneStartScheduledGroupCallRequest) (tg.UpdatesClass, error) {
	id, err := a.callOf(r.Call)
	if err != nil {
		return nil, err
	}
	return a.Calls.Start(ctx, c, id)
}

// phone.toggleGroupCallStartSubscription#219c34e6 call:InputGroupCall subscribed:Bool = Updates;
func (a *API) toggleGroupCallStartSubscription(ctx context.Context, c rpc.Caller, r *tg.PhoneToggleGroupCallStartSubscriptionRequest) (tg.UpdatesClass, error) {
	id, err := a.callOf(r.Call)
	if err != nil {
		return nil, err
	}
	return a.Calls.Subscribe(ctx, c, id, r.Subscribed)
}

// phone.discardGroupCall#7a777135 call:InputGroupCall = Updates;
func (a *API) discardGroupCall(ctx context.Context, c rpc.Caller, r *tg.PhoneDiscardGroupCallRequest) (tg.UpdatesClass, error) {
	id, err := a.callOf(r.Call)
	if err != nil {
		return nil, err
	}
	return a.Calls.Discard(ctx, c, id)
}

// phone.toggleGroupCallSettings#974392f2 flags:# reset_invite_hash:flags.1?true call:InputGroupCall join_muted:flags.0?Bool messages_enabled:flags.2?Bool send_paid_messages_stars:flags.3?long = Updates;
func (a *API) toggleGroupCallSettings(ctx context.Context, c rpc.Caller, r *tg.PhoneToggleGroupCallSettingsRequest) (tg.UpdatesClass, error) {
	id, err := a.callOf(r.Call)
	if err != nil {
		return nil, err
	}
	return a.Calls.Settings(ctx, c, id, call.SettingsRequest{
		ResetInviteHash: r.ResetInviteHash, JoinMuted: r.JoinMuted,
		Others: r.MessagesEnabled != nil || r.SendPaidMessagesStars != nil,
	})
}

// phone.editGroupCallTitle#1ca6ac0a call:InputGroupCall title:string = Updates;
func (a *API) editGroupCallTitle(ctx context.Context, c rpc.Caller, r *tg.PhoneEditGroupCallTitleRequest) (tg.UpdatesClass, error) {
	id, err := a.callOf(r.Call)
	if err != nil {
		return nil, err
	}
	return a.Calls.EditTitle(ctx, c, id, r.Title)
}

// phone.inviteToGroupCall#7b393160 call:InputGroupCall users:Vector<InputUser> = Updates;
func (a *API) inviteToGroupCall(ctx context.Context, c rpc.Caller, r *tg.PhoneInviteToGroupCallRequest) (tg.UpdatesClass, error) {
	id, err := a.callOf(r.Call)
	if err != nil {
		return nil, err
	}
	users, err := a.usersOf(c, r.Users)
	if err != nil {
		return nil, err
	}
	return a.Calls.Invite(ctx, c, id, users)
}

// phone.exportGroupCallInvite#e6aa647f flags:# can_self_unmute:flags.0?true call:InputGroupCall = phone.ExportedGroupCallInvite;
func (a *API) exportGroupCallInvite(ctx context.Context, c rpc.Caller, r *tg.PhoneExportGroupCallInviteRequest) (*tg.PhoneExportedGroupCallInvite, error) {
	id, err := a.callOf(r.Call)
	if err != nil {
		return nil, err
	}
	link, err := a.Calls.ExportInvite(ctx, c, id, r.CanSelfUnmute)
	return &tg.PhoneExportedGroupCallInvite{Link: link}, err
}

// phone.getGroupCall#041845db call:InputGroupCall limit:int = phone.GroupCall;
func (a *API) getGroupCall(ctx context.Context, c rpc.Caller, r *tg.PhoneGetGroupCallRequest) (*tg.PhoneGroupCall, error) {
	id, err := a.callOf(r.Call)
	if err != nil {
		return nil, err
	}
	v, err := a.Calls.Get(ctx, c, id, r.Limit)
	if err != nil {
		return nil, err
	}
	page, err := a.page(ctx, c, v)
	if err != nil {
		return nil, err
	}
	return &tg.PhoneGroupCall{
		Call:         a.Updates.GroupCall(ctx, v.Info, c.User, v.Subscribed),
		Participants: page.entries, ParticipantsNextOffset: v.Next, Chats: page.chats, Users: page.users,
	}, nil
}

// page is one page of participants as a viewer sees it, with all it names.
type page struct {
	entries []tg.GroupCallParticipant
	users   []tg.UserClass
	chats   []tg.ChatClass
}

func (a *API) page(ctx context.Context, c rpc.Caller, v calls.View) (page, error) {
	p := page{entries: make([]tg.GroupCallParticipant, 0, len(v.Participants))}
	named := map[peer.ID]bool{v.Info.Chat: true}
	for _, e := range v.Participants {
		named[e.Peer] = true
		p.entries = append(p.entries, a.Updates.Participant(e, c.User, v.Personal[e.Peer]))
	}
	var users []int64
	var chats []peer.ID
	for id := range named {
		if id.Kind == peer.User {
			users = append(users, id.ID)
		} else {
			chats = append(chats, id)
		}
	}
	var err error
	if p.users, err = a.Directory.Users(ctx, c.User, users); err != nil {
		return page{}, err
	}
	p.chats, err = a.Directory.Chats(ctx, c.User, chats)
	return p, err
}

// phone.getGroupCallJoinAs#ef7c213a peer:InputPeer = phone.JoinAsPeers;
func (a *API) getGroupCallJoinAs(ctx context.Context, c rpc.Caller, r *tg.PhoneGetGroupCallJoinAsRequest) (*tg.PhoneJoinAsPeers, error) {
	chat, err := a.chatOf(c, r.Peer)
	if err != nil {
		return nil, err
	}
	ids, err := a.Directory.JoinAs(ctx, c.User, chat)
	if err != nil {
		return nil, err
	}
	res := &tg.PhoneJoinAsPeers{Peers: make([]tg.PeerClass, 0, len(ids))}
	var users []int64
	var chats []peer.ID
	for _, id := range ids {
		res.Peers = append(res.Peers, message.Peer(id))
		if id.Kind == peer.User {
			users = append(users, id.ID)
		} else {
			chats = append(chats, id)
		}
	}
	if res.Users, err = a.Directory.Users(ctx, c.User, users); err != nil {
		return nil, err
	}
	res.Chats, err = a.Directory.Chats(ctx, c.User, chats)
	return res, err
}

// phone.saveDefaultGroupCallJoinAs#575e1f8c peer:InputPeer join_as:InputPeer = Bool;
func (a *API) saveDefaultGroupCallJoinAs(ctx context.Context, c rpc.Caller, r *tg.PhoneSaveDefaultGroupCallJoinAsRequest) (tg.Bool, error) {
	chat, err := a.chatOf(c, r.Peer)
	if err != nil {
		return false, err
	}
	as, err := a.joinAsOf(c, r.JoinAs)
	if err != nil {
		return false, err
	}
	return true, a.Directory.SaveDefaultJoinAs(ctx, c, chat, as)
}

// joinAsOf returns the peer that a join_as means.
func (a *API) joinAsOf(c rpc.Caller, in tg.InputPeerClass) (peer.ID, error) {
	p, err := a.peerOf(c, in)
	if err != nil {
		return peer.ID{}, call.ErrJoinAs
	}
	return p, nil
}

// phone.getGroupCallStreamChannels#1ab21940 call:InputGroupCall = phone.GroupCallStreamChannels;
//
// Every call here is carried by WebRTC: there are none.
func (a *API) getGroupCallStreamChannels(ctx context.Context, c rpc.Caller, r *tg.PhoneGetGroupCallStreamChannelsRequest) (*tg.PhoneGroupCallStreamChannels, error) {
	id, err := a.callOf(r.Call)
	if err != nil {
		return nil, err
	}
	if _, err := a.Calls.Check(ctx, c, id, nil); err != nil {
		return nil, err
	}
	return &tg.PhoneGroupCallStreamChannels{Channels: []tg.GroupCallStreamChannel{}}, nil
}
