package sfu

import (
	"slices"
	"time"

	"parley/internal/media/rtp"
)

// room is one call as the shard sees it.
type room struct {
	shard     *shard // that it lives on
	call      int64
	conns     map[int64]*conn
	receivers []*conn            // that have keys and get packets
	sources   []*source          // by slot; nil is free
	voices    []*source          // those that were ever forwarded; nil is free
	ranked    [spare + 1]*source // who is forwarded; nil is free
	swapped   int64              // when the loudest changed last, in ns
	pending   []packet           // to be forwarded at the end of the batch
	sounds    bool               // some of them are sound
	videos    []*video           // by slot; nil is free
	unheard   bool               // somebody wants other heights than before
	announced map[uint32]int     // how many connections send an SSRC
	own       map[uint32]int     // for how many the server sends on an SSRC of its own
	spent     map[uint32]bool    // SSRCs that are not sent any more
	count     Traffic
	busy      time.Duration // its part of the shard's
	shared    uint64        // packets that it is for
}

// source is one audio SSRC of a room.
type source struct {
	conn  *conn
	ssrc  uint32
	slot  int  // in the room's sources
	voice int  // in the room's voices and every connection's subs; -1 for none
	open  bool // not muted
	// waits is set while an older connection has the same SSRC: a client that
	// joins anew with its old one is heard once the old connection left.
	waits bool
	// epoch changes when packets were kept from everybody, so that
	// subscriptions close the gap in the sequence numbers.
	epoch   uint32
	skipped bool // the last packet was kept back
	pads    pads

	rank     int // place among the forwarded, -1 for none
	rankedAt int64
	score    int // loudness, smoothed
	heard    int64
	spoke    int64
	meter    meter // of what could be heard

	passed passed
}

// packet is a decrypted packet on its way to the receivers.
type packet struct {
	source  *source // of sound, or
	layer   *layer  // of video
	index   uint64  // as the sender numbered it
	header  [rtp.EgressSize]byte
	size    int    // of the header
	payload []byte // in the slot it was read into

	timestamp uint32
	picture   picture
}

// room returns the room of a call, made when needed.
func (sh *shard) room(call int64) *room {
	r := sh.rooms[call]
	if r == nil {
		r = &room{shard: sh, call: call, conns: map[int64]*conn{}, announced: map[uint32]int{}, own: map[uint32]int{}}
		sh.rooms[call] = r
		sh.server.hold(call, false)
	}
	return r
}

// leave forgets the room when nobody is in it.
func (sh *shard) leave(r *room) {
	if len(r.conns) == 0 && sh.rooms[r.call] == r {
		delete(sh.rooms, r.call)
		sh.server.free(r.call)
	}
}

// note counts the SSRCs of a connection that comes, by 1, or goes, by -1.
func (r *room) note(c *conn, by int) {
	change := func(m map[uint32]int, ssrc uint32) {
		if m[ssrc] += by; m[ssrc] == 0 {
			delete(m, ssrc)
		}
	}
	for i := range c.streams {
		change(r.announced, c.streams[i].ssrc)
	}
	change(r.own, c.ssrc)
}

// addSource gives the audio of a connection that was noted a slot.
func (r *room) addSource(c *conn, ssrc uint32, open bool) *source {
	s := &source{conn: c, ssrc: ssrc, voice: -1, open: open, epoch: 1, rank: -1, waits: r.announced[ssrc] > 1 && r.find(ssrc) != nil}
	s.slot = occupy(&r.sources, s)
	return s
}

// occupy puts something into the first free place of a list, and returns the
// place.
func occupy[T any](list *[]*T, v *T) int {
	i := slices.Index(*list, nil)
	if i < 0 {
		i = len(*list)
		*list = append(*list, nil)
	}
	(*list)[i] = v
	return i
}

// voice gives a source that is forwarded for the first time its place in the
// subscriptions of all: most people in a big room never say a word.
func (r *room) voice(s *source) { s.voice = occupy(&r.voices, s) }

// dropSource frees the slot of a source. Receivers remember how far its
// numbers went: the SSRC may come back, and no number is ever used twice.
func (r *room) dropSource(s *source) {
	r.unrank(s)
	r.sources[s.slot] = nil
	if s.voice >= 0 {
		r.voices[s.voice] = nil
		for _, c := range r.conns {
			c.unsubscribe(s)
		}
	}
	if s.waits || r.spent[s.ssrc] || r.announced[s.ssrc] == 0 {
		return
	}
	if next := r.find(s.ssrc); next != nil {
		next.waits = false
	}
}

// spend notes an SSRC of which a receiver can't remember how far its numbers
// went: nobody sends it in the room any more. What announced it already waits
// for good.
func (r *room) spend(ssrc uint32) {
	if r.spent[ssrc] {
		return
	}
	if r.spent == nil {
		r.spent = map[uint32]bool{}
	}
	r.spent[ssrc] = true
	for _, s := range r.sources {
		if s != nil && s.ssrc == ssrc {
			s.waits = true
		}
	}
	for _, v := range r.videos {
		switch {
		case v == nil:
		case v.ssrc == ssrc:
			v.waits = true
		case v.repair == ssrc:
			v.repair = 0
		}
	}
}

// find returns the source of an SSRC: of several the one that is heard.
func (r *room) find(ssrc uint32) (found *source) {
	for _, s := range r.sources {
		if s != nil && s.ssrc == ssrc && (found == nil || !s.waits) {
			found = s
		}
	}
	return found
}

// addReceiver lets a connection get packets from now on.
func (r *room) addReceiver(c *conn) {
	c.place = len(r.receivers)
	r.receivers = append(r.receivers, c)
}

func (r *room) dropReceiver(c *conn) {
	if c.place < 0 {
		return
	}
	last := len(r.receivers) - 1
	r.receivers[c.place] = r.receivers[last]
	r.receivers[c.place].place = c.place
	r.receivers[last] = nil
	r.receivers = r.receivers[:last]
	c.place = -1
}
