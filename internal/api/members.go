package api

import (
	"context"

	"parley/internal/directory"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

func memberMethods(a *API) {
	on(a, usersOnly, a.inviteToChannel)
	on(a, signedIn, a.editAdmin)
	on(a, signedIn, a.editBanned)
	on(a, signedIn, a.getParticipants)
	on(a, signedIn, a.getParticipant)
}

// channels.inviteToChannel#c9e33d54 channel:InputChannel users:Vector<InputUser> = messages.InvitedUsers;
func (a *API) inviteToChannel(ctx context.Context, c rpc.Caller, r *tg.ChannelsInviteToChannelRequest) (*tg.MessagesInvitedUsers, error) {
	id, err := a.channelOf(r.Channel)
	if err != nil {
		return nil, err
	}
	users, err := a.usersOf(c, r.Users)
	if err != nil {
		return nil, err
	}
	return invited(a.Directory.Invite(ctx, c, id, users))
}

// channels.editAdmin#9a98ad68 flags:# channel:InputChannel user_id:InputUser admin_rights:ChatAdminRights rank:flags.0?string = Updates;
func (a *API) editAdmin(ctx context.Context, c rpc.Caller, r *tg.ChannelsEditAdminRequest) (tg.UpdatesClass, error) {
	id, err := a.channelOf(r.Channel)
	if err != nil {
		return nil, err
	}
	user, err := a.userOf(c, r.UserID)
	if err != nil {
		return nil, err
	}
	p := directory.Promotion{Channel: id, User: user, Rights: directory.AdminBits(&r.AdminRights)}
	if r.Rank != nil {
		p.Rank = *r.Rank
	}
	return a.Directory.EditAdmin(ctx, c, p)
}

// channels.editBanned#96e6cd81 channel:InputChannel participant:InputPeer banned_rights:ChatBannedRights = Updates;
func (a *API) editBanned(ctx context.Context, c rpc.Caller, r *tg.ChannelsEditBannedRequest) (tg.UpdatesClass, error) {
	id, err := a.channelOf(r.Channel)
	if err != nil {
		return nil, err
	}
	who, err := a.participantOf(c, r.Participant)
	if err != nil {
		return nil, err
	}
	return a.Directory.EditBanned(ctx, c, directory.Ban{
		Channel: id, User: who, Rights: directory.BanBits(&r.BannedRights), Until: int64(r.BannedRights.UntilDate),
	})
}

// participantOf returns the user an InputPeer names as a member.
func (a *API) participantOf(c rpc.Caller, in tg.InputPeerClass) (int64, error) {
	p, err := a.peerOf(c, in)
	if err != nil || p.Kind != peer.User {
		return 0, errParticipantID
	}
	return p.ID, nil
}

var errParticipantID = rpc.Err(400, "PARTICIPANT_ID_INVALID")

// channels.getParticipants#77ced9d0 channel:InputChannel filter:ChannelParticipantsFilter offset:int limit:int hash:long = channels.ChannelParticipants;
func (a *API) getParticipants(ctx context.Context, c rpc.Caller, r *tg.ChannelsGetParticipantsRequest) (tg.ChannelsChannelParticipantsClass, error) {
	id, err := a.channelOf(r.Channel)
	if err != nil {
		return nil, err
	}
	return a.Directory.Participants(ctx, c, id, r.Filter, r.Offset, r.Limit)
}

// channels.getParticipant#a0ab6cc6 channel:InputChannel participant:InputPeer = channels.ChannelParticipant;
func (a *API) getParticipant(ctx context.Context, c rpc.Caller, r *tg.ChannelsGetParticipantRequest) (*tg.ChannelsChannelParticipant, error) {
	id, err := a.channelOf(r.Channel)
	if err != nil {
		return nil, err
	}
	who, err := a.participantOf(c, r.Participant)
	if err != nil {
		return nil, err
	}
	return a.Directory.Participant(ctx, c, id, who)
}
