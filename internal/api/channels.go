package api

import (
	"context"

	"parley/internal/directory"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

var errChannelPrivate = rpc.Err(400, "CHANNEL_PRIVATE")

func channelMethods(a *API) {
	on(a, signedIn, a.getChannels)
	on(a, signedIn, a.getFullChannel)
	on(a, usersOnly, a.createChannel)
	on(a, signedIn, a.editChannelTitle)
	on(a, usersOnly, a.deleteChannel)
	on(a, usersOnly, a.checkChannelUsername)
	on(a, usersOnly, a.updateChannelUsername)
	on(a, usersOnly, a.joinChannel)
	on(a, signedIn, a.leaveChannel)
	on(a, usersOnly, a.getAdminedPublicChannels)
}

// channels.getChannels#0a7f6bbb id:Vector<InputChannel> = messages.Chats;
func (a *API) getChannels(ctx context.Context, c rpc.Caller, r *tg.ChannelsGetChannelsRequest) (tg.MessagesChatsClass, error) {
	if err := few(r.ID); err != nil {
		return nil, err
	}
	ids := make([]int64, 0, len(r.ID))
	for _, in := range r.ID {
		id, err := a.channelOf(in)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	chats, err := a.Directory.VisibleChannels(ctx, c.User, ids)
	return &tg.MessagesChats{Chats: chats}, err
}

// channels.getFullChannel#08736a09 channel:InputChannel = messages.ChatFull;
//
// The read state and pts come from the channel's box.
func (a *API) getFullChannel(ctx context.Context, c rpc.Caller, r *tg.ChannelsGetFullChannelRequest) (*tg.MessagesChatFull, error) {
	id, err := a.channelOf(r.Channel)
	if err != nil {
		return nil, err
	}
	full, res, err := a.Directory.FullChannel(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return res, a.Updates.FillChannel(ctx, c.User, full)
}

// channels.createChannel#91006707 flags:# broadcast:flags.0?true megagroup:flags.1?true for_import:flags.3?true forum:flags.5?true title:string about:string geo_point:flags.2?InputGeoPoint address:flags.2?string ttl_period:flags.4?int = Updates;
func (a *API) createChannel(ctx context.Context, c rpc.Caller, r *tg.ChannelsCreateChannelRequest) (tg.UpdatesClass, error) {
	_, u, err := a.Directory.CreateChannel(ctx, c, directory.NewChannel{Title: r.Title, About: r.About, Broadcast: r.Broadcast && !r.Megagroup})
	return u, err
}

// channels.editTitle#566decd0 channel:InputChannel title:string = Updates;
func (a *API) editChannelTitle(ctx context.Context, c rpc.Caller, r *tg.ChannelsEditTitleRequest) (tg.UpdatesClass, error) {
	id, err := a.channelOf(r.Channel)
	if err != nil {
		return nil, err
	}
	return a.Directory.EditTitle(ctx, c, peer.OfChannel(id), r.Title)
}

// channels.deleteChannel#c0111fe3 channel:InputChannel = Updates;
func (a *API) deleteChannel(ctx context.Context, c rpc.Caller, r *tg.ChannelsDeleteChannelRequest) (tg.UpdatesClass, error) {
	id, err := a.channelOf(r.Channel)
	if err != nil {
		return nil, err
	}
	return a.Directory.Delete(ctx, c, peer.OfChannel(id))
}

// channels.checkUsername#10e6bd2c channel:InputChannel username:string = Bool;
func (a *API) checkChannelUsername(ctx context.Context, c rpc.Caller, r *tg.ChannelsCheckUsernameRequest) (tg.Bool, error) {
	if _, ok := r.Channel.(*tg.InputChannelEmpty); ok { // asked before the channel exists
		free, err := a.Directory.CheckUsername(ctx, peer.ID{}, r.Username)
		return tg.Bool(free), err
	}
	id, err := a.channelOf(r.Channel)
	if err != nil {
		return false, err
	}
	free, err := a.Directory.CheckChannelName(ctx, c, peer.OfChannel(id), r.Username)
	return tg.Bool(free), err
}

// channels.updateUsername#3514b3de channel:InputChannel username:string = Bool;
func (a *API) updateChannelUsername(ctx context.Context, c rpc.Caller, r *tg.ChannelsUpdateUsernameRequest) (tg.Bool, error) {
	id, err := a.channelOf(r.Channel)
	if err != nil {
		return false, err
	}
	return true, a.Directory.SetChannelName(ctx, c, peer.OfChannel(id), r.Username)
}

// channels.joinChannel#7f6a1e22 channel:InputChannel = messages.ChatInviteJoinResult;
func (a *API) joinChannel(ctx context.Context, c rpc.Caller, r *tg.ChannelsJoinChannelRequest) (tg.MessagesChatInviteJoinResultClass, error) {
	id, err := a.channelOf(r.Channel)
	if err != nil {
		return nil, err
	}
	return joined(a.Directory.Join(ctx, c, id))
}

// channels.leaveChannel#f836aa95 channel:InputChannel = Updates;
func (a *API) leaveChannel(ctx context.Context, c rpc.Caller, r *tg.ChannelsLeaveChannelRequest) (tg.UpdatesClass, error) {
	id, err := a.channelOf(r.Channel)
	if err != nil {
		return nil, err
	}
	return a.Directory.Leave(ctx, c, peer.OfChannel(id))
}

// channels.getAdminedPublicChannels#f8b036af flags:# by_location:flags.0?true check_limit:flags.1?true for_personal:flags.2?true for_community_peer:flags.3?true = messages.Chats;
func (a *API) getAdminedPublicChannels(ctx context.Context, c rpc.Caller, _ *tg.ChannelsGetAdminedPublicChannelsRequest) (tg.MessagesChatsClass, error) {
	ids, err := a.Directory.ChatsOf(ctx, c.User)
	if err != nil {
		return nil, err
	}
	var own []peer.ID
	for _, id := range ids {
		var rights peer.Rights
		if rights, err = a.Directory.Rights(ctx, c.User, id); err != nil {
			return nil, err
		}
		if id.Kind == peer.Channel && rights.Creator && rights.Public {
			own = append(own, id)
		}
	}
	chats, err := a.Directory.Chats(ctx, c.User, own)
	return &tg.MessagesChats{Chats: chats}, err
}
