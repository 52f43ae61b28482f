package api

import (
	"context"

	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
	"parley/internal/updates"
)

func messageMethods(a *API) {
	on(a, signedIn, a.sendMessage)
	on(a, usersOnly, a.getDialogs)
	on(a, usersOnly, a.getPeerDialogs)
	on(a, usersOnly, a.getPinnedDialogs)
	on(a, usersOnly, a.getHistory)
	on(a, usersOnly, a.searchMessages)
	on(a, signedIn, a.getMessages)
	on(a, signedIn, a.getChannelMessages)
	on(a, usersOnly, a.readHistory)
	on(a, usersOnly, a.readChannelHistory)
	on(a, signedIn, a.setTyping)
}

// messages.sendMessage#545cd15a … peer:InputPeer … message:string random_id:long … = Updates;
func (a *API) sendMessage(ctx context.Context, c rpc.Caller, r *tg.MessagesSendMessageRequest) (tg.UpdatesClass, error) {
	to, err := a.peerOf(c, r.Peer)
	if err != nil {
		return nil, err
	}
	return a.Updates.SendMessage(ctx, c, to, r.Message, r.RandomID)
}

// messages.getDialogs#a0f4cb4f flags:# exclude_pinned:flags.0?true folder_id:flags.1?int offset_date:int offset_id:int offset_peer:InputPeer limit:int hash:long = messages.Dialogs;
//
// Everything is in the main list: an archive (folder 1) would be empty.
func (a *API) getDialogs(ctx context.Context, c rpc.Caller, r *tg.MessagesGetDialogsRequest) (tg.MessagesDialogsClass, error) {
	if r.FolderID != nil && *r.FolderID != 0 {
		return &tg.MessagesDialogs{
			Dialogs: []tg.Dialog{}, Messages: []tg.MessageClass{}, Chats: []tg.ChatClass{}, Users: []tg.UserClass{},
		}, nil
	}
	from := updates.Page{Date: int64(r.OffsetDate), Limit: r.Limit}
	if p, err := a.peerOf(c, r.OffsetPeer); err == nil {
		from.Peer = p
	}
	return a.Updates.Dialogs(ctx, c.User, from)
}

// messages.getPeerDialogs#e470bcfd peers:Vector<InputDialogPeer> = messages.PeerDialogs;
func (a *API) getPeerDialogs(ctx context.Context, c rpc.Caller, r *tg.MessagesGetPeerDialogsRequest) (*tg.MessagesPeerDialogs, error) {
	var peers []peer.ID
	for _, in := range r.Peers {
		d, ok := in.(*tg.InputDialogPeer)
		if !ok { // a folder
			continue
		}
		p, err := a.peerOf(c, d.Peer)
		if err != nil {
			return nil, err
		}
		peers = append(peers, p)
	}
	return a.Updates.PeerDialogs(ctx, c.User, peers)
}

// messages.getPinnedDialogs#d6b94df2 folder_id:int = messages.PeerDialogs;
func (a *API) getPinnedDialogs(ctx context.Context, c rpc.Caller, _ *tg.MessagesGetPinnedDialogsRequest) (*tg.MessagesPeerDialogs, error) {
	return a.Updates.PinnedDialogs(ctx, c.User)
}

// messages.getHistory#4423e6c5 peer:InputPeer offset_id:int offset_date:int add_offset:int limit:int max_id:int min_id:int hash:long = messages.Messages;
func (a *API) getHistory(ctx context.Context, c rpc.Caller, r *tg.MessagesGetHistoryRequest) (tg.MessagesMessagesClass, error) {
	p, err := a.peerOf(c, r.Peer)
	if err != nil {
		return nil, err
	}
	return a.Updates.History(ctx, c.User, p, message.Query{
		OffsetID: r.OffsetID, OffsetDate: int64(r.OffsetDate), AddOffset: r.AddOffset, Limit: r.Limit, MaxID: r.MaxID, MinID: r.MinID,
	})
}

// messages.search#29ee847a … peer:InputPeer q:string … = messages.Messages;
func (a *API) searchMessages(ctx context.Context, c rpc.Caller, r *tg.MessagesSearchRequest) (tg.MessagesMessagesClass, error) {
	p, err := a.peerOf(c, r.Peer)
	if err != nil {
		return nil, err
	}
	return a.Updates.Search(ctx, c.User, p, message.Query{
		Text: r.Q, OffsetID: r.OffsetID, AddOffset: r.AddOffset, Limit: r.Limit, MaxID: r.MaxID, MinID: r.MinID,
	})
}

// messages.getMessages#63c66506 id:Vector<InputMessage> = messages.Messages;
func (a *API) getMessages(ctx context.Context, c rpc.Caller, r *tg.MessagesGetMessagesRequest) (tg.MessagesMessagesClass, error) {
	return a.Updates.Messages(ctx, c.User, peer.ID{}, messageIDs(r.ID))
}

// channels.getMessages#ad8c9a23 channel:InputChannel id:Vector<InputMessage> = messages.Messages;
func (a *API) getChannelMessages(ctx context.Context, c rpc.Caller, r *tg.ChannelsGetMessagesRequest) (tg.MessagesMessagesClass, error) {
	id, err := a.channelOf(r.Channel)
	if err != nil {
		return nil, err
	}
	return a.Updates.Messages(ctx, c.User, peer.OfChannel(id), messageIDs(r.ID))
}

// messageIDs returns the ids of messages; what is no id names no message.
func messageIDs(in []tg.InputMessageClass) []int {
	ids := make([]int, len(in))
	for i, m := range in {
		if m, ok := m.(*tg.InputMessageID); ok {
			ids[i] = m.ID
		}
	}
	return ids
}

// messages.readHistory#0e306d3a peer:InputPeer max_id:int = messages.AffectedMessages;
func (a *API) readHistory(ctx context.Context, c rpc.Caller, r *tg.MessagesReadHistoryRequest) (*tg.MessagesAffectedMessages, error) {
	p, err := a.peerOf(c, r.Peer)
	if err != nil || p.Kind == peer.Channel {
		return nil, rpc.ErrPeerID
	}
	return a.Updates.ReadHistory(ctx, c, p, r.MaxID)
}

// channels.readHistory#cc104937 channel:InputChannel max_id:int = Bool;
func (a *API) readChannelHistory(ctx context.Context, c rpc.Caller, r *tg.ChannelsReadHistoryRequest) (tg.Bool, error) {
	id, err := a.channelOf(r.Channel)
	if err != nil {
		return false, err
	}
	_, err = a.Updates.ReadChannel(ctx, c, peer.OfChannel(id), r.MaxID)
	return true, err
}

// messages.setTyping#58943ee2 flags:# peer:InputPeer top_msg_id:flags.0?int action:SendMessageAction = Bool;
func (a *API) setTyping(ctx context.Context, c rpc.Caller, r *tg.MessagesSetTypingRequest) (tg.Bool, error) {
	p, err := a.peerOf(c, r.Peer)
	if err != nil {
		return false, err
	}
	if _, speaks := r.Action.(*tg.SpeakingInGroupCallAction); !speaks {
		return true, a.Updates.Typing(ctx, c, p, r.Action)
	}
	as, err := a.Calls.Speaking(ctx, c, p)
	if err != nil || as.IsZero() {
		return true, err
	}
	return true, a.Updates.Speaking(ctx, c, p, as)
}
