package sfu

import (
	"slices"
	"time"

	"parley/internal/colibri"
	"parley/internal/media/rtcp"
	"parley/internal/media/srtp"
	"parley/internal/media/stun"
	"parley/internal/media/udp"
)

const (
	maxAddrs = 8               // proven addresses of one connection
	stale    = 2 * time.Second // an address is given up for another after
	// lost is when a check alone, which anybody may have copied, is enough for
	// that, and when another client may have the address: libwebrtc checks a pair
	// that works every 2.5 s.
	lost = 6 * time.Second
	// farewellFor is how long a client that said goodbye keeps its place: it closes
	// the connection first, and then leaves, or joins anew (Web K, tgcalls).
	farewellFor = 5 * time.Second
	maxRetired  = 4096 // SSRCs a receiver remembers after they went
	maxLeft     = 64   // videos whose last picture it remembers: who comes back does soon
	maxGap      = 3000 // lost packets that stay a gap in the numbers
	wordMask    = uint64(1<<16 - 1)
)

// conn is one client's ICE, DTLS and SRTP, owned by the shard.
type conn struct {
	// What every packet to it touches lies in a row (see ahead.go).
	connKey
	user      int64 // nobody gets what they send themselves
	room      *room
	audio     *source        // nil without sound
	subs      []subscription // by the room's voices; as many as it needed so far
	views     []*view        // by the room's video slots; nil = never wanted
	out       srtp.Context   // nil until the handshake is done
	addr      udp.Peer       // where packets go; invalid before the first check
	path      *path          // nil before it wanted video
	served    uint64         // the last batch it got
	transport uint16         // number of the next packet to it
	hot       srtp.Hot       // what out reads

	presentation bool // sends only
	builtin      bool // no client: a player sends in its place
	ufrag        string
	client       colibri.Join
	auth         *stun.Auth
	ssrc         uint32 // of the server's own RTCP
	removed      bool
	created      time.Duration
	seen         time.Duration // last authenticated check or packet
	parted       time.Duration // when its client said goodbye; 0 = not yet
	rtt          time.Duration // smoothed; 0 = not known

	addrSeen    time.Duration // last packet from where packets go
	movedAt     time.Duration // when addr changed last
	addrs       []udp.Peer
	controlling bool     // the client chooses the address
	nominated   udp.Peer // the one it chose last, while it has another
	session     *session
	plain       int // bytes of its handshake

	in       srtp.Context // nil until the handshake is done
	streams  []stream
	video    *video // nil without camera or screen
	arrivals *rtcp.Arrivals
	queued   bool   // in the shard's reporting list
	media    uint32 // the SSRC transport feedback speaks of
	allowed  int    // bits per second, of a client without such feedback

	place    int // in the room's receivers, -1 for none
	order    int // in the shard's order
	retired  map[uint32]uint64
	pictures map[uint32]newest // of videos that went

	wants     colibri.Wants
	told      bool          // wants are the client's own
	defaulted bool          // it never told, and gets a few
	readyAt   time.Duration // when its handshake was done
	planned   bool          // in the shard's list of conns to plan for
}

// stream is one SSRC a client sends.
type stream struct {
	ssrc   uint32
	video  bool
	repair bool    // RTX of another stream
	source *source // of audio
	layer  *layer  // of video, or whose RTX it is
	window srtp.Window
	stats  reception
}

// stream finds one of the few streams of a connection.
func (c *conn) stream(ssrc uint32) *stream {
	for i := range c.streams {
		if c.streams[i].ssrc == ssrc {
			return &c.streams[i]
		}
	}
	return nil
}

// firstIndex returns the first index that a receiver sees. It is far below the
// wrap: who loses what is before that would count the wraps wrong for ever.
func firstIndex(index uint64) uint64 { return index & (wordMask >> 1) }

// subscription is one source forwarded to one connection: how the source's
// packet indices become the ones the receiver sees. A receiver starts at
// rollover counter 0, whenever it joins.
type subscription struct {
	base  uint64 // sender's index minus receiver's, modulo 2^64
	floor uint64 // first index forwarded since the last gap
	last  uint64 // greatest index the receiver saw
	epoch uint32 // of the source when last forwarded; 0 = packets were kept back
	// reported is the highest number that the receiver told of; 0 = none.
	reported uint16
	began    bool
}

// next returns the receiver's index of the source's packet; ok is false for a
// packet from before the last gap.
func (s *subscription) next(index uint64, epoch uint32) (out uint64, ok bool) {
	switch {
	case !s.began:
		s.began, s.epoch, s.floor = true, epoch, index
		s.last = firstIndex(index)
		s.base = index - s.last
		return s.last, true
	case s.epoch != epoch || int64(index-s.base-s.last) > maxGap:
		s.epoch, s.floor = epoch, index
		s.base = index - s.last - 1
	case index < s.floor:
		return 0, false
	}
	out = index - s.base
	s.last = max(s.last, out)
	return out, true
}

