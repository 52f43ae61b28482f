package e2e

import (
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"

	"parley/e2e/harness"
)

// hd is a camera in three layers, with the limits that web clients set.
func hd(style string, hertz int) media {
	return media{
		Style: style, Hertz: hertz, Camera: &camera{Width: 1280, Height: 720, FPS: 15},
		Layers: 3, Bitrates: []int{60_000, 110_000, 900_000},
	}
}

// sees waits until a video arrives in a height, decoding, and returns how long
// that took.
func (v *member) sees(t *testing.T, source, height int) time.Duration {
	t.Helper()
	return v.seesWithin(t, harness.Patience, source, height)
}

func (v *member) seesWithin(t *testing.T, patience time.Duration, source, height int) time.Duration {
	t.Helper()
	start, from := time.Now(), v.stats(t, source).FramesDecoded
	harness.Within(t, patience, func() string {
		if in := v.stats(t, source); in.FrameHeight != height || in.FramesDecoded < from+5 {
			return fmt.Sprintf("%s wants height %d of %d: %+v", v.name, height, source, in)
		}
		return ""
	})
	return time.Since(start)
}

// firstLayer returns the SSRC that the camera of a join payload arrives with.
func firstLayer(payload object) int {
	groups, _ := payload["ssrc-groups"].([]any)
	for _, semantics := range []string{"SIM", "FID"} {
		for _, g := range groups {
			if g, _ := g.(object); g["semantics"] == semantics {
				source, _ := g["sources"].([]any)[0].(float64)
				return int(source)
			}
		}
	}
	return 0
}

// green checks that a video shows the browser's own fake camera, whose
// background is of one colour.
func (v *member) green(t *testing.T, source int) {
	t.Helper()
	harness.Eventually(t, func() string {
		var c [3]int
		v.page(t, &c, "colour", source, 0.25, 0.75)
		if c[0] > 30 || c[1] < 110 || c[1] > 160 || c[2] > 30 {
			return fmt.Sprintf("%s sees the colour %v", v.name, c)
		}
		return ""
	})
}

// TestBrowserVideo sends cameras both ways, with the DTLS roles both ways, and
// one of them in three layers whose choice follows what the viewer asks for.
func TestBrowserVideo(t *testing.T) {
	s := harness.Start(t)
	startDemo(t, s)
	b := launch(t, "chromium", (*exec.Cmd).Start)
	sender := b.enter(t, s, "Sender", harness.DemoOwner, hd("offers", 660))
	viewer := b.enter(t, s, "Viewer", harness.NewPhone(), media{
		Style: "answers", Hertz: 880, Camera: &camera{Width: 320, Height: 180, FPS: 10}, Layers: 1,
	})
	sender.receive(t)
	viewer.receive(t)
	sender.page(t, nil, "want", object{viewer.endpoint: 720})
	sender.sees(t, viewer.camera, 180)
	sender.green(t, viewer.camera)
	viewer.page(t, nil, "want", object{sender.endpoint: 180})
	viewer.sees(t, sender.camera, 180)
	before := viewer.stats(t, sender.camera)

	var heights []int
	for range 17 {
		heights = append(heights, 720, 180, 360)
	}
	var changed struct {
		Took []float64
		Gap  float64
	}
	viewer.page(t, &changed, "change", sender.camera, sender.endpoint, heights)
	after := viewer.stats(t, sender.camera)
	slices.Sort(changed.Took)
	n := len(changed.Took)
	// Wanted are at most 2 s and 1 s. How long it takes is the machine's affair,
	// too: the page fails when a change does not come at all.
	t.Logf("%d changes took %.0f ms, at most %.0f; longest time without a picture %.0f ms; %+v",
		n, changed.Took[n/2], changed.Took[n-1], changed.Gap, after)
	if after.PLICount != before.PLICount { // a decoder asks so when it cannot go on
		t.Errorf("the decoder asked for key frames: %+v", after)
	}
	viewer.green(t, sender.camera)
	if m := s.Metrics(t); m["parley_media_rtt_seconds_count"] == 0 || m["parley_media_packets_reported_total"] == 0 {
		t.Errorf("%v round trips measured, %v packets reported", m["parley_media_rtt_seconds_count"], m["parley_media_packets_reported_total"])
	}

	viewer.page(t, nil, "want", object{sender.endpoint: 0})
	viewer.stands(t, sender.camera)
	viewer.page(t, nil, "want", object{sender.endpoint: 720})
	viewer.sees(t, sender.camera, 720)
	sender.hears(t, viewer.source(), 880)
	viewer.hears(t, sender.source(), 660)
}

// stands waits until no new picture comes for a while.
func (v *member) stands(t *testing.T, source int) {
	t.Helper()
	const long = 1500 * time.Millisecond
	last, since := -1, time.Now()
	harness.Within(t, 10*time.Second, func() string {
		if n := v.stats(t, source).FramesDecoded; n != last {
			last, since = n, time.Now()
		}
		if still := time.Since(since); still < long {
			return fmt.Sprintf("%s sees %d stand for only %v", v.name, source, still)
		}
		return ""
	})
}
