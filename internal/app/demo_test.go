package app_test

import (
	"fmt"
	"testing"
)

const demoOwner = "9996610000"

// demo is the demo world as its owner sees it.
type demo struct {
	*client
	place
	call object
}

func (s *server) demo(t *testing.T) demo {
	t.Helper()
	d := demo{client: s.user(t, demoOwner)}
	found := d.must("contacts.resolveUsername", object{"username": "demo"})
	ch := pick(found["chats"], "channel")
	d.channel = object{"_": "inputChannel", "channel_id": ch["id"], "access_hash": ch["access_hash"]}
	d.peer = with(d.channel, object{"_": "inputPeerChannel"})
	d.call, _ = at(d.full(d.place), "full_chat", "call").(object)
	if d.call == nil {
		t.Fatal("@demo has no call")
	}
	return d
}

// playing waits until somebody sends the tone, and returns the version.
func (d demo) playing(t *testing.T) (version float64) {
	t.Helper()
	eventually(t, func() string {
		got := d.must("phone.getGroupCall", object{"call": d.call, "limit": 5})
		entry := pick(got["participants"], "groupCallParticipant")
		if entry == nil || entry["muted"] != nil || at(got, "users", 0) == nil {
			return fmt.Sprint(got)
		}
		version, _ = at(got, "call", "version").(float64)
		return ""
	})
	return version
}

func TestDemo(t *testing.T) {
	dir := dataDir(t)
	s := start(t, config(dir))
	d := s.demo(t)
	if got := d.must("phone.getGroupCall", object{"call": d.call, "limit": 5}); at(got, "call", "schedule_date") == nil {
		t.Fatalf("the demo's call is not scheduled: %v", got)
	}
	d.must("phone.startScheduledGroupCall", object{"call": d.call})
	version := d.playing(t)
	s.stop()

	s = start(t, config(dir))
	again := s.demo(t)
	if again.call["id"] != d.call["id"] {
		t.Errorf("another call after the restart: %v", again.call)
	}
	if v := again.playing(t); v <= version {
		t.Errorf("version %v after %v", v, version)
	}
	again.must("phone.discardGroupCall", object{"call": again.call})
	s.stop()

	s = start(t, config(dir))
	third := s.demo(t)
	if third.call["id"] == d.call["id"] {
		t.Error("a call that ended came back")
	}
	third.must("phone.startScheduledGroupCall", object{"call": third.call})
	third.playing(t)
	third.must2("channels.deleteChannel", object{"channel": third.channel})
	s.stop()

	s = start(t, config(dir))
	s.demo(t)
}

// TestDemoTaken starts a server whose demo somebody else took over.
func TestDemoTaken(t *testing.T) {
	dir := dataDir(t)
	s := start(t, config(dir))
	d := s.demo(t)
	other := s.user(t, "9996624001")
	d.must2("channels.deleteChannel", object{"channel": d.channel})
	other.must2("channels.updateUsername", object{"channel": other.supergroup("Mine", false).channel, "username": "demo"})
	s.stop()
	s = start(t, config(dir))
	s.user(t, "9996624001").must("contacts.resolveUsername", object{"username": "demo"})
}
