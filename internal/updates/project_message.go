package updates

import (
	"slices"

	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/tg"
)

// message returns a message as the viewer of n sees it.
func (n *names) message(m message.Message) tg.MessageClass {
	n.addMessage(m)
	out := m.Out
	if m.Box.Kind == peer.Channel {
		out = m.Sender == n.viewer
	}
	var view tg.MessageClass
	if m.Action != nil {
		view = &tg.MessageService{
			Out: out, Mentioned: m.Mentioned || mentions(m.Action, n.viewer), ID: m.ID,
			FromID: message.Peer(m.From), PeerID: message.Peer(m.Chat), Date: int(m.Date), Action: m.Action,
		}
	} else {
		view = &tg.Message{
			Out: out, Mentioned: m.Mentioned, ID: m.ID,
			FromID: message.Peer(m.From), PeerID: message.Peer(m.Chat), Date: int(m.Date), Message: m.Text,
		}
	}
	if m.From.IsZero() && m.Chat.Kind == peer.Channel {
		n.own = append(n.own, view)
	}
	return view
}

func (n *names) messages(all []message.Message) []tg.MessageClass {
	views := make([]tg.MessageClass, len(all))
	for i, m := range all {
		views[i] = n.message(m)
	}
	return views
}

// mentions tells whether an action calls for a user's attention.
func mentions(action tg.MessageActionClass, user int64) bool {
	a, ok := action.(*tg.MessageActionInviteToGroupCall)
	return ok && slices.Contains(a.Users, user)
}

// posted returns the update that tells of a new message.
func (n *names) posted(m message.Message) tg.UpdateClass {
	if m.Box.Kind == peer.Channel {
		return &tg.UpdateNewChannelMessage{Message: n.message(m), Pts: m.Pts, PtsCount: 1}
	}
	return &tg.UpdateNewMessage{Message: n.message(m), Pts: m.Pts, PtsCount: 1}
}
