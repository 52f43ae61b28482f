package sfu

import (
	"maps"
	"slices"
	"time"

	"parley/internal/colibri"
)

// A receiver that never says what it wants to see, as Web A, gets a little of
// the first few endpoints (media.md 10.3).
const (
	defaultAfter  = 3 * time.Second
	defaultHeight = 360
	defaultMost   = 4
	maxHeight     = 1 << 14

	// leastIdeal is what a sender is told as long as anybody watches: tgcalls and
	// Web K switch their lowest layer off below it (media.md 4.3), and
	// ReferenceImpl asks for thumbnails of 90.
	leastIdeal = 180
)

// want notes what a connection's client wants to see. Clients repeat it every
// few seconds.
func (sh *shard) want(c *conn, w colibri.Wants) {
	same := c.told && maps.Equal(c.wants.Endpoints, w.Endpoints) && c.wants.Default == w.Default &&
		slices.Equal(c.wants.OnStage, w.OnStage)
	c.wants, c.told = w, true
	if !same {
		sh.watch(c)
	}
}

// watch brings a connection's views in line with what it wants.
func (sh *shard) watch(c *conn) {
	if c.place < 0 {
		return // gets nothing
	}
	given := 0
	if c.defaulted && !c.told {
		for _, w := range c.views {
			if w != nil && w.height > 0 && w.video.open {
				given++
			}
		}
	}
	for _, v := range c.room.videos {
		if v == nil {
			continue
		}
		height := 0
		switch w := c.view(v); {
		case c.told:
			height = c.wantedOf(v)
		case c.owns(v):
		case !c.defaulted || !v.open:
		case w != nil && w.height > 0:
			height = w.height
		case given < defaultMost:
			height = defaultHeight
			given++
		}
		sh.resize(c, v, height)
	}
	c.room.unheard = true
	sh.plan(c)
}

// owns tells whether a video is of the connection's own user.
func (c *conn) owns(v *video) bool { return v.conn == c || v.conn.user == c.user && c.user != 0 }

// wantedOf returns how high a connection said that it wants a video.
func (c *conn) wantedOf(v *video) int {
	if c.owns(v) {
		return 0
	}
	return min(max(c.wants.Of(v.endpoint).Max, 0), maxHeight)
}

// resize sets what a connection wants to see of a video.
func (sh *shard) resize(c *conn, v *video, height int) {
	w := c.view(v)
	if w == nil {
		if height == 0 {
			return
		}
		w = c.open(v)
		if c.path == nil {
			c.path = sh.newPath()
		}
	}
	w.height = height
	w.stage = c.told && slices.Contains(c.wants.OnStage, v.endpoint)
}

// byDefault lets a connection that says nothing have something. Those without
// video of their own may not know what video is.
func (sh *shard) byDefault(c *conn) {
	if c.told || c.defaulted || c.place < 0 || c.video == nil || c.canAsk() || sh.now-c.readyAt < defaultAfter {
		return
	}
	c.defaulted = true
	sh.watch(c)
}

// canAsk tells whether a connection that is silent wants nothing: ReferenceImpl
// opens a channel and says nothing on it as long as it wants nothing; Web A never
// says anything, but its video has one layer.
func (c *conn) canAsk() bool { return len(c.video.layers) > 1 && c.session.talks() }

// tellSenders tells the senders of a room how high their pictures need to be,
// where that changed (media.md 4.3).
func (sh *shard) tellSenders(r *room) {
	r.unheard = false
	for _, v := range r.videos {
		if v == nil {
			continue
		}
		height := 0
		for _, c := range r.receivers {
			if w := c.view(v); w != nil && w.height > 0 {
				height = max(height, w.height, leastIdeal)
			}
		}
		if v.height != height {
			v.height = height
			v.conn.session.ask(height)
		}
	}
}

// plan lets a connection's layers be chosen anew soon.
func (sh *shard) plan(c *conn) {
	if !c.planned {
		c.planned = true
		sh.planning = append(sh.planning, c)
	}
}

// planAll lets all who watch a video have their layers chosen anew, soon.
func (sh *shard) planAll(v *video) {
	for _, c := range v.conn.room.receivers {
		if w := c.view(v); w != nil && w.height > 0 {
			sh.plan(c)
		}
	}
}

// runPlans chooses layers for whom plan was called.
func (sh *shard) runPlans() {
	for i, c := range sh.planning {
		sh.planning[i] = nil
		c.planned = false
		if !c.removed {
			sh.allocate(c)
		}
	}
	sh.planning = sh.planning[:0]
}
