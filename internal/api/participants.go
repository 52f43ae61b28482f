package api

import (
	"context"

	"parley/internal/call"
	"parley/internal/calls"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// participantMethods are the methods of taking part.
func participantMethods(a *API) {
	on(a, usersOnly, a.joinGroupCall)
	on(a, usersOnly, a.leaveGroupCall)
	on(a, usersOnly, a.checkGroupCall)
	on(a, usersOnly, a.joinGroupCallPresentation)
	on(a, usersOnly, a.leaveGroupCallPresentation)
	on(a, usersOnly, a.editGroupCallParticipant)
	on(a, usersOnly, a.getGroupParticipants)
}

// phone.joinGroupCall#8fb53057 flags:# muted:flags.0?true video_stopped:flags.2?true call:InputGroupCall join_as:InputPeer invite_hash:flags.1?string public_key:flags.3?int256 block:flags.3?bytes params:DataJSON = Updates;
func (a *API) joinGroupCall(ctx context.Context, c rpc.Caller, r *tg.PhoneJoinGroupCallRequest) (tg.UpdatesClass, error) {
	id, err := a.callOf(r.Call)
	if err != nil {
		return nil, err
	}
	as, err := a.joinAsOf(c, r.JoinAs)
	if err != nil {
		return nil, err
	}
	if a.Draining() { // clients try this one again
		return nil, call.ErrAddFailed
	}
	req := calls.JoinRequest{As: as, Muted: r.Muted, VideoStopped: r.VideoStopped, Params: []byte(r.Params.Data)}
	if r.InviteHash != nil {
		req.InviteHash = *r.InviteHash
	}
	return a.Calls.Join(ctx, c, id, req)
}

// phone.leaveGroupCall#500377f9 call:InputGroupCall source:int = Updates;
func (a *API) leaveGroupCall(ctx context.Context, c rpc.Caller, r *tg.PhoneLeaveGroupCallRequest) (tg.UpdatesClass, error) {
	id, err := a.callOf(r.Call)
	if err != nil {
		return nil, err
	}
	return a.Calls.Leave(ctx, c, id, int32(r.Source))
}

// phone.checkGroupCall#b59cf977 call:InputGroupCall sources:Vector<int> = Vector<int>;
func (a *API) checkGroupCall(ctx context.Context, c rpc.Caller, r *tg.PhoneCheckGroupCallRequest) (tg.IntVector, error) {
	id, err := a.callOf(r.Call)
	if err != nil {
		return nil, err
	}
	alive, err := a.Calls.Check(ctx, c, id, sourcesOf(r.Sources))
	if err != nil {
		return nil, err
	}
	res := make(tg.IntVector, len(alive))
	for i, s := range alive {
		res[i] = int(s)
	}
	return res, nil
}

// sourcesOf returns SSRCs as the wire has them: signed.
func sourcesOf(in []int) []int32 {
	out := make([]int32, len(in))
	for i, s := range in {
		out[i] = int32(s)
	}
	return out
}

// phone.joinGroupCallPresentation#cbea6bc4 call:InputGroupCall params:DataJSON = Updates;
func (a *API) joinGroupCallPresentation(ctx context.Context, c rpc.Caller, r *tg.PhoneJoinGroupCallPresentationRequest) (tg.UpdatesClass, error) {
	id, err := a.callOf(r.Call)
	if err != nil {
		return nil, err
	}
	return a.Calls.JoinPresentation(ctx, c, id, []byte(r.Params.Data))
}

// phone.leaveGroupCallPresentation#1c50d144 call:InputGroupCall = Updates;
func (a *API) leaveGroupCallPresentation(ctx context.Context, c rpc.Caller, r *tg.PhoneLeaveGroupCallPresentationRequest) (tg.UpdatesClass, error) {
	id, err := a.callOf(r.Call)
	if err != nil {
		return nil, err
	}
	return a.Calls.LeavePresentation(ctx, c, id)
}

// phone.editGroupCallParticipant#a5273abf flags:# call:InputGroupCall participant:InputPeer muted:flags.0?Bool volume:flags.1?int raise_hand:flags.2?Bool video_stopped:flags.3?Bool video_paused:flags.4?Bool presentation_paused:flags.5?Bool = Updates;
func (a *API) editGroupCallParticipant(ctx context.Context, c rpc.Caller, r *tg.PhoneEditGroupCallParticipantRequest) (tg.UpdatesClass, error) {
	id, err := a.callOf(r.Call)
	if err != nil {
		return nil, err
	}
	target, err := a.peerOf(c, r.Participant)
	if err != nil {
		return nil, errUserID
	}
	return a.Calls.Edit(ctx, c, id, call.EditRequest{
		Target: target, Muted: r.Muted, Volume: r.Volume, RaiseHand: r.RaiseHand,
		VideoStopped: r.VideoStopped, VideoPaused: r.VideoPaused, PresentationPaused: r.PresentationPaused,
	})
}

// phone.getGroupParticipants#c558d8ab call:InputGroupCall ids:Vector<InputPeer> sources:Vector<int> offset:string limit:int = phone.GroupParticipants;
//
// ids may come without an access hash: they are only looked up in the call.
func (a *API) getGroupParticipants(ctx context.Context, c rpc.Caller, r *tg.PhoneGetGroupParticipantsRequest) (*tg.PhoneGroupParticipants, error) {
	id, err := a.callOf(r.Call)
	if err != nil {
		return nil, err
	}
	req := calls.ListRequest{Sources: sourcesOf(r.Sources), Offset: r.Offset, Limit: r.Limit}
	for _, in := range r.IDs {
		req.Peers = append(req.Peers, barePeer(c, in))
	}
	v, err := a.Calls.Participants(ctx, c, id, req)
	if err != nil {
		return nil, err
	}
	p, err := a.page(ctx, c, v)
	if err != nil {
		return nil, err
	}
	return &tg.PhoneGroupParticipants{
		Count: v.Info.Count, Participants: p.entries, NextOffset: v.Next,
		Chats: p.chats, Users: p.users, Version: v.Info.Version,
	}, nil
}

// barePeer returns whom an InputPeer names, whatever its access hash.
func barePeer(c rpc.Caller, in tg.InputPeerClass) peer.ID {
	switch p := in.(type) {
	case *tg.InputPeerSelf:
		return peer.OfUser(c.User)
	case *tg.InputPeerUser:
		return peer.OfUser(p.UserID)
	case *tg.InputPeerChat:
		return peer.OfChat(p.ChatID)
	case *tg.InputPeerChannel:
		return peer.OfChannel(p.ChannelID)
	}
	return peer.ID{}
}
