package tg

import (
	"strconv"
	"testing"

	"parley/internal/tl"
)

// crowd returns the update that n participants joined a call.
func crowd(n int) *Updates {
	u := &UpdateGroupCallParticipants{Call: &InputGroupCall{ID: 1, AccessHash: 2}, Version: n}
	all := &Updates{Updates: []UpdateClass{u}, Date: 1}
	for i := range n {
		id := int64(1000001 + i)
		u.Participants = append(u.Participants, GroupCallParticipant{
			Versioned: true, CanSelfUnmute: true, Muted: true, Peer: &PeerUser{UserID: id}, Date: 1, Source: -i,
		})
		all.Users = append(all.Users, &User{
			ID: id, AccessHash: new(int64(7)), FirstName: new("Somebody"), Status: &UserStatusRecently{},
		})
	}
	return all
}

// TestEncodeAllocates expects an encoding to need nothing but its buffer.
func TestEncodeAllocates(t *testing.T) {
	o, buf := crowd(10), make([]byte, 0, 1<<16)
	for _, layer := range []int{MinLayer, 160, Layer} {
		n := testing.AllocsPerRun(100, func() {
			if err := o.Encode(tl.NewBuffer(buf), layer); err != nil {
				t.Fatal(err)
			}
		})
		if n > 1 {
			t.Errorf("at %d: %v allocations, want 1", layer, n)
		}
	}
}

// TestJSONAllocates expects JSON to need little but its buffer, which grows by
// steps.
func TestJSONAllocates(t *testing.T) {
	o := crowd(100)
	n := testing.AllocsPerRun(100, func() {
		if _, err := o.MarshalJSON(); err != nil {
			t.Fatal(err)
		}
	})
	if n > 30 {
		t.Errorf("%v allocations for %d participants", n, 100)
	}
}

func BenchmarkEncode(b *testing.B) {
	o := crowd(100)
	for _, layer := range []int{127, 160, Layer} {
		b.Run(strconv.Itoa(layer), func(b *testing.B) {
			buf := make([]byte, 0, 1<<16)
			b.ReportAllocs()
			for b.Loop() {
				if err := o.Encode(tl.NewBuffer(buf), layer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	data, err := Encode(crowd(100), Layer)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	o := crowd(100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.MarshalJSON(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnmarshalMethod(b *testing.B) {
	text := []byte(`{"call":{"_":"inputGroupCall","id":"1","access_hash":"2"},"join_as":{"_":"inputPeerSelf"},"muted":true,` +
		`"params":{"data":"{}"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := UnmarshalMethod("phone.joinGroupCall", text); err != nil {
			b.Fatal(err)
		}
	}
}
