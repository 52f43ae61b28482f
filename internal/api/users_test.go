package api

import (
	"errors"
	"slices"
	"testing"

	"parley/internal/rpc"
	"parley/internal/tg"
)

// TestVectorsAreBounded asks for one more than may be asked for at once,
// wherever the answer grows with the request; no service is asked.
func TestVectorsAreBounded(t *testing.T) {
	a := New(Config{})
	users := slices.Repeat([]tg.InputUserClass{&tg.InputUserSelf{}}, maxVector+1)
	for _, req := range []tg.Object{
		&tg.UsersGetUsersRequest{ID: users},
		&tg.ContactsDeleteContactsRequest{ID: users},
		&tg.ChannelsGetChannelsRequest{ID: make([]tg.InputChannelClass, maxVector+1)},
		&tg.MessagesGetChatsRequest{ID: make([]int64, maxVector+1)},
		&tg.MessagesGetMessagesViewsRequest{Peer: &tg.InputPeerSelf{}, ID: make([]int, maxVector+1)},
	} {
		if _, err := a.methods[req.TypeName()].do(t.Context(), rpc.Caller{User: 7}, req); !errors.Is(err, errLimit) {
			t.Errorf("%s: %v, want %v", req.TypeName(), err, errLimit)
		}
	}
}
