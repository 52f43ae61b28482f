package tg

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"parley/internal/tl"
)

// bomb returns a request whose JSON value is arrays in arrays.
func bomb(size int) []byte {
	b := tl.NewBuffer(nil)
	b.PutID((&InitConnectionRequest{}).TypeID())
	b.PutID(2) // params
	b.PutInt(1)
	for range 6 {
		b.PutString("")
	}
	for b.Len() < size {
		b.PutID((&JSONArray{}).TypeID())
		b.PutID(tl.VectorID)
		b.PutInt(1)
	}
	return b.Bytes()[:size]
}

func TestLimits(t *testing.T) {
	wide := tl.NewBuffer(nil)
	wide.PutID((&UsersGetUsersRequest{}).TypeID())
	wide.PutID(tl.VectorID)
	wide.PutInt(tl.MaxNodes + 1)
	for range tl.MaxNodes + 1 {
		wide.PutID((&InputUserSelf{}).TypeID())
	}
	count := append(bytes.Clone(wide.Bytes()[:8]), 0xff, 0xff, 0xff, 0x7f)
	for name, tt := range map[string]struct {
		data []byte
		want error
	}{
		"depth":    {bomb(tl.MaxSize), tl.ErrLimit},
		"size":     {make([]byte, tl.MaxSize+1), tl.ErrLimit},
		"nodes":    {wide.Bytes(), tl.ErrLimit},
		"count":    {count, tl.ErrShort},
		"trailing": {append(plain(t), 0, 0, 0, 0), errTrailing},
		"unserved": {unserved(t), errUnserved},
	} {
		start := time.Now()
		if _, err := DecodeMethod(tt.data); !errors.Is(err, tt.want) {
			t.Errorf("%s: err = %v, want %v", name, err, tt.want)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// plain returns a request without fields.
func plain(t *testing.T) []byte {
	t.Helper()
	b, err := Encode(&UpdatesGetStateRequest{}, Layer)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// unserved returns a request with a field of a class that is not served.
func unserved(t *testing.T) []byte {
	t.Helper()
	b, err := Encode(&MessagesSendMessageRequest{Peer: &InputPeerSelf{}, Message: "hi"}, Layer)
	if err != nil {
		t.Fatal(err)
	}
	b[4] |= 1 << 2 // reply_markup
	return b
}

func TestJSONLimits(t *testing.T) {
	deep := strings.Repeat(`{"_":"jsonArray","value":[`, 200) + strings.Repeat("]}", 200)
	for name, tt := range map[string]struct {
		method, data string
		want         error
	}{
		"depth":       {"initConnection", `{"params":` + deep + `}`, tl.ErrLimit},
		"brackets":    {"initConnection", strings.Repeat(`{"params":`, tl.MaxSize/10), nil},
		"size":        {"initConnection", strings.Repeat(" ", tl.MaxSize+1), tl.ErrLimit},
		"field":       {"updates.getState", `{"x":1}`, ErrUnknown},
		"kept":        {"phone.checkGroupCall", `{"source":1}`, ErrUnknown},
		"constructor": {"phone.getGroupCall", `{"call":{"_":"nothing"}}`, ErrUnknown},
		"range":       {"phone.getGroupCall", `{"limit":4294967296}`, tl.ErrRange},
		"class":       {"phone.getGroupCall", `{"call":{"_":"peerUser"}}`, errType},
		"type":        {"phone.getGroupCall", `{"call":7}`, errType},
		"trailing":    {"updates.getState", `{} {}`, errTrailing},
		"name":        {"updates.getState", `{"_":"updates.state"}`, errConstructor},
	} {
		_, err := UnmarshalMethod(tt.method, []byte(tt.data))
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: err = %v, want %v", name, err, tt.want)
		}
	}
}

// TestJSONErrors pins what is told to whoever writes a request by hand.
func TestJSONErrors(t *testing.T) {
	for _, tt := range []struct{ method, data, says string }{
		{"updates.getState", `{"bogus":1}`, `unmarshal updates.getState: unknown field "bogus"`},
		{"updates.getState", `[]`, `want an object`},
		{"updates.getState", `7`, `want an object`},
		{
			"phone.getGroupCall", `{"call":{"id":1}}`,
			`field call: needs "_", one of inputGroupCall, inputGroupCallInviteMessage, inputGroupCallSlug`,
		},
		{"phone.getGroupCall", `{"call":7}`, `field call: wrong type: want an object`},
		{"phone.getGroupCall", `{"call":{"_":"nothing"}}`, `unknown constructor "nothing", want one of inputGroupCall, `},
		{"phone.getGroupCall", `{"call":{"_":"peerUser"}}`, `wrong type: want one of inputGroupCall, `},
		{"initConnection", `{"params":{"_":"jsonArray","value":[7]}}`, `field params: field value: element 0: wrong type: want an object`},
		{"messages.sendMessage", `{"peer":{}}`, `needs "_", one of inputPeer`},
		{"channels.getParticipants", `{"filter":{"_":7}}`, `needs "_", one of channelParticipants`},
	} {
		_, err := UnmarshalMethod(tt.method, []byte(tt.data))
		if err == nil || !strings.Contains(err.Error(), tt.says) || len(err.Error()) > 400 {
			t.Errorf("%s %s: %v, want %s", tt.method, tt.data, err, tt.says)
		}
	}
}

// TestJSONShapes pins what a browser sends and sees.
func TestJSONShapes(t *testing.T) {
	o, err := UnmarshalMethod("channels.getFullChannel", []byte(`{"channel":{"_":"inputPeerChannel","channel_id":5,"access_hash":"-6"}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"_":"channels.getFullChannel","channel":{"_":"inputChannel","channel_id":"5","access_hash":"-6"}}`
	if text, err := json.Marshal(o); err != nil || string(text) != want {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
	want = `{"_":"updates","updates":[],"users":[],"chats":[],"date":0,"seq":0}`
	if text, err := json.Marshal(&Updates{}); err != nil || string(text) != want {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
	want = `[{"_":"userEmpty","id":"1"}]`
	if text, err := json.Marshal(UserVector{&UserEmpty{ID: 1}}); err != nil || string(text) != want {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
	if text, err := json.Marshal(IntVector{1, -2}); err != nil || string(text) != "[1,-2]" {
		t.Errorf("got %s, %v", text, err)
	}
	if text, err := json.Marshal(Bool(true)); err != nil || string(text) != "true" {
		t.Errorf("got %s, %v", text, err)
	}
}
