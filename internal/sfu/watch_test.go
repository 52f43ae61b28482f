package sfu

import (
	"testing"

	"parley/internal/colibri"
)

// TestNewVideoConcernsWhoWantsIt keeps a join as cheap in a large call as in a
// small one: a new video changes nothing for those who want others.
func TestNewVideoConcernsWhoWantsIt(t *testing.T) {
	b := newBench(t, 2, 20)
	films := b.film(t, 100)
	fan, silent := b.order[len(b.order)-1], b.order[len(b.order)-2]
	for _, c := range b.order {
		height := 0
		if c == fan {
			height = 720
		}
		b.want(c, colibri.Wants{Endpoints: map[string]colibri.Heights{
			films[0].video.endpoint: {Max: 360}, films[1].video.endpoint: {Max: height},
		}})
	}
	silent.told, silent.defaulted = false, true // never said what it wants
	b.runPlans()
	again := films[1].video
	b.dropVideo(again)
	again.slot = -1
	b.runPlans()
	b.rooms[1].unheard = false
	b.addVideo(b.rooms[1], again)
	if w := fan.view(again); w == nil || w.height != 720 || !fan.planned {
		t.Errorf("who wants it gets %+v", w)
	}
	if w := silent.view(again); w == nil || w.height != defaultHeight {
		t.Errorf("who says nothing gets %+v", w)
	}
	if len(b.planning) != 2 || !b.rooms[1].unheard {
		t.Errorf("%d plans are made anew, its sender is asked: %v", len(b.planning), b.rooms[1].unheard)
	}
}

// TestPlaceOfALeaver shows another camera, to who never says what it wants to
// see, in the place of one that left.
func TestPlaceOfALeaver(t *testing.T) {
	b := newBench(t, defaultMost+1, 1)
	b.film(t, 100)
	silent := b.order[len(b.order)-1]
	silent.told, silent.defaulted = false, true
	sees := func() (n int) {
		for _, w := range silent.views {
			if w != nil && w.height > 0 {
				n++
			}
		}
		return n
	}
	b.watch(silent)
	for _, w := range silent.views[defaultMost:] {
		w.height = 0
	}
	b.remove(b.senders[0])
	if n := sees(); n != defaultMost {
		t.Errorf("sees %d of %d cameras", n, defaultMost)
	}
}
