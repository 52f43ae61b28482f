package e2e

import (
	"fmt"
	"os/exec"
	"testing"

	"parley/e2e/harness"
)

// shared is a screen as web clients send it: without sound, in two layers.
func shared(style string) media {
	return media{Style: style, Screen: &camera{Width: 1280, Height: 720, FPS: 15}, Layers: 2, Bitrates: []int{150_000, 1_000_000}}
}

// blue checks that a video shows the screen that the page makes.
func (v *member) blue(t *testing.T, source int) {
	t.Helper()
	harness.Eventually(t, func() string {
		var c [3]int
		v.page(t, &c, "colour", source, 0.25, 0.75)
		if c[0] > 130 || c[1] > 130 || c[2] < 220 {
			return fmt.Sprintf("%s sees the colour %v", v.name, c)
		}
		return ""
	})
}

// goes waits until some more pictures of a video have been decoded.
func (v *member) goes(t *testing.T, source int) {
	t.Helper()
	from := v.stats(t, source).FramesDecoded
	harness.Eventually(t, func() string {
		if in := v.stats(t, source); in.FramesDecoded < from+10 {
			return fmt.Sprintf("%s sees %d stand: %+v", v.name, source, in)
		}
		return ""
	})
}

// news waits for an update that has an entry of somebody that is as wanted.
type news func(constructor string, is func(object) bool)

// entry waits until an update has the entry of a source as it is wanted.
func (n news) entry(source int, is func(entry object) bool) {
	n("updateGroupCallParticipants", func(u object) bool {
		all, _ := u["participants"].([]any)
		for _, p := range all {
			if p, _ := p.(object); p["source"] == float64(source) && is(p) {
				return true
			}
		}
		return false
	})
}

// has tells whether an entry's camera or screen is an endpoint's, and paused.
func has(entry object, of, endpoint string, paused bool) bool {
	video, _ := entry[of].(object)
	return video["endpoint"] == endpoint && (video["paused"] == true) == paused
}

// TestBrowserScreen shares a screen on a connection of its own, while the
// camera goes on, and pauses, stops and ends them.
func TestBrowserScreen(t *testing.T) {
	s := harness.Start(t)
	startDemo(t, s)
	b := launch(t, "chromium", (*exec.Cmd).Start)
	owner := b.enter(t, s, "Owner", harness.DemoOwner, hd("offers", 660))
	viewer := b.enter(t, s, "Viewer", harness.NewPhone(), media{Style: "answers", Hertz: 880})
	told := news(viewer.listen(t))
	viewer.receive(t)
	viewer.page(t, nil, "want", object{owner.endpoint: 360})
	viewer.sees(t, owner.camera, 360)

	screen := owner.present(t, shared("offers"))
	told.entry(owner.source(), func(p object) bool {
		return has(p, "video", owner.endpoint, false) && has(p, "presentation", screen.endpoint, false)
	})
	viewer.receive(t)
	viewer.page(t, nil, "want", object{owner.endpoint: 360, screen.endpoint: 720}, []string{screen.endpoint})
	viewer.sees(t, screen.camera, 720)
	viewer.blue(t, screen.camera)
	viewer.goes(t, owner.camera)
	viewer.green(t, owner.camera)

	edit := func(how object) {
		how["call"], how["participant"] = owner.demoCall, object{"_": "inputPeerSelf"}
		owner.must(t, "phone.editGroupCallParticipant", how)
	}
	for _, paused := range []bool{true, false} {
		edit(object{"video_paused": paused})
		told.entry(owner.source(), func(p object) bool { return has(p, "video", owner.endpoint, paused) })
		edit(object{"presentation_paused": paused})
		told.entry(owner.source(), func(p object) bool {
			return has(p, "video", owner.endpoint, paused) && has(p, "presentation", screen.endpoint, paused)
		})
	}
	edit(object{"video_stopped": true})
	told.entry(owner.source(), func(p object) bool { return p["video"] == nil && has(p, "presentation", screen.endpoint, false) })
	viewer.stands(t, owner.camera)
	viewer.goes(t, screen.camera)
	edit(object{"video_stopped": false})
	told.entry(owner.source(), func(p object) bool { return has(p, "video", owner.endpoint, false) })
	viewer.goes(t, owner.camera)

	owner.must(t, "phone.leaveGroupCallPresentation", object{"call": owner.demoCall})
	told.entry(owner.source(), func(p object) bool { return p["presentation"] == nil && has(p, "video", owner.endpoint, false) })
	viewer.stands(t, screen.camera)
	viewer.goes(t, owner.camera)
	viewer.hears(t, owner.source(), 660)
	screen.page(t, nil, "ended")
}
