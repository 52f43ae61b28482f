package api

import (
	"context"

	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

var errSendAs = rpc.Err(400, "SEND_AS_PEER_INVALID")

func sendAsMethods(a *API) {
	on(a, usersOnly, a.getSendAs)
	on(a, usersOnly, a.saveDefaultSendAs)
}

// channels.getSendAs#e785a43f flags:# for_paid_reactions:flags.0?true for_live_stories:flags.1?true peer:InputPeer = channels.SendAsPeers;
//
// Messages are sent as oneself.
func (a *API) getSendAs(ctx context.Context, c rpc.Caller, r *tg.ChannelsGetSendAsRequest) (*tg.ChannelsSendAsPeers, error) {
	if err := a.readable(ctx, c, r.Peer); err != nil {
		return nil, err
	}
	self, err := a.self(ctx, c)
	if err != nil {
		return nil, err
	}
	return &tg.ChannelsSendAsPeers{
		Peers: []tg.SendAsPeer{{Peer: &tg.PeerUser{UserID: c.User}}}, Users: []tg.UserClass{self},
	}, nil
}

// messages.saveDefaultSendAs#ccfddf96 peer:InputPeer send_as:InputPeer = Bool;
func (a *API) saveDefaultSendAs(ctx context.Context, c rpc.Caller, r *tg.MessagesSaveDefaultSendAsRequest) (tg.Bool, error) {
	if err := a.readable(ctx, c, r.Peer); err != nil {
		return false, err
	}
	if as, err := a.peerOf(c, r.SendAs); err != nil || as != peer.OfUser(c.User) {
		return false, errSendAs
	}
	return true, nil
}

// readable tells whether an InputPeer means a chat that the caller can read.
func (a *API) readable(ctx context.Context, c rpc.Caller, in tg.InputPeerClass) error {
	chat, err := a.chatOf(c, in)
	if err != nil {
		return err
	}
	rights, err := a.Directory.Rights(ctx, c.User, chat)
	switch {
	case err != nil:
		return err
	case rights.Banned || !rights.CanRead:
		return errChannelPrivate
	}
	return nil
}
