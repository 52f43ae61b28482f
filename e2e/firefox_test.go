package e2e

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/e2e/harness"
)

const foxHertz = 1000 // of Firefox's own microphone

// fox is what Firefox sends: its microphone, and a camera of one layer.
func fox() media {
	return media{Style: "answers", Camera: &camera{Width: 640, Height: 360, FPS: 15}, Layers: 1}
}

// enterFoxes starts a server, and lets a Chromium and a Firefox join its demo call.
func enterFoxes(t *testing.T, m media) (s *harness.Server, web, fox *member) {
	t.Helper()
	s = harness.Start(t)
	startDemo(t, s)
	web = launch(t, "chromium", (*exec.Cmd).Start).enter(t, s, "Chromium", harness.DemoOwner, hd("offers", 660))
	fox = launch(t, "firefox", (*exec.Cmd).Start).enter(t, s, "Firefox", harness.NewPhone(), m)
	web.receive(t)
	fox.receive(t)
	return s, web, fox
}

// TestFirefox lets a Firefox and a Chromium hear and see each other. The server's
// side makes the offers to Firefox, which then uses the network's numbers.
func TestFirefox(t *testing.T) {
	s, web, fox := enterFoxes(t, fox())
	web.hears(t, fox.source(), foxHertz)
	fox.hears(t, web.source(), 660)
	fox.hears(t, fox.demoSource(t, web, fox), toneHertz)

	web.page(t, nil, "want", object{fox.endpoint: 720})
	fox.page(t, nil, "want", object{web.endpoint: 720})
	web.sees(t, fox.camera, 360)
	fox.sees(t, web.camera, 720)
	fox.green(t, web.camera)
	before := fox.stats(t, web.camera)
	var changed struct {
		Took []float64
		Gap  float64
	}
	fox.page(t, &changed, "change", web.camera, web.endpoint, []int{180, 720, 360, 720, 180, 360, 720})
	after := fox.stats(t, web.camera)
	t.Logf("changes took %.0f ms; longest time without a picture %.0f ms; %+v", changed.Took, changed.Gap, after)
	if after.PLICount != before.PLICount {
		t.Errorf("the decoder asked for key frames: %+v", after)
	}
	web.goes(t, fox.camera)
	if in := web.stats(t, fox.camera); in.PLICount > 5 {
		t.Errorf("the decoder of Firefox's camera asked for key frames: %+v", in)
	}

	force := object{"call": web.demoCall, "participant": web.peer(t, fox.source()), "muted": true}
	web.must(t, "phone.editGroupCallParticipant", force)
	web.silent(t, fox.source())
	self := object{"call": web.demoCall, "participant": object{"_": "inputPeerSelf"}, "muted": true}
	web.must(t, "phone.editGroupCallParticipant", self)
	fox.silent(t, web.source())
	force["muted"], self["muted"] = false, false
	web.must(t, "phone.editGroupCallParticipant", force)
	web.must(t, "phone.editGroupCallParticipant", self)
	fox.must(t, "phone.editGroupCallParticipant", object{
		"call": fox.demoCall, "participant": object{"_": "inputPeerSelf"}, "muted": false,
	})
	web.hears(t, fox.source(), foxHertz)
	fox.hears(t, web.source(), 660)

	onlyUnwanted(t, s)
	fox.must(t, "phone.leaveGroupCall", object{"call": fox.demoCall, "source": fox.source()})
	fox.page(t, nil, "ended")
	if p := web.entry(t, fox.source()); p != nil {
		t.Errorf("who left is there: %v", p)
	}
}

// onlyUnwanted checks that the server dropped nothing but what nobody is to get,
// or what a busy machine brings too early or too late.
func onlyUnwanted(t *testing.T, s *harness.Server) {
	t.Helper()
	for name, n := range s.Metrics(t) {
		reason, drops := strings.CutPrefix(name, `parley_media_drops_total{reason="`)
		if drops && n > 0 && !slices.Contains([]string{`muted"}`, `unwatched"}`, `early"}`, `late"}`}, reason) {
			t.Errorf("%.0f packets dropped: %s", n, name)
		}
	}
}

// outbound is what a browser counts of a video that it sends.
type outbound struct {
	Kind        string
	Target      float64 `json:"totalEncodedBytesTarget"`
	FrameHeight int
	PLICount    int
}

// sending returns the numbers of the video that a member sends.
func (v *member) sending(t *testing.T) outbound {
	t.Helper()
	var all []outbound
	v.page(t, &all, "sent")
	i := slices.IndexFunc(all, func(o outbound) bool { return o.Kind == "video" })
	if i < 0 {
		t.Fatalf("%s sends no video: %+v", v.name, all)
	}
	return all[i]
}

// mayUse waits until a browser gives its camera so many bits per second, or more.
func (v *member) mayUse(t *testing.T, rate float64) {
	t.Helper()
	last, at, got := v.sending(t), time.Now(), 0.0
	harness.Eventually(t, func() string {
		if passed := time.Since(at); passed >= time.Second {
			now := v.sending(t)
			got = 8 * (now.Target - last.Target) / passed.Seconds()
			last, at = now, at.Add(passed)
		}
		if got < rate {
			return fmt.Sprintf("%s may use %.0f bit/s: %+v", v.name, got, last)
		}
		return ""
	})
	t.Logf("%s may use %.0f bit/s: %+v", v.name, got, last)
}

// TestFirefoxOwnNumbers has a Firefox, as the DTLS server, use no number that is
// not its own, which leaves its packets without send times and transport-wide
// numbers both ways: each side tells the other how much to send.
func TestFirefoxOwnNumbers(t *testing.T) {
	m := fox()
	m.Setup, m.Numbers = "passive", "own"
	s, web, fox := enterFoxes(t, m)
	web.hears(t, fox.source(), foxHertz)
	fox.hears(t, web.source(), 660)
	web.page(t, nil, "want", object{fox.endpoint: 720})
	fox.page(t, nil, "want", object{web.endpoint: 720})
	fox.sees(t, web.camera, 720)
	web.sees(t, fox.camera, 360)
	fox.mayUse(t, 1250e3) // it begins with 300 kbit/s, the server allows 1.2 Mbit/s at first
	onlyUnwanted(t, s)
}

// TestFirefoxScreen shares screens both ways, on connections of their own beside
// the cameras.
func TestFirefoxScreen(t *testing.T) {
	_, web, fox := enterFoxes(t, fox())
	mine := shared("answers")
	mine.Layers, mine.Bitrates = 1, nil // Firefox has none
	foxScreen, webScreen := fox.present(t, mine), web.present(t, shared("offers"))
	web.receive(t)
	fox.receive(t)
	web.page(t, nil, "want", object{fox.endpoint: 360, foxScreen.endpoint: 720}, []string{foxScreen.endpoint})
	fox.page(t, nil, "want", object{web.endpoint: 360, webScreen.endpoint: 720}, []string{webScreen.endpoint})
	web.sees(t, foxScreen.camera, 720)
	web.blue(t, foxScreen.camera)
	web.goes(t, fox.camera)
	fox.sees(t, webScreen.camera, 720)
	fox.blue(t, webScreen.camera)
	fox.goes(t, web.camera)

	fox.must(t, "phone.leaveGroupCallPresentation", object{"call": fox.demoCall})
	web.stands(t, foxScreen.camera)
	web.goes(t, fox.camera)
	web.hears(t, fox.source(), foxHertz)
	foxScreen.page(t, nil, "ended")
}
