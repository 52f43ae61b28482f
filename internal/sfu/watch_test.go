package sfu

import (
	"slices"
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

// TestWhoIsGivenVideo: those who never ask want to see something, but for who
// could ask: ReferenceImpl says nothing when it wants nothing.
func TestWhoIsGivenVideo(t *testing.T) {
	oneLayer := []colibri.SourceGroup{{Semantics: "FID", Sources: []int32{1, 2}}}
	threeLayers := []colibri.SourceGroup{
		{Semantics: "SIM", Sources: []int32{1, 3, 5}},
		{Semantics: "FID", Sources: []int32{1, 2}},
		{Semantics: "FID", Sources: []int32{3, 4}},
		{Semantics: "FID", Sources: []int32{5, 6}},
	}
	for _, tt := range []struct {
		client string
		groups []colibri.SourceGroup
		talks  bool
		want   bool
	}{
		{"Web A", oneLayer, true, true},
		{"ReferenceImpl", threeLayers, true, false},
		{"without a channel", threeLayers, false, true},
		{"gotd", nil, false, false},
	} {
		b := newBench(t, 2, 1)
		b.film(t, 100)
		c := b.order[len(b.order)-1]
		c.views, c.told, c.client.Groups = nil, false, tt.groups
		for _, ssrc := range c.client.Sources() {
			c.streams = append(c.streams, stream{ssrc: uint32(ssrc), video: true, repair: repairs(tt.groups, ssrc)})
		}
		c.video = newVideo(c, "own", false)
		c.session = &session{data: data{opened: tt.talks}}
		b.now = c.readyAt + defaultAfter
		b.byDefault(c)
		if given := slices.ContainsFunc(c.views, func(w *view) bool { return w != nil && w.height > 0 }); given != tt.want {
			t.Errorf("%s is given video: %v", tt.client, given)
		}
	}
}
