// Package event is what one committed change made happen, in the order in
// which clients have to hear of it. Services make events, package updates
// turns them into Telegram's updates, one view per viewer.
package event

import (
	"parley/internal/call"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/tg"
)

// Event is one thing that happened.
type Event interface{ event() }

// Posted tells of one new message copy: updateNewMessage to the box's user, or
// updateNewChannelMessage to the channel's members.
type Posted struct{ Message message.Message }

// ChatChanged tells that members see a chat differently: updateChat or
// updateChannel with the fresh object.
type ChatChanged struct {
	Chat peer.ID
	Also []int64 // users to tell who are no members (any more)
}

// CallChanged tells members and participants of a call's state: updateGroupCall.
type CallChanged struct {
	Info        call.Info
	Subscribers []int64        // users whose schedule_start_subscribed is set
	Only        int64          // tell only this user; 0 = all
	InCall      []int64        // users joined now, told even when they are no members
	Except      map[int64]bool // users who know it already
}

// ParticipantsChanged tells some who are in a call of changes of its list:
// updateGroupCallParticipants, one for each.
type ParticipantsChanged struct {
	Call    call.ID
	Changes []ListChange // in the order of their versions
	To      []int64      // users to tell
	// Personal is what the only user in To has set for the entries.
	Personal map[peer.ID]Personal
}

// ListChange is entries of a call's list that are told under one version.
type ListChange struct {
	Version int
	Entries []call.Participant
}

// Personal is what one viewer set for one participant.
type Personal = call.Personal

// Connected is the join answer of the caller's own session; never pushed.
type Connected struct {
	Presentation bool
	Params       []byte // JSON
}

// Raw is a ready update for one user (0 = the caller only).
type Raw struct {
	User   int64
	Update tg.UpdateClass
}

func (Posted) event()              {}
func (ChatChanged) event()         {}
func (CallChanged) event()         {}
func (ParticipantsChanged) event() {}
func (Connected) event()           {}
func (Raw) event()                 {}
