package message

import (
	"parley/internal/peer"
	"parley/internal/tg"
)

// Peer returns a peer as the API writes it; nil for nobody.
func Peer(id peer.ID) tg.PeerClass {
	switch id.Kind {
	case peer.User:
		return &tg.PeerUser{UserID: id.ID}
	case peer.Chat:
		return &tg.PeerChat{ChatID: id.ID}
	case peer.Channel:
		return &tg.PeerChannel{ChannelID: id.ID}
	}
	return nil
}
