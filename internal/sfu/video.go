package sfu

import (
	"slices"
	"time"

	"parley/internal/colibri"
	"parley/internal/media/cache"
	"parley/internal/media/rtcp"
)

const (
	maxLayers = 4
	// silence is how long a layer may send nothing while others of its video
	// send so many pictures, before it counts as switched off; one of few
	// pictures a second may for so many of its pictures.
	silence    = 400 * time.Millisecond
	maxSkipped = 6
	maxMissing = 3
	slowest    = 2 * time.Second // between two pictures
	// settle is how long a layer's rate is measured before it is believed.
	settle  = 2 * time.Second
	rateGap = 500 * time.Millisecond // between two measurements
	// surgeTime is how long pictures are larger after a key frame that was asked
	// for; surges that go on for longer than surgesMost are what the layer takes.
	surgeTime  = 1200 * time.Millisecond
	surgesMost = 4 * time.Second
)

// video is the camera or the screen of one connection: an endpoint. Receivers
// get it as one stream on the SSRC of its lowest layer (media.md 5.4).
type video struct {
	conn     *conn
	endpoint string
	slot     int    // in the room's videos and every connection's views
	ssrc     uint32 // of the lowest layer
	repair   uint32 // of its RTX; 0 = none
	layers   []*layer
	open     bool // its owner may send it
	waits    bool // an older connection has the same SSRC

	meter    meter         // of what somebody sees
	last     time.Duration // newest packet of any layer
	pictures int           // of all layers
	height   int           // the greatest that anyone wants
}

// layer is one simulcast layer of a video.
type layer struct {
	video  *video
	rank   int // 0 is the lowest
	stream *stream
	live   bool // packets come
	since  time.Duration
	last   time.Duration // newest packet
	seen   int           // of the video's pictures, as of then
	ended  time.Duration // newest picture
	every  time.Duration // between two pictures, smoothed; 0 = not known
	size   int           // of the picture's shorter side; 0 = not known yet
	sized  time.Duration // when that changed

	timestamp uint32 // of the packet before
	served    uint64 // the last batch in which its viewers were

	bytes    int // since measured
	measured time.Duration
	surged   time.Duration // when a key frame came that was asked for
	calmed   time.Duration // when it was measured without a surge
	rate     int           // bits per second

	report   rtcp.Sender // the sender's last
	reported bool

	asked   time.Duration // when a key frame was last asked for
	asks    int           // since one came
	wantKey bool          // somebody wants one

	viewers []*view      // that get it or wait for its key frame
	cache   *cache.Cache // nil before somebody saw it
	gaps    gaps
}

// layersOf returns the layers' SSRCs, lowest first, each with that of its RTX
// or 0: the SIM group in its order, or the first source of the first group.
func layersOf(groups []colibri.SourceGroup) (all [][2]uint32) {
	if len(groups) == 0 {
		return nil
	}
	sources := groups[0].Sources[:1]
	for _, g := range groups {
		if g.Semantics == "SIM" {
			sources = g.Sources
			break
		}
	}
	for _, s := range sources[:min(len(sources), maxLayers)] {
		pair := [2]uint32{uint32(s)}
		for _, g := range groups {
			if g.Semantics == "FID" && g.Sources[0] == s && len(g.Sources) > 1 {
				pair[1] = uint32(g.Sources[1])
				break
			}
		}
		all = append(all, pair)
	}
	return all
}

// newVideo makes the video of a connection from the groups it announced; nil
// if there is none. The connection's streams must not move any more.
func newVideo(c *conn, endpoint string, open bool) *video {
	v := &video{conn: c, endpoint: endpoint, open: open, slot: -1}
	for _, pair := range layersOf(c.client.Groups) {
		st := c.stream(pair[0])
		if st == nil || !st.video || st.layer != nil || st.repair {
			continue // says two things of one SSRC
		}
		l := &layer{video: v, rank: len(v.layers), stream: st}
		st.layer = l
		if rtx := c.stream(pair[1]); rtx != nil && rtx.repair && rtx.layer == nil {
			rtx.layer = l
		}
		if l.rank == 0 {
			v.ssrc, v.repair = pair[0], pair[1]
		}
		v.layers = append(v.layers, l)
	}
	if len(v.layers) == 0 {
		return nil
	}
	return v
}

// addVideo gives a video a slot in the room.
func (sh *shard) addVideo(r *room, v *video) {
	v.waits = r.findVideo(v.ssrc) != nil
	v.slot = occupy(&r.videos, v)
	for _, c := range r.receivers {
		switch {
		case c.told: // what it wants of others stays the same
			sh.resize(c, v, c.wantedOf(v))
			if c.view(v) != nil {
				sh.plan(c)
			}
		case c.defaulted:
			sh.watch(c)
		}
	}
	r.unheard = true
}

// dropVideo frees the slot of a video. Receivers remember how far its numbers
// went.
func (sh *shard) dropVideo(v *video) {
	r := v.conn.room
	r.videos[v.slot] = nil
	for _, c := range r.conns {
		c.unview(v)
	}
	for _, c := range r.receivers {
		if c.defaulted && !c.told {
			sh.watch(c) // another one may take its place
		}
	}
	next := r.findVideo(v.ssrc)
	if next == nil || v.waits || r.spent[v.ssrc] {
		return
	}
	next.waits = false
	defer sh.planAll(next)
	for _, c := range r.conns {
		if w := c.view(next); w != nil {
			w.inherit()
		}
	}
}

