package api

import (
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"testing"

	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// TestHandle decodes what can't be a request.
func TestHandle(t *testing.T) {
	a := New(Config{Log: slog.New(slog.DiscardHandler)})
	known, err := tg.Encode(&tg.PhoneGetGroupCallRequest{Call: &tg.InputGroupCall{ID: 1}, Limit: 2}, tg.Layer)
	if err != nil {
		t.Fatal(err)
	}
	within := append([]byte(nil), known...)
	copy(within[4:8], []byte{1, 2, 3, 4})
	for name, tt := range map[string]struct {
		query []byte
		want  *rpc.Error
	}{
		"nothing":         {nil, rpc.ErrInput},
		"short":           {known[:3], rpc.ErrInput},
		"unknown method":  {[]byte{1, 2, 3, 4, 5, 6, 7, 8}, rpc.ErrMethod},
		"a constructor":   {known[4:], rpc.ErrMethod},
		"unknown within":  {within, errConstructor},
		"cut":             {known[:len(known)-1], rpc.ErrInput},
		"more than asked": {append(slices.Clip(known), 0, 0, 0, 0), rpc.ErrInput},
	} {
		_, err := a.Handle(t.Context(), rpc.NewSession(1, func(rpc.Body) {}), tt.query)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// TestTable checks that what is entered is of the schema, under its own name.
func TestTable(t *testing.T) {
	a := New(Config{})
	known := map[string]bool{}
	for _, name := range tg.Names(true) {
		known[name] = true
	}
	for name := range a.methods {
		if !known[name] {
			t.Errorf("%s is no method", name)
		}
	}
}

func TestPeers(t *testing.T) {
	a := New(Config{Hasher: peer.NewHasher([]byte("0123456789abcdef"))})
	c := rpc.Caller{User: 7}
	hash := func(kind peer.Kind, id int64) int64 { return a.Hasher.Of(kind, id) }
	for name, tt := range map[string]struct {
		in   tg.InputPeerClass
		want peer.ID // zero: refused
	}{
		"nothing":       {nil, peer.ID{}},
		"empty":         {&tg.InputPeerEmpty{}, peer.ID{}},
		"self":          {&tg.InputPeerSelf{}, peer.OfUser(7)},
		"self by id":    {&tg.InputPeerUser{UserID: 7}, peer.OfUser(7)},
		"user":          {&tg.InputPeerUser{UserID: 8, AccessHash: hash(peer.User, 8)}, peer.OfUser(8)},
		"other hash":    {&tg.InputPeerUser{UserID: 8, AccessHash: hash(peer.User, 9)}, peer.ID{}},
		"channel":       {&tg.InputPeerChannel{ChannelID: 8, AccessHash: hash(peer.Channel, 8)}, peer.OfChannel(8)},
		"user's hash":   {&tg.InputPeerChannel{ChannelID: 8, AccessHash: hash(peer.User, 8)}, peer.ID{}},
		"group":         {&tg.InputPeerChat{ChatID: 8}, peer.OfChat(8)},
		"negative":      {&tg.InputPeerChat{ChatID: -8}, peer.ID{}},
		"zero group":    {&tg.InputPeerChat{}, peer.ID{}},
		"seen in a msg": {&tg.InputPeerUserFromMessage{UserID: 8}, peer.ID{}},
	} {
		got, err := a.peerOf(c, tt.in)
		if got != tt.want || (err != nil) != tt.want.IsZero() {
			t.Errorf("%s: %v, %v, want %v", name, got, err, tt.want)
		}
	}
}

// TestConfig checks that clients are sent to this server, whichever data
// centre they believe to be on.
func TestConfig(t *testing.T) {
	for host, six := range map[string]bool{"127.0.0.1": false, "2001:db8::1": true} {
		a := New(Config{DC: 2, Host: netip.MustParseAddr(host), Port: 443})
		s := rpc.NewSession(1, func(rpc.Body) {})
		s.DC = 4
		got, err := a.getConfig(t.Context(), rpc.Caller{Session: s}, nil)
		if err != nil || got.ThisDC != 4 || len(got.DCOptions) != 5 {
			t.Fatalf("%+v, %v", got, err)
		}
		for i, o := range got.DCOptions {
			if o.ID != i+1 || o.IPAddress != host || o.IPv6 != six || o.Port != 443 {
				t.Errorf("option %+v", o)
			}
		}
	}
}
