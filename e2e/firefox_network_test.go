package e2e

import (
	"testing"
	"time"

	"parley/e2e/harness/link"
)

// TestTroubledFirefox puts a Firefox that sends and receives all there is behind
// a bad link.
func TestTroubledFirefox(t *testing.T) {
	x := enterTrouble(t, "firefox", fox(), hd("offers", 660), media{Style: "answers", Hertz: 880})
	video := x.speaker.camera
	x.far.page(t, nil, "want", object{x.speaker.endpoint: 720})
	x.other.page(t, nil, "want", object{x.speaker.endpoint: 720, x.far.endpoint: 360})
	x.other.sees(t, video, 720)
	x.other.sees(t, x.far.camera, 360)
	x.far.sees(t, video, 720)
	x.throttled(t, video)
	for _, c := range troubles {
		if c.name != "20 % loss" && c.name != "100 ms jitter" {
			continue
		}
		x.link.Set(c.on)
		x.watched(t, c.name, video)
		x.other.goes(t, x.far.camera)
		again(t, c.name, func() string {
			up := listens(t, 2*time.Second, ear{x.other, x.far.source(), foxHertz})[0]
			t.Logf("%s: from Firefox %v", c.name, up)
			if up.pure < c.pure || up.concealed > c.concealed {
				return up.String()
			}
			return ""
		})
	}
	x.link.Set(link.Conditions{})
	x.network.Move(x.link)
	x.far.sees(t, video, 720)
	x.other.goes(t, x.far.camera)
}

// TestTroubledOwnNumbers puts a Firefox behind a bad link that says of its packets
// no more than how much it could take: by itself that rises 8 % a second, and
// falls by noise.
func TestTroubledOwnNumbers(t *testing.T) {
	m := fox()
	m.Setup, m.Numbers = "passive", "own"
	x := enterTrouble(t, "firefox", m, hd("offers", 660), media{Style: "answers", Hertz: 880})
	video := x.speaker.camera
	x.far.page(t, nil, "want", object{x.speaker.endpoint: 720})
	x.other.page(t, nil, "want", object{x.speaker.endpoint: 720})
	x.other.sees(t, video, 720)
	x.far.sees(t, video, 720)
	for _, c := range troubles {
		if c.name != "20 % loss" && c.name != "300 kbit/s" {
			continue
		}
		x.link.Set(c.on)
		for range 2 {
			x.watched(t, c.name, video)
		}
		x.link.Set(link.Conditions{})
		t.Logf("%s: climbed after %v", c.name, x.far.seesWithin(t, 2*time.Minute, video, 720))
	}
}
