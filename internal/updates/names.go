package updates

import (
	"context"
	"fmt"

	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/tg"
)

// names collects the peers that one viewer's answer names, so that all of them
// come with it: clients learn access hashes from nowhere else.
type names struct {
	viewer int64
	users  []int64
	chats  []peer.ID
	seen   map[peer.ID]bool
	// Messages of a channel's own: how they look depends on the channel.
	own []tg.MessageClass
}

func newNames(viewer int64) *names { return &names{viewer: viewer, seen: map[peer.ID]bool{}} }

// add names peers; the zero peer is nobody.
func (n *names) add(ids ...peer.ID) {
	for _, id := range ids {
		if id.ID == 0 || n.seen[id] {
			continue
		}
		n.seen[id] = true
		switch id.Kind {
		case peer.User:
			n.users = append(n.users, id.ID)
		case peer.Chat, peer.Channel:
			n.chats = append(n.chats, id)
		}
	}
}

func (n *names) addUsers(ids ...int64) {
	for _, id := range ids {
		n.add(peer.OfUser(id))
	}
}

// addAction names whom a service message speaks of.
func (n *names) addAction(action tg.MessageActionClass) {
	switch a := action.(type) {
	case *tg.MessageActionChatCreate:
		n.addUsers(a.Users...)
	case *tg.MessageActionChatAddUser:
		n.addUsers(a.Users...)
	case *tg.MessageActionChatDeleteUser:
		n.addUsers(a.UserID)
	case *tg.MessageActionChatJoinedByLink:
		n.addUsers(a.InviterID)
	case *tg.MessageActionInviteToGroupCall:
		n.addUsers(a.Users...)
	}
}

// addMessage names whoever a message shows.
func (n *names) addMessage(m message.Message) {
	n.add(m.Chat, m.From)
	n.addAction(m.Action)
}

// resolve returns the named peers as the viewer sees them. Messages that a
// channel posted itself get their last details here: posts in broadcast
// channels, from the group itself in supergroups.
func (s *Service) resolve(ctx context.Context, n *names) ([]tg.UserClass, []tg.ChatClass, error) {
	users, chats := []tg.UserClass{}, []tg.ChatClass{}
	var err error
	if len(n.users) > 0 {
		if users, err = s.peers.Users(ctx, n.viewer, n.users); err != nil {
			return nil, nil, fmt.Errorf("name users for user %d: %w", n.viewer, err)
		}
	}
	if len(n.chats) > 0 {
		if chats, err = s.peers.Chats(ctx, n.viewer, n.chats); err != nil {
			return nil, nil, fmt.Errorf("name chats for user %d: %w", n.viewer, err)
		}
	}
	n.finishOwn(chats)
	return users, chats, nil
}

func (n *names) finishOwn(chats []tg.ChatClass) {
	if len(n.own) == 0 {
		return
	}
	broadcast := map[int64]bool{}
	for _, c := range chats {
		switch c := c.(type) {
		case *tg.Channel:
			broadcast[c.ID] = c.Broadcast
		case *tg.ChannelForbidden:
			broadcast[c.ID] = c.Broadcast
		}
	}
	for _, m := range n.own {
		switch m := m.(type) {
		case *tg.Message:
			m.Post, m.FromID = ownPost(m.PeerID, broadcast)
		case *tg.MessageService:
			m.Post, m.FromID = ownPost(m.PeerID, broadcast)
		}
	}
}

func ownPost(chat tg.PeerClass, broadcast map[int64]bool) (post bool, from tg.PeerClass) {
	if c, ok := chat.(*tg.PeerChannel); ok && broadcast[c.ChannelID] {
		return true, nil
	}
	return false, chat
}
