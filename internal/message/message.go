// Package message is what stands in a history: texts and service messages,
// each in a box that numbers it and counts its changes (pts).
//
// A channel has one box for all. Private chats and basic groups are kept once
// per user, in that user's own box: there a message has another id for each.
package message

import (
	"slices"

	"parley/internal/peer"
	"parley/internal/tg"
)

// Draft is a message to be posted.
type Draft struct {
	Chat     peer.ID // where: a channel, a basic group, or the other user of a private chat
	From     peer.ID // who it appears as; the channel itself for a post without author
	Sender   int64   // the user who really sent it: its copy is "out"; 0 = the server
	Date     int64   // unix seconds
	Text     string
	Action   tg.MessageActionClass // a service message's; nil for a text
	RandomID int64                 // de-duplicates by sender; 0 = none
	To       int64                 // private chats: only this user gets a copy (service notices); 0 = both sides
	Mentions []int64               // users who get it as mentioned
}

// Message is one copy of a posted message.
type Message struct {
	Box       peer.ID // whose numbering ID and Pts belong to: a channel, or a user
	ID        int     // > 0, in the box
	Pts       int     // of the box right after this message; the change counts 1
	Chat      peer.ID // where it stands, seen from the box's owner
	From      peer.ID // zero in a channel's own posts
	Out       bool    // the box's owner sent it (channels: see Sender)
	Sender    int64
	Date      int64
	Text      string
	Action    tg.MessageActionClass
	RandomID  int64
	Mentioned bool
}

// CopyFor returns the copy of m for the box of user, who sees it in chat; the
// box numbers it later.
func (m Message) CopyFor(user int64, chat peer.ID, mentions []int64) Message {
	m.Box, m.Chat = peer.OfUser(user), chat
	m.Out = user == m.Sender
	m.Mentioned = slices.Contains(mentions, user)
	return m
}
