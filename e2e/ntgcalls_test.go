package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"parley/e2e/harness"
	"parley/e2e/harness/scenario"
)

// python has ntgcalls, where .ci/run puts it.
const python = "ntgcalls/.venv/bin/python"

// A second of the demo world's tone, in its packets.
const (
	toneFile  = "internal/app/tone.opus"
	toneFrame = 60
	toneHertz = 440
)

// TestNtgcallsSound lets two ntgcalls engines hear each other, the demo
// world's tone and gotd; gotd hears both.
func TestNtgcallsSound(t *testing.T) {
	s := harness.Start(t)
	owner := startDemo(t, s)
	guest, ok := dialer()(t, s, scenario.Who{Name: "Guest", Phone: harness.NewPhone()}).(*client)
	if !ok {
		t.Fatal("not gotd's client")
	}
	v := join(t, guest, guest.demo(t), "", nil)
	v.sound = toneFrames(t)
	defer v.speak(t)()
	gotd := fmt.Sprintf("%d=%d", v.call.AudioSSRC(), toneHertz)
	out := ntgcalls(t, s, "sound.py", owner, harness.NewPhone(), gotd)
	var a, b uint32
	if _, err := fmt.Sscanf(out, "sources %d %d", &a, &b); err != nil {
		t.Fatalf("sources of the engines: %v\n%s", err, out)
	}
	heard := v.heardAll()
	if heard[a] < 50 || heard[b] < 50 {
		t.Errorf("gotd heard of %d and %d: %v", a, b, heard)
	}
	if err := v.call.Leave(t.Context()); err != nil {
		t.Error("leave the call:", err)
	}
}

// TestNtgcallsVideo lets one engine see the camera and the screen of another.
func TestNtgcallsVideo(t *testing.T) {
	s := harness.Start(t)
	ntgcalls(t, s, "video.py", startDemo(t, s), harness.NewPhone())
}

// startDemo starts the demo world's call and returns its owner's phone.
func startDemo(t *testing.T, s *harness.Server) harness.Phone {
	t.Helper()
	c := newJSONClient(t, s, harness.DemoOwner, "Owner")
	c.must(t, "phone.startScheduledGroupCall", object{"call": c.demo(t)})
	return harness.DemoOwner
}

// demo returns the call of @demo.
func (c *jsonClient) demo(t *testing.T) object {
	t.Helper()
	found := c.must(t, "contacts.resolveUsername", object{"username": "demo"})
	chat := pick(found["chats"], "channel")
	full, _ := c.must(t, "channels.getFullChannel", object{
		"channel": object{"_": "inputChannel", "channel_id": chat["id"], "access_hash": chat["access_hash"]},
	})["full_chat"].(object)
	call, ok := full["call"].(object)
	if !ok {
		t.Fatalf("@demo has no call: %v", full)
	}
	return call
}

// ntgcalls runs a scenario with ntgcalls engines and returns what it printed.
func ntgcalls(t *testing.T, s *harness.Server, scenario string, owner, member harness.Phone, args ...string) string {
	t.Helper()
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("no ntgcalls: run .ci/run install: %v", err)
	}
	args = append([]string{
		filepath.Join("ntgcalls", scenario), s.File(), t.TempDir(),
		owner.Number + ":" + owner.Code, member.Number + ":" + member.Code,
	}, args...)
	return program(t, python, args...)
}

// toneFrames returns the demo world's tone: Opus packets that can be repeated.
func toneFrames(t *testing.T) [][]byte {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	tone, err := os.ReadFile(filepath.Join(root, toneFile))
	if err != nil || len(tone)%toneFrame != 0 {
		t.Fatalf("read the tone: %d bytes, %v", len(tone), err)
	}
	var frames [][]byte
	for ; len(tone) > 0; tone = tone[toneFrame:] {
		frames = append(frames, tone[:toneFrame])
	}
	return frames
}
