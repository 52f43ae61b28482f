package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/gotd/td/telegram/calls"
	"github.com/gotd/td/tg"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"parley/e2e/harness"
	"parley/e2e/harness/scenario"
)

// frame is the length of one Opus packet.
const frame = 20 * time.Millisecond

// voice is a client in a call: what it says and what it hears.
type voice struct {
	*client
	call  *calls.GroupCall
	sound [][]byte // what its packets carry, again and again

	mu    sync.Mutex
	heard map[uint32]int // packets by SSRC; guarded by mu
	odd   string         // what was wrong with one of them; guarded by mu
}

// join puts a client into the call, speaking, and lets it listen.
func join(t *testing.T, c *client, call scenario.Call, says string, hears []byte) *voice {
	t.Helper()
	v := &voice{client: c, call: calls.NewGroupCall(c.api, calls.Options{}), sound: [][]byte{[]byte(says)}, heard: map[uint32]int{}}
	v.call.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			p, _, err := track.ReadRTP()
			if err != nil {
				return // the connection is closed
			}
			v.hear(p, hears)
		}
	})
	ctx, stop := context.WithTimeout(t.Context(), 2*harness.Patience)
	defer stop()
	if err := v.call.Join(ctx, inputCall(call), &tg.InputPeerSelf{}); err != nil {
		t.Fatal("join the call:", err)
	}
	hearAll(v.call)
	return v
}

// hearAll has a joined call's connection take sources that its session
// description does not name, which are all: the pinned pion does that only for
// those who ask, and gotd does not ask.
func hearAll(call *calls.GroupCall) {
	conn := reflect.ValueOf(call).Elem().FieldByName("conn").Elem()
	pc := (*webrtc.PeerConnection)(conn.FieldByName("pc").UnsafePointer())
	api := reflect.ValueOf(pc).Elem().FieldByName("api").Elem()
	settings := (*webrtc.SettingEngine)(api.FieldByName("settingEngine").UnsafePointer())
	settings.SetHandleUndeclaredSSRCWithoutAnswer(true)
}

// hear notes a packet.
func (v *voice) hear(p *rtp.Packet, want []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.heard[p.SSRC]++
	if want != nil && !bytes.Equal(p.Payload, want) {
		v.odd = fmt.Sprintf("source %d: payload %q, want %q", p.SSRC, p.Payload, want)
	}
	if p.PayloadType != 111 {
		v.odd = fmt.Sprintf("source %d: payload type %d, want 111", p.SSRC, p.PayloadType)
	}
}

// count returns how many packets of a source were heard.
func (v *voice) count(source int) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.heard[uint32(int32(source))]
}

