package e2e

import (
	"fmt"
	"testing"
	"time"

	"parley/e2e/harness"
	"parley/e2e/harness/link"
)

// sight is what somebody saw of a video for a while.
type sight struct {
	Frames  int
	Gap     float64 // milliseconds
	Heights map[int]int
}

// full tells whether nothing but a height was seen, and never stood for long.
func (s sight) full(height int) bool {
	return len(s.Heights) == 1 && s.Heights[height] > 0 && s.Gap < 1000
}

// watches has members watch a video for a while.
func watches(t *testing.T, long time.Duration, source int, who ...*member) []sight {
	t.Helper()
	for _, v := range who {
		v.page(t, nil, "watch", source)
	}
	<-time.After(long)
	all := make([]sight, len(who))
	for i, v := range who {
		v.page(t, &all[i], "seen", source)
	}
	return all
}

// shrinks waits until a video arrives, decoding, in no more than a height, and
// returns how long that took.
func (v *member) shrinks(t *testing.T, source, height int) time.Duration {
	t.Helper()
	start, from := time.Now(), 0
	harness.Eventually(t, func() string {
		in := v.stats(t, source)
		if in.FrameHeight > height || from == 0 {
			from = in.FramesDecoded
		}
		if in.FramesDecoded < from+5 {
			return fmt.Sprintf("%s wants at most height %d of %d: %+v", v.name, height, source, in)
		}
		return ""
	})
	return time.Since(start)
}

// TestTroubledVideo shows a camera over links that throttle, lose, delay and
// reorder packets; nobody but who is behind the link notices.
func TestTroubledVideo(t *testing.T) {
	x := enterTrouble(t, "chromium", media{Style: "offers", Hertz: 440}, hd("offers", 660), media{Style: "answers", Hertz: 880})
	video := x.speaker.camera
	for _, v := range []*member{x.far, x.other} {
		v.page(t, nil, "want", object{x.speaker.endpoint: 720})
	}
	x.other.sees(t, video, 720)
	x.far.sees(t, video, 720)
	for range 2 {
		x.throttled(t, video)
	}
	for _, c := range troubles {
		if c.on.Rate != 0 {
			continue // as above
		}
		x.link.Set(c.on)
		x.watched(t, c.name, video)
	}
	x.link.Set(link.Conditions{})
	x.far.sees(t, video, 720)
	x.network.Move(x.link)
	from := time.Now()
	saw := watches(t, 4*time.Second, video, x.far)
	x.far.sees(t, video, 720)
	t.Logf("moved: %+v, seen in full again after %v", saw, time.Since(from))
}

// watched checks that a video goes on behind the link, as do its sound and the
// picture of everybody else.
func (x *trouble) watched(t *testing.T, name string, video int) {
	t.Helper()
	again(t, name, func() string {
		saw := watches(t, 3*time.Second, video, x.far, x.other)
		heard := listens(t, time.Second, ear{x.far, x.speaker.source(), 660})
		told := fmt.Sprintf("far %+v, %v; near %+v", saw[0], heard[0], saw[1])
		t.Logf("%s: %s", name, told)
		if saw[0].Frames < 20 || saw[0].Gap > 1500 || heard[0].pure < 0.8 || !saw[1].full(720) {
			return told
		}
		return ""
	})
}

// throttled cuts the link to less than the video needs: it falls to a lower
// layer and goes on, and it climbs back after. Wanted are 3 s and 15 s; the
// times are told, and that it happens is checked.
func (x *trouble) throttled(t *testing.T, video int) {
	t.Helper()
	x.far.page(t, nil, "watch", video)
	x.link.Set(link.Conditions{Rate: 300_000, Queue: 300 * time.Millisecond})
	fell := x.far.shrinks(t, video, 360)
	var falling sight
	x.far.page(t, &falling, "seen", video)
	x.watched(t, "300 kbit/s", video)
	x.link.Set(link.Conditions{})
	climbed := x.far.sees(t, video, 720)
	t.Logf("300 kbit/s: fell after %v, saw %+v until then; climbed after %v", fell, falling, climbed)
}