// sub returns the subscription to a source, nil when there is none yet.
func (c *conn) sub(s *source) *subscription {
	if s.voice < 0 || s.voice >= len(c.subs) {
		return nil
	}
	return &c.subs[s.voice]
}

// subscribe returns the subscription to a source that is forwarded. A new one
// goes on where that of a gone source with the same SSRC ended.
func (c *conn) subscribe(s *source) *subscription {
	for len(c.subs) <= s.voice {
		c.subs = append(c.subs, subscription{})
	}
	sub := &c.subs[s.voice]
	if !sub.began {
		if last, ok := c.retired[s.ssrc]; ok {
			*sub = subscription{began: true, last: last}
			delete(c.retired, s.ssrc)
		}
	}
	return sub
}

// unsubscribe ends a subscription and remembers its numbers.
func (c *conn) unsubscribe(s *source) {
	sub := c.sub(s)
	if sub == nil {
		return
	}
	if sub.began {
		c.retire(s.ssrc, sub.last)
	}
	*sub = subscription{}
}

// retire remembers how far the numbers of an SSRC went. When it remembers too
// many, the SSRC is spent.
func (c *conn) retire(ssrc uint32, last uint64) {
	switch {
	case c.removed: // with its key
		return
	case len(c.retired) >= maxRetired:
		c.room.spend(ssrc)
		return
	case c.retired == nil:
		c.retired = map[uint32]uint64{}
	}
	c.retired[ssrc] = last
}

// left remembers the last picture of a video that went.
func (c *conn) left(ssrc uint32, n newest) {
	switch {
	case c.removed:
		return
	case c.pictures == nil:
		c.pictures = map[uint32]newest{}
	case len(c.pictures) == maxLeft:
		clear(c.pictures)
	}
	c.pictures[ssrc] = n
}

// wanted tells whether the connection gets a source that has a place.
func (c *conn) wanted(s *source) bool {
	switch {
	case s.conn == c || s.conn.user == c.user && c.user != 0:
		return false
	case s.rank != spare:
		return s.rank >= 0
	}
	return c.audio != nil && c.audio.rank >= 0 && c.audio.rank != spare
}

// add puts a connection into its room.
func (sh *shard) add(c *conn, open bool) {
	r := c.room
	r.conns[c.id] = c
	r.note(c, 1)
	sh.conns[c.connKey] = c
	sh.byUfrag[c.ufrag] = c
	c.order, c.place = len(sh.order), -1
	sh.order = append(sh.order, c)
	for i := range c.streams {
		if st := &c.streams[i]; !st.video {
			c.audio = r.addSource(c, st.ssrc, open)
			st.source = c.audio
		}
	}
	if c.video != nil {
		sh.addVideo(r, c.video)
	}
}

// part takes in that a connection's client said goodbye: nothing is sent to it
// any more, or taken from it.
func (sh *shard) part(c *conn) {
	if c.removed || c.parted != 0 {
		return
	}
	c.parted, c.in = sh.now, nil
	sh.deafen(c)
}

// deafen lets a connection get nothing any more.
func (sh *shard) deafen(c *conn) {
	c.room.dropReceiver(c)
	for _, w := range c.views {
		if w != nil {
			c.unview(w.video)
		}
	}
	if c.path != nil {
		c.path.probe.ID = 0
	}
	c.room.unheard = true
}

// remove forgets a connection and ends its session.
func (sh *shard) remove(c *conn) {
	if c.removed {
		return
	}
	c.removed = true
	r := c.room
	sh.deafen(c)
	if c.out != nil {
		sh.count.Ready--
	}
	delete(r.conns, c.id)
	r.note(c, -1)
	if c.audio != nil {
		r.dropSource(c.audio)
	}
	if c.video != nil {
		sh.dropVideo(c.video)
	}
	sh.giveUp(c.addrs...)
	delete(sh.conns, c.connKey)
	delete(sh.byUfrag, c.ufrag)
	last := len(sh.order) - 1
	sh.order[c.order] = sh.order[last]
	sh.order[c.order].order = c.order
	sh.order[last] = nil
	sh.order = sh.order[:last]
	sh.reporting = slices.DeleteFunc(sh.reporting, func(o *conn) bool { return o == c })
	sh.players = slices.DeleteFunc(sh.players, func(p *player) bool { return p.source.conn == c })
	if c.session != nil {
		c.session.end()
	}
	sh.leave(r)
}