// speak writes packets until the test ends or the function returned is called.
func (v *voice) speak(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(frame)
		defer tick.Stop()
		for n := uint16(1); ; n++ {
			p := &rtp.Packet{
				Header:  rtp.Header{Version: 2, PayloadType: 111, SequenceNumber: n, Timestamp: uint32(n) * 960, Marker: n == 1},
				Payload: v.sound[int(n)%len(v.sound)],
			}
			if err := v.call.WriteAudio(p); err != nil && ctx.Err() == nil {
				t.Errorf("write audio: %v", err)
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// source returns the source that a user's entry in the call's list names, and
// the list's version.
func (v *voice) source(t *testing.T, call scenario.Call, user int64) (entry scenario.Participant, version int) {
	t.Helper()
	r, err := v.api.PhoneGetGroupParticipants(t.Context(), &tg.PhoneGetGroupParticipantsRequest{
		Call: inputCall(call), IDs: []tg.InputPeerClass{}, Sources: []int{}, Limit: 100,
	})
	if err != nil {
		t.Fatal("get the participants:", err)
	}
	for _, p := range r.Participants {
		if e := participant(p); e.User == user {
			return e, r.Version
		}
	}
	t.Fatalf("user %d is not among the participants: %+v", user, r.Participants)
	return scenario.Participant{}, 0
}

// TestSound lets two people talk in a call that was scheduled and started.
func TestSound(t *testing.T) {
	s := harness.Start(t)
	owner, member, chat, call := startedCall(t, s, dialer())

	began := time.Now()
	a := join(t, owner, call, "owner's voice", []byte("member's voice"))
	b := join(t, member, call, "member's voice", []byte("owner's voice"))
	stopA, stopB := a.speak(t), b.speak(t)
	defer stopA()

	ownerIn, _ := b.source(t, call, owner.self.ID)
	memberIn, version := a.source(t, call, member.self.ID)
	if uint32(int32(ownerIn.Source)) != a.call.AudioSSRC() || uint32(int32(memberIn.Source)) != b.call.AudioSSRC() {
		t.Errorf("sources %d and %d, want %d and %d", ownerIn.Source, memberIn.Source, a.call.AudioSSRC(), b.call.AudioSSRC())
	}
	a.hears(t, memberIn.Source)
	b.hears(t, ownerIn.Source)
	if c, err := member.Chat(t.Context(), chat.Title); err != nil || !c.CallNotEmpty {
		t.Errorf("chat with people in its call: %+v, %v", c, err)
	}

	muted(t, a, b, call, memberIn.Source)

	stopB()
	if err := b.call.Leave(t.Context()); err != nil {
		t.Error("leave the call:", err)
	}
	left, leftVersion := owner.news.Participant(t, "left", func(p scenario.Participant) bool {
		return p.User == member.self.ID && p.Left
	})
	if left.Source != memberIn.Source || !left.Versioned || leftVersion <= version {
		t.Errorf("entry of who left: %+v at version %d after %d", left, leftVersion, version)
	}

	ends(t, owner, member, call, began)
	a.mu.Lock()
	b.mu.Lock()
	defer a.mu.Unlock()
	defer b.mu.Unlock()
	if a.odd+b.odd != "" {
		t.Errorf("heard wrong things: %s %s", a.odd, b.odd)
	}
}

// hears waits for a source to be heard for a while.
func (v *voice) hears(t *testing.T, source int) {
	t.Helper()
	from := v.count(source)
	harness.Eventually(t, func() string {
		if n := v.count(source) - from; n < 25 {
			return fmt.Sprintf("heard %d packets of source %d; all: %v", n, source, v.heardAll())
		}
		return ""
	})
}

// heardAll returns a copy of all counts.
func (v *voice) heardAll() map[uint32]int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return maps.Clone(v.heard)
}

// muted lets the owner silence the member, who must not come back alone, and
// then lets the member speak again.
func muted(t *testing.T, owner, member *voice, call scenario.Call, source int) {
	t.Helper()
	edit := func(v *voice, on bool) error {
		req := &tg.PhoneEditGroupCallParticipantRequest{Call: inputCall(call), Participant: &tg.InputPeerSelf{}}
		if v == owner {
			u, err := v.FindUser(t.Context(), member.self.Phone)
			if err != nil {
				return err
			}
			req.Participant = &tg.InputPeerUser{UserID: u.ID, AccessHash: u.AccessHash}
		}
		req.SetMuted(on)
		_, err := v.api.PhoneEditGroupCallParticipant(t.Context(), req)
		return err
	}
	if err := edit(owner, true); err != nil {
		t.Fatal("mute the member:", err)
	}
	if p, _ := owner.source(t, call, member.self.ID); !p.Muted || p.CanSelfUnmute {
		t.Errorf("entry of who is muted by force: %+v", p)
	}
	member.news.Participant(t, "force-muted", func(p scenario.Participant) bool {
		return p.User == member.self.ID && p.Muted && !p.CanSelfUnmute
	})
	if err := edit(member, false); err == nil {
		t.Error("the member unmutes itself against the owner's will")
	}
	silent(t, owner, source)
	if err := edit(owner, false); err != nil {
		t.Fatal("allow the member to speak:", err)
	}
	if err := edit(member, false); err != nil {
		t.Fatal("the member unmutes itself:", err)
	}
	owner.hears(t, source)
}

// silent checks that nothing of a source comes through, though it is sent.
func silent(t *testing.T, v *voice, source int) {
	t.Helper()
	const settle, listen = 500 * time.Millisecond, 2 * time.Second
	<-time.After(settle) // what was under way
	before := v.count(source)
	<-time.After(listen)
	if n := v.count(source) - before; n != 0 {
		t.Errorf("%d packets in %v after the mute", n, listen)
	}
}

// ends discards the call and checks how long it was said to last.
func ends(t *testing.T, owner, member *client, call scenario.Call, began time.Time) {
	t.Helper()
	told, err := owner.Discard(t.Context(), call)
	if err != nil {
		t.Fatal("discard the call:", err)
	}
	end := told.OneCall(t)
	atLeast := int(time.Since(began).Seconds()) - 1
	if !end.Discarded || end.Duration < atLeast || end.Duration > atLeast+120 {
		t.Errorf("end of the call: %+v, want a duration of at least %d", end, atLeast)
	}
	member.news.Call(t, "the end", func(c scenario.CallState) bool { return c == end })
	member.news.Message(t, "the duration", func(m scenario.Message) bool {
		return m.Call.ID == call.ID && m.Duration == end.Duration
	})
}

// startedCall returns two people and a call that was started ahead of its time.
func startedCall(t *testing.T, s *harness.Server, dial scenario.Dial) (owner, member *client, chat scenario.Chat, call scenario.Call) {
	t.Helper()
	memberPhone := harness.NewPhone()
	owner, ok := dial(t, s, scenario.Who{Name: "Owner", Phone: harness.NewPhone()}).(*client)
	member, ok2 := dial(t, s, scenario.Who{Name: "Member", Phone: memberPhone, WebSocket: true}).(*client)
	if !ok || !ok2 {
		t.Fatal("not gotd's clients")
	}
	ctx, stop := context.WithTimeout(t.Context(), harness.Patience)
	defer stop()
	chat, err := owner.CreateSupergroup(ctx, "Sound")
	if err != nil {
		t.Fatal("create a supergroup:", err)
	}
	user, err := owner.FindUser(ctx, memberPhone.Number)
	if err == nil {
		err = owner.Invite(ctx, chat, user)
	}
	told, err2 := owner.Schedule(ctx, chat, "Sound", time.Now().Add(time.Hour))
	if err := errors.Join(err, err2); err != nil {
		t.Fatal("schedule a call:", err)
	}
	call = told.OneCall(t).Call
	if _, err := owner.Start(ctx, call); err != nil {
		t.Fatal("start the call:", err)
	}
	return owner, member, chat, call
}

// TestDemo listens to the tone that the demo world plays once its call is
// started.
func TestDemo(t *testing.T) {
	s := harness.Start(t)
	dial := dialer()
	owner, ok := dial(t, s, scenario.Who{Name: "Owner", Phone: harness.DemoOwner}).(*client)
	guest, ok2 := dial(t, s, scenario.Who{Name: "Guest", Phone: harness.NewPhone()}).(*client)
	if !ok || !ok2 {
		t.Fatal("not gotd's clients")
	}
	call := owner.demo(t)
	if _, err := owner.Start(t.Context(), call); err != nil {
		t.Fatal("start the call of demo:", err)
	}
	v := join(t, guest, guest.demo(t), "guest's voice", nil)
	harness.Eventually(t, func() string {
		for ssrc, n := range v.heardAll() {
			if ssrc != v.call.AudioSSRC() && n > 50 {
				return ""
			}
		}
		return fmt.Sprintf("heard no tone: %v", v.heardAll())
	})
	if err := v.call.Leave(t.Context()); err != nil {
		t.Error("leave the call:", err)
	}
}

// demo finds the call of @demo.
func (c *client) demo(t *testing.T) scenario.Call {
	t.Helper()
	r, err := c.api.ContactsResolveUsername(t.Context(), &tg.ContactsResolveUsernameRequest{Username: "demo"})
	if err != nil || len(r.Chats) != 1 {
		t.Fatalf("resolve demo: %v, %v", r, err)
	}
	channel, ok := r.Chats[0].(*tg.Channel)
	if !ok {
		t.Fatalf("demo is a %T", r.Chats[0])
	}
	chat := scenario.Chat{ID: channel.ID, AccessHash: channel.AccessHash, Title: channel.Title}
	full, err := c.Full(t.Context(), chat)
	if err != nil || full.Call == nil {
		t.Fatalf("call of demo: %+v, %v", full, err)
	}
	return *full.Call
}
