package e2e

import (
	"fmt"
	"net"
	"testing"
	"time"

	"parley/e2e/harness"
	"parley/e2e/harness/link"
)

// trouble is a call with one member behind a bad link, and two others.
type trouble struct {
	server         *harness.Server
	network        *link.Network
	link           *link.Host // of far
	far            *member
	speaker, other *member // both near
}

// enterTrouble starts a server, and lets three members join its demo call; which
// is the browser of the far one.
func enterTrouble(t *testing.T, which string, far, speaker, other media) *trouble {
	t.Helper()
	n := link.New(t)
	x := &trouble{network: n, server: harness.StartMedia(t, net.JoinHostPort(n.Hub().String(), "0"))}
	startDemo(t, x.server)
	x.link = n.Add(t)
	near := launch(t, "chromium", n.Add(t).Start)
	x.far = launch(t, which, x.link.Start).enter(t, x.server, "Far", harness.NewPhone(), far)
	x.speaker = near.enter(t, x.server, "Speaker", harness.DemoOwner, speaker)
	x.other = near.enter(t, x.server, "Other", harness.NewPhone(), other)
	for _, v := range []*member{x.far, x.speaker, x.other} {
		v.receive(t)
	}
	return x
}

// quality is how a tone was heard for a while.
type quality struct {
	pure      float64 // share of the moments at which it was the loudest tone
	concealed float64 // share of the samples that were made up
	lost      int     // packets
}

func (q quality) String() string {
	return fmt.Sprintf("%.0f %% pure, %.1f %% concealed, %d lost", 100*q.pure, 100*q.concealed, q.lost)
}

// listens has members listen to one source each for a while.
func listens(t *testing.T, long time.Duration, ears ...ear) []quality {
	t.Helper()
	const every = 100 * time.Millisecond
	before := make([]inbound, len(ears))
	for i, e := range ears {
		before[i] = e.who.stats(t, e.source)
	}
	pure := make([]int, len(ears))
	tick := time.NewTicker(every)
	defer tick.Stop()
	n := int(long / every)
	for range n {
		<-tick.C
		for i, e := range ears {
			if e.hears(t) == "" {
				pure[i]++
			}
		}
	}
	heard := make([]quality, len(ears))
	for i, e := range ears {
		now := e.who.stats(t, e.source)
		concealed := now.ConcealedSamples - before[i].ConcealedSamples
		heard[i] = quality{
			pure:      float64(pure[i]) / float64(n),
			concealed: concealed / (now.TotalSamples - before[i].TotalSamples),
			lost:      now.PacketsLost - before[i].PacketsLost,
		}
	}
	return heard
}

// again measures until it went well, a few times: a busy machine troubles
// sound and pictures, too. why tells what is bad.
func again(t *testing.T, what string, why func() string) {
	t.Helper()
	const tries = 5
	var bad string
	for range tries {
		if bad = why(); bad == "" {
			return
		}
	}
	t.Errorf("%s: %s", what, bad)
}

// troubles are what links do to sound, and how well it must be heard then:
// how pure at least, and how much of it may be concealed at most.
var troubles = []struct {
	name            string
	on              link.Conditions
	pure, concealed float64
}{
	{"no loss", link.Conditions{}, 0.95, 0.02},
	{"5 % loss", link.Conditions{Loss: 0.05}, 0.9, 0.1},
	{"20 % loss", link.Conditions{Loss: 0.2}, 0.8, 0.3},
	{"100 ms jitter", link.Conditions{Jitter: 100 * time.Millisecond}, 0.8, 0.15},
	{"reordering", link.Conditions{Delay: 30 * time.Millisecond, Reorder: 0.1}, 0.9, 0.1},
	{"300 kbit/s", link.Conditions{Rate: 300_000, Queue: 300 * time.Millisecond}, 0.9, 0.05},
}

// TestTroubledSound talks over links that lose, delay, reorder and throttle
// packets; nobody but who is behind the link notices.
func TestTroubledSound(t *testing.T) {
	x := enterTrouble(t, "chromium", media{Style: "offers", Hertz: 440}, media{Style: "answers", Hertz: 660}, media{Style: "offers", Hertz: 880})
	down := ear{x.far, x.speaker.source(), 660}
	up := ear{x.other, x.far.source(), 440}
	near := ear{x.other, x.speaker.source(), 660}
	for _, e := range []ear{down, up, near} {
		e.who.hears(t, e.source, e.hertz)
	}
	for _, c := range troubles {
		x.link.Set(c.on)
		listens(t, time.Second, near) // who listens gets used to it
		again(t, c.name, func() string {
			heard := listens(t, 2*time.Second, down, up, near)
			told := fmt.Sprintf("down %v; up %v; near %v", heard[0], heard[1], heard[2])
			t.Logf("%s: %s", c.name, told)
			bad := heard[2].pure < 0.95 || heard[2].concealed > 0.02 || heard[2].lost > 0
			for _, q := range heard[:2] {
				bad = bad || q.pure < c.pure || q.concealed > c.concealed
			}
			if bad {
				return fmt.Sprintf("%s, want %.0f %% pure and %.0f %% concealed", told, 100*c.pure, 100*c.concealed)
			}
			return ""
		})
	}
	x.link.Set(link.Conditions{})
	start := time.Now()
	t.Logf("moved to %v", x.network.Move(x.link))
	for _, e := range []ear{down, up} {
		listens(t, 500*time.Millisecond, e) // the end of what came before
		e.who.hears(t, e.source, e.hertz)
		t.Logf("%v heard after %v", e, time.Since(start))
	}
}
