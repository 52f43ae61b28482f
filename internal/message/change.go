package message

import "parley/internal/peer"

// ChangeKind tells what a change of a box was.
type ChangeKind uint8

// The kinds of changes, as they are stored.
const (
	Posted     ChangeKind = iota + 1 // a new message
	InboxRead                        // the owner read a chat up to a message
	OutboxRead                       // somebody read the owner's messages up to one
)

// Change is one step of a box's pts.
type Change struct {
	Box  peer.ID
	Pts  int // after the change
	Kind ChangeKind
	Chat peer.ID // seen from the box's owner
	ID   int     // the message
}

// State is where a box stands.
type State struct {
	Box     peer.ID
	Pts     int   // 1 when nothing happened yet
	LastID  int   // of the newest message ever
	Changed int64 // date of the last change
}

// Reading is what marking a chat as read changed.
type Reading struct {
	Pts     int      // of the reader's own box; a channel's when a channel was read
	MaxID   int      // how far the reader has read now
	Unread  int      // messages left to read
	Changed bool     // whether anything was new
	Others  []Change // OutboxRead of those whose messages were read; in a channel Box is the author and Pts is 0
}
