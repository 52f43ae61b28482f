package message

import "parley/internal/peer"

// Dialog is a chat in somebody's list of chats.
type Dialog struct {
	Chat       peer.ID
	Top        int   // newest message, 0 = none
	Date       int64 // of Top
	Pts        int   // channels only
	ReadInbox  int   // the viewer has read up to here
	ReadOutbox int   // the viewer's own messages are read up to here
	Unread     int
}

// Query selects a page of a chat's history, newest first. Zero fields do not
// restrict.
type Query struct {
	Box        peer.ID
	Chat       peer.ID
	OffsetID   int   // messages before this one
	OffsetDate int64 // messages before this date, unless OffsetID is given
	AddOffset  int   // skip so many; negative: begin so many newer
	Limit      int
	MaxID      int    // only ids below
	MinID      int    // only ids above
	Text       string // only texts that contain it
}
