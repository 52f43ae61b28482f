package tg

import (
	"bytes"
	"testing"
)

func TestResults(t *testing.T) {
	updates := &Updates{Date: 7}
	user := &User{ID: 3, AccessHash: new(int64(4))}
	full := &UsersUserFull{FullUser: UserFull{ID: 3}, Users: []UserClass{user}}
	for name, tt := range map[string]struct {
		req, res Object
		last     int // layer that expects old
		old      Object
	}{
		"createChat":   {&MessagesCreateChatRequest{}, &MessagesInvitedUsers{Updates: updates}, 176, updates},
		"addChatUser":  {&MessagesAddChatUserRequest{}, &MessagesInvitedUsers{Updates: updates}, 176, updates},
		"joinChannel":  {&ChannelsJoinChannelRequest{}, &MessagesChatInviteJoinResultOk{Updates: updates}, 226, updates},
		"logOut":       {&AuthLogOutRequest{}, &AuthLoggedOut{}, 134, Bool(true)},
		"getAppConfig": {&HelpGetAppConfigRequest{}, &HelpAppConfig{Config: &JSONObject{}}, 153, &JSONObject{}},
		"peerSettings": {&MessagesGetPeerSettingsRequest{}, &MessagesPeerSettings{}, 134, &PeerSettings{}},
		"filters":      {&MessagesGetDialogFiltersRequest{}, &MessagesDialogFilters{}, 175, EmptyVector{}},
		"canSendStory": {&StoriesCanSendStoryRequest{}, &StoriesCanSendStoryCount{}, 202, Bool(false)},
		"full":         {&UsersGetFullUserRequest{}, full, 134, &UserFull{ID: 3, User: user}},
		"check":        {&PhoneCheckGroupCallRequest{}, IntVector{7}, 128, Bool(true)},
		"checkGone":    {&PhoneCheckGroupCallRequest{}, IntVector{}, 128, Bool(false)},
		"callMessage":  {&PhoneSendGroupCallMessageRequest{}, updates, 216, Bool(true)},
		"history":      {&ChannelsDeleteHistoryRequest{}, updates, 139, Bool(true)},
		"readers": {
			&MessagesGetMessageReadParticipantsRequest{}, ReadParticipantDateVector{{UserID: 5}}, 153, LongVector{5},
		},
	} {
		for _, layer := range []int{tt.last, tt.last + 1} {
			want := tt.old
			if layer > tt.last {
				want = tt.res
			}
			expected, err := Encode(want, layer)
			if err != nil {
				t.Fatalf("%s at %d: %v", name, layer, err)
			}
			got, err := EncodeResult(tt.req, tt.res, layer)
			if err != nil || !bytes.Equal(got, expected) {
				t.Errorf("%s at %d: %x, %v, want %x", name, layer, got, err, expected)
			}
		}
	}
}

func TestClamp(t *testing.T) {
	for layer, want := range map[int]int{0: 127, 126: 127, 127: 127, 200: 200, 229: 229, 999: 229} {
		if got := Clamp(layer); got != want {
			t.Errorf("Clamp(%d) = %d, want %d", layer, got, want)
		}
	}
}
