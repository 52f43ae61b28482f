package tg

import (
	"encoding/hex"
	"reflect"
	"testing"

	"parley/internal/tl"
)

// at returns an object as a client of the layer gets it, decoded again.
func at[T Object](t *testing.T, o Object, layer int) T {
	t.Helper()
	b, err := Encode(o, layer)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	v, ok := back.(T)
	if !ok {
		t.Fatalf("at %d: %T, want %T", layer, back, v)
	}
	return v
}

func TestUpdateGroupCall(t *testing.T) {
	call := &GroupCall{ID: 1, AccessHash: 2, Title: new("t"), Version: 3}
	u := &UpdateGroupCall{Peer: &PeerChannel{ChannelID: 9}, Call: call}
	for _, layer := range []int{127, 132, 133, 195, 196, 216} {
		if got := at[*UpdateGroupCall](t, u, layer); got.ChatID != 9 || got.Peer != nil {
			t.Errorf("at %d: chat_id = %d, peer = %v", layer, got.ChatID, got.Peer)
		}
	}
	if got := at[*UpdateGroupCall](t, u, 217); !reflect.DeepEqual(got, u) {
		t.Errorf("at 217: %+v", got)
	}
	if u.ChatID != 0 {
		t.Error("the original was changed")
	}
}

func TestConnectionFolds(t *testing.T) {
	call := &GroupCall{ID: 1, Version: 3}
	u := &Updates{Updates: []UpdateClass{
		&UpdateGroupCall{Peer: &PeerChat{ChatID: 9}, Call: call},
		&UpdateGroupCallConnection{Params: DataJSON{Data: "{}"}},
		&UpdateGroupCallConnection{Presentation: true, Params: DataJSON{Data: "no"}},
	}}
	got := at[*Updates](t, u, 128)
	if len(got.Updates) != 1 {
		t.Fatalf("%d updates, want 1", len(got.Updates))
	}
	params := got.Updates[0].(*UpdateGroupCall).Call.(*GroupCall).Params
	if params == nil || params.Data != "{}" || call.Params != nil {
		t.Errorf("params = %v, original %v", params, call.Params)
	}
	if got := at[*Updates](t, u, 129); len(got.Updates) != 3 {
		t.Errorf("at 129: %d updates, want 3", len(got.Updates))
	}
}

func TestUnknownIsDropped(t *testing.T) {
	conference := &MessageService{
		ID: 1, PeerID: &PeerUser{UserID: 2}, Action: &MessageActionConferenceCall{CallID: 3},
	}
	u := &Updates{Updates: []UpdateClass{
		&UpdateNewMessage{Message: conference, Pts: 1},
		&UpdateGroupCallChainBlocks{Call: &InputGroupCall{}},
	}}
	got := at[*Updates](t, u, 201)
	if len(got.Updates) != 1 {
		t.Fatalf("%d updates, want 1", len(got.Updates))
	}
	action := got.Updates[0].(*UpdateNewMessage).Message.(*MessageService).Action
	if _, ok := action.(*MessageActionEmpty); !ok {
		t.Errorf("action = %T", action)
	}
	if got := at[*Updates](t, &UpdateShort{Update: u.Updates[1], Date: 5}, 201); got.Date != 5 {
		t.Errorf("date = %d", got.Date)
	}
	if b, err := Encode(u.Updates[1], 201); err == nil {
		t.Errorf("encoded %x", b)
	}
}

func TestRequired(t *testing.T) {
	if _, err := Encode(&UpdateGroupCall{}, Layer); err == nil {
		t.Error("encoded without call")
	}
	if got := at[*Chat](t, &Chat{ID: 1}, Layer); got.Photo == nil {
		t.Error("no photo")
	}
}

func TestRange(t *testing.T) {
	u := &PeerUser{UserID: 1 << 31}
	if _, err := Encode(u, 132); err == nil {
		t.Error("encoded an id that does not fit")
	}
	if _, err := Encode(u, 133); err != nil {
		t.Error(err)
	}
}

// TestOldRequests decodes requests as clients of layer 128 wrote them.
func TestOldRequests(t *testing.T) {
	call := "0f84aad8" + "0100000000000000" + "0200000000000000"
	self := "c97ea07d"
	for name, tt := range map[string]struct {
		data string
		want Object
	}{
		"check": {
			"ea7b4ab7" + call + "07000000",
			&PhoneCheckGroupCallRequest{Call: &InputGroupCall{ID: 1, AccessHash: 2}, Sources: []int{7}},
		},
		"unmute": {
			"80eb75d9" + "00000000" + call + self,
			&PhoneEditGroupCallParticipantRequest{
				Call: &InputGroupCall{ID: 1, AccessHash: 2}, Participant: &InputPeerSelf{}, Muted: new(false),
			},
		},
		"mute": {
			"80eb75d9" + "01000000" + call + self,
			&PhoneEditGroupCallParticipantRequest{
				Call: &InputGroupCall{ID: 1, AccessHash: 2}, Participant: &InputPeerSelf{}, Muted: new(true),
			},
		},
		"volume": {
			"80eb75d9" + "02000000" + call + self + "10270000",
			&PhoneEditGroupCallParticipantRequest{
				Call: &InputGroupCall{ID: 1, AccessHash: 2}, Participant: &InputPeerSelf{}, Volume: new(10000),
			},
		},
		"get": {"17b07c0c" + call, &PhoneGetGroupCallRequest{Call: &InputGroupCall{ID: 1, AccessHash: 2}}},
	} {
		data, err := hex.DecodeString(tt.data)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeMethod(data)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestCoercion sends an InputPeer where InputChannel or InputUser is
// declared, and the other way round.
func TestCoercion(t *testing.T) {
	for _, tt := range []struct {
		method uint32
		given  Object
		want   Object
	}{
		{
			(&ChannelsGetFullChannelRequest{}).TypeID(), &InputPeerChannel{ChannelID: 1, AccessHash: 2},
			&ChannelsGetFullChannelRequest{Channel: &InputChannel{ChannelID: 1, AccessHash: 2}},
		},
		{(&UsersGetFullUserRequest{}).TypeID(), &InputPeerSelf{}, &UsersGetFullUserRequest{ID: &InputUserSelf{}}},
		{(&UsersGetFullUserRequest{}).TypeID(), &InputPeerEmpty{}, &UsersGetFullUserRequest{ID: &InputUserEmpty{}}},
		{
			(&PhoneGetGroupCallJoinAsRequest{}).TypeID(), &InputUser{UserID: 1, AccessHash: 2},
			&PhoneGetGroupCallJoinAsRequest{Peer: &InputPeerUser{UserID: 1, AccessHash: 2}},
		},
	} {
		b := tl.NewBuffer(nil)
		b.PutID(tt.method)
		if err := tt.given.Encode(b, Layer); err != nil {
			t.Fatal(err)
		}
		got, err := DecodeMethod(b.Bytes())
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v", tt.given.TypeName(), got, err)
		}
	}
	b := tl.NewBuffer(nil)
	b.PutID((&ChannelsGetFullChannelRequest{}).TypeID())
	if err := (&InputPeerChat{ChatID: 1}).Encode(b, Layer); err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeMethod(b.Bytes()); err == nil {
		t.Errorf("took a basic group for a channel: %+v", got)
	}
}
