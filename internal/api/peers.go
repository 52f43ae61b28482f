package api

import (
	"parley/internal/call"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// What a reference that can't be resolved answers.
var (
	errChannelInvalid = rpc.Err(400, "CHANNEL_INVALID")
	errUserID         = rpc.Err(400, "USER_ID_INVALID")
	errCallInvalid    = rpc.Err(400, "GROUPCALL_INVALID")
)

// maxVector bounds what is asked for at once, where the answer grows with it.
const maxVector = 200

var errLimit = rpc.Err(400, "LIMIT_INVALID")

// few refuses a vector that is too long.
func few[T any](in []T) error {
	if len(in) > maxVector {
		return errLimit
	}
	return nil
}

// peerOf returns the peer that an InputPeer means to the caller; the access
// hash has to be right.
func (a *API) peerOf(c rpc.Caller, in tg.InputPeerClass) (peer.ID, error) {
	switch p := in.(type) {
	case *tg.InputPeerSelf:
		return peer.OfUser(c.User), nil
	case *tg.InputPeerChat:
		if p.ChatID > 0 {
			return peer.OfChat(p.ChatID), nil
		}
	case *tg.InputPeerUser:
		if p.UserID == c.User || a.Hasher.Valid(peer.User, p.UserID, p.AccessHash) {
			return peer.OfUser(p.UserID), nil
		}
	case *tg.InputPeerChannel:
		if a.Hasher.Valid(peer.Channel, p.ChannelID, p.AccessHash) {
			return peer.OfChannel(p.ChannelID), nil
		}
	}
	return peer.ID{}, rpc.ErrPeerID
}

// chatOf returns the chat that an InputPeer means.
func (a *API) chatOf(c rpc.Caller, in tg.InputPeerClass) (peer.ID, error) {
	p, err := a.peerOf(c, in)
	if err != nil || p.Kind == peer.User {
		return peer.ID{}, rpc.ErrPeerID
	}
	return p, nil
}

// userOf returns the user that an InputUser means.
func (a *API) userOf(c rpc.Caller, in tg.InputUserClass) (int64, error) {
	switch u := in.(type) {
	case *tg.InputUserSelf:
		return c.User, nil
	case *tg.InputUser:
		if u.UserID == c.User || a.Hasher.Valid(peer.User, u.UserID, u.AccessHash) {
			return u.UserID, nil
		}
	}
	return 0, errUserID
}

// usersOf returns the users of a list; one that is wrong spoils it.
func (a *API) usersOf(c rpc.Caller, in []tg.InputUserClass) ([]int64, error) {
	ids := make([]int64, 0, len(in))
	for _, u := range in {
		id, err := a.userOf(c, u)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// channelOf returns the id of the channel that an InputChannel means.
func (a *API) channelOf(in tg.InputChannelClass) (int64, error) {
	if ch, ok := in.(*tg.InputChannel); ok && a.Hasher.Valid(peer.Channel, ch.ChannelID, ch.AccessHash) {
		return ch.ChannelID, nil
	}
	return 0, errChannelInvalid
}

// callOf returns the id of the call that an InputGroupCall means. A wrong id
// and a wrong hash answer the same.
func (a *API) callOf(in tg.InputGroupCallClass) (call.ID, error) {
	if g, ok := in.(*tg.InputGroupCall); ok && a.Hasher.Valid(peer.Call, g.ID, g.AccessHash) {
		return call.ID(g.ID), nil
	}
	return 0, errCallInvalid
}
