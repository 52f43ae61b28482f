package tg

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"parley/internal/tl"
)

func TestRequest(t *testing.T) {
	req := &PhoneJoinGroupCallRequest{
		Muted: true, Call: &InputGroupCall{ID: 7, AccessHash: -9}, JoinAs: &InputPeerSelf{},
		InviteHash: new("hash"), Params: DataJSON{Data: "{}"},
	}
	b, err := Encode(req, Layer)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeMethod(b)
	if err != nil || !reflect.DeepEqual(got, req) {
		t.Fatalf("got %+v, %v", got, err)
	}
	text, err := json.Marshal(req)
	want := `{"_":"phone.joinGroupCall","muted":true,"call":{"_":"inputGroupCall","id":"7","access_hash":"-9"},` +
		`"join_as":{"_":"inputPeerSelf"},"invite_hash":"hash","params":{"_":"dataJSON","data":"{}"}}`
	if err != nil || string(text) != want {
		t.Fatalf("got %s, %v", text, err)
	}
	got, err = UnmarshalMethod("phone.joinGroupCall", text)
	if err != nil || !reflect.DeepEqual(got, req) {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestMethodName(t *testing.T) {
	for id, want := range map[uint32]string{
		0x8fb53057: "phone.joinGroupCall", 0xb132ff7b: "phone.joinGroupCall", // of an older layer
		new(InputGroupCall).TypeID(): "", 1: "",
	} {
		if got := MethodName(id); got != want {
			t.Errorf("MethodName(%#x) = %q, want %q", id, got, want)
		}
	}
}

func TestUnknownMethod(t *testing.T) {
	if _, err := DecodeMethod([]byte{1, 2, 3, 4}); !errors.Is(err, ErrUnknown) {
		t.Errorf("err = %v, want ErrUnknown", err)
	}
	if _, err := DecodeMethod([]byte{1, 2}); !errors.Is(err, tl.ErrShort) {
		t.Errorf("err = %v, want ErrShort", err)
	}
	if _, err := UnmarshalMethod("phone.groupCall", nil); !errors.Is(err, ErrUnknown) {
		t.Errorf("err = %v, want ErrUnknown", err)
	}
}