// findVideo returns the video of an SSRC: of several the one that is seen.
func (r *room) findVideo(ssrc uint32) (found *video) {
	for _, v := range r.videos {
		if v != nil && v.ssrc == ssrc && (found == nil || !v.waits) {
			found = v
		}
	}
	return found
}

// gate opens or closes a video. A closed one goes on with a key frame.
func (sh *shard) gate(v *video, open bool) {
	if v.open == open {
		return
	}
	v.open = open
	for _, c := range v.conn.room.receivers {
		if w := c.view(v); w != nil {
			w.stop()
			sh.plan(c)
		}
		if c.defaulted {
			sh.watch(c)
		}
	}
}

// note counts a packet of a layer, and tells whether the layer just began.
func (l *layer) note(size int, marker bool, now time.Duration) (began bool) {
	if !l.live {
		l.live, l.since, l.measured, l.bytes, began = true, now, now, 0, true
	}
	if marker {
		l.video.pictures++
		l.beat(now)
	}
	l.last, l.video.last, l.seen = now, now, l.video.pictures
	l.bytes += size + packetCost
	return began
}

// beat notes the end of a picture.
func (l *layer) beat(now time.Duration) {
	passed := min(now-l.ended, slowest)
	switch {
	case l.ended == 0:
	case l.every == 0:
		l.every = passed
	default:
		l.every += (passed - l.every) / 4
	}
	l.ended = now
}

// silent tells whether a layer has ended, as others of its video go on.
func (l *layer) silent() bool {
	v := l.video
	return v.last-l.last > max(silence, maxMissing*l.every) && v.pictures-l.seen > maxSkipped
}

// learn notes the size of a picture and tells whether it is another one. A
// client that changes it all the time is not followed.
func (l *layer) learn(size int, now time.Duration) (changed bool) {
	if size == 0 || size == l.size || l.size != 0 && now-l.sized < tickEvery {
		return false
	}
	l.size, l.sized = size, now
	return true
}

// measure brings a video's rates up to date and tells whether a layer fell
// silent. A sender that shows a still screen may send nothing at all: a layer
// is off only while another one is not.
func (v *video) measure(now time.Duration) (changed bool) {
	for _, l := range v.layers {
		if !l.live {
			continue
		}
		if l.silent() {
			l.live, l.rate, changed = false, 0, true
			continue
		}
		if span := now - l.measured; span >= rateGap {
			rate := int(int64(l.bytes) * 8 * int64(time.Second) / int64(span))
			if l.rate > 0 {
				rate = (l.rate + l.calm(rate, now)) / 2
			}
			l.rate, l.bytes, l.measured = rate, 0, now
		}
	}
	return changed
}

// calm returns a measured rate without what a key frame brings that was asked
// for: Chromium's pictures after it are up to three times as large as others for
// most of a second, and who got the layer with that key frame would lose it by it.
func (l *layer) calm(rate int, now time.Duration) int {
	switch {
	case l.surged == 0 || now-l.surged >= surgeTime:
		l.calmed = now
	case now-l.calmed < surgesMost:
		return min(rate, l.rate)
	}
	return rate
}

// tall returns what stands for the height of a layer's picture: the shorter
// side, so that a telephone held upright is treated like one held sideways.
func (l *layer) tall() int {
	if l.size > 0 {
		return l.size
	}
	nominal := [...][]int{{}, {180}, {180, 720}, {180, 360, 720}, {90, 180, 360, 720}}
	return nominal[len(l.video.layers)][l.rank]
}

// cost returns the bits per second a layer takes; until it is measured, what
// clients spend on one (media.md 5.3).
func (l *layer) cost(now time.Duration) int {
	nominal := [...][]int{{}, {500e3}, {100e3, 900e3}, {60e3, 110e3, 900e3}, {60e3, 110e3, 300e3, 900e3}}
	guess := nominal[len(l.video.layers)][l.rank]
	if now-l.since > settle {
		guess /= 4 // a still screen moves again
	}
	return max(l.rate, guess)
}

// pick returns the highest layer for pictures of a height, or nil when none
// sends: at least the lowest is shown to whoever wants any.
func (v *video) pick(height int) (best *layer) {
	if height <= 0 || !v.open || v.waits {
		return nil
	}
	for _, l := range v.layers {
		if l.live && (best == nil || l.fits(height)) {
			best = l
		}
	}
	return best
}

// lowest returns the lowest layer that sends.
func (v *video) lowest() *layer {
	for _, l := range v.layers {
		if l.live {
			return l
		}
	}
	return nil
}

// below returns the next lower layer that sends, or the layer itself.
func (l *layer) below() *layer {
	for _, lower := range slices.Backward(l.video.layers[:l.rank]) {
		if lower.live {
			return lower
		}
	}
	return l
}

// fits tells whether a layer is not too high. Nobody asks for more than 720,
// which therefore stands for the highest one, as it does where layers are
// switched on and off (media.md 4.3, 5.4).
func (l *layer) fits(height int) bool {
	return l.tall() <= height || height >= fullHeight && l.rank == len(l.video.layers)-1
}
