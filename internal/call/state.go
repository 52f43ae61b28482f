package call

import (
	"maps"
	"slices"

	"parley/internal/peer"
)

// Record is what of a call outlives the process. Participants do not: their
// connections end with it.
type Record struct {
	Info        // Count and Videos stay 0
	InviteHash  string
	RandomID    int     // of the request that created it, 0 = none
	Ceiling     int     // no version above it was ever told
	Subscribers []int64 // who wants to hear of the start; never changed in place
	Silenced    []int64 // whom an admin muted: coming back does not help; never changed in place
}

// Actor is who asks, with what they may do in the call's chat now.
type Actor struct {
	User   int64
	Rights peer.Rights
}

// Personal is what one viewer set for one participant.
type Personal struct {
	MutedByYou bool
	Volume     int // 1..20000, 0 = not set
}

// A Call is one group call with its participants. It is not safe for
// concurrent use.
type Call struct {
	rec      Record
	members  map[int64]*member // by user
	peers    map[peer.ID]int64 // user who appears as the peer
	sources  map[int32]int64   // user who sends the source
	personal map[int64]map[peer.ID]Personal
	invited  map[int64]bool
	videos   int
}

// member is a participant with its connections.
type member struct {
	Participant
	main   link
	screen *link
	// cut is set while its screen ended otherwise than by its client, which may
	// still say so.
	cut bool
}

// link is one media connection and what it may send.
type link struct {
	conn     int64
	endpoint string
	groups   []SourceGroup
	sources  []int32 // all of them, audio first
}

// Gate says what of a connection is forwarded.
type Gate struct {
	Conn         int64
	Audio, Video bool
}

// Change is what a rule did to the list of participants.
type Change struct {
	// Entries to tell under one version; empty when nobody has to be told.
	Entries []Participant
	// Only is the one user whom they concern, 0 = everybody in the call.
	Only int64
	// Gone are users who were in the call before and hear of it, too.
	Gone []int64
	// Displaced is a user whose identity went over to another: it has to be
	// told that its own entry has a foreign source. 0 = nobody.
	Displaced int64
	Closed    []int64 // media connections to close
	Gates     []Gate  // media connections to change
	Counted   bool    // the call's counters changed: tell the members
}

// Load returns a call as it was kept, without participants. Its version starts
// where no client has seen it yet.
func Load(r Record) *Call {
	r.Version = max(r.Ceiling, 1)
	r.Count, r.Videos = 0, 0
	return &Call{
		rec:      r,
		members:  map[int64]*member{},
		peers:    map[peer.ID]int64{},
		sources:  map[int32]int64{},
		personal: map[int64]map[peer.ID]Personal{},
		invited:  map[int64]bool{},
	}
}

// Info returns what the call is now.
func (c *Call) Info() Info {
	i := c.rec.Info
	i.Count, i.Videos = len(c.members), c.videos
	return i
}

// Record returns what is to be kept.
func (c *Call) Record() Record { return c.rec }

// Restore takes back changes of the record that could not be kept.
func (c *Call) Restore(r Record) { c.rec = r }

// Reserve raises the ceiling when fewer than least versions are left below it.
func (c *Call) Reserve(least, block int) bool {
	if c.rec.Ceiling-c.rec.Version >= least {
		return false
	}
	c.rec.Ceiling = c.rec.Version + block
	return true
}

// Users returns the users who are in the call, in no order.
func (c *Call) Users() []int64 {
	return slices.AppendSeq(make([]int64, 0, len(c.members)), maps.Keys(c.members))
}

// Subscribers returns the users who wait for the start.
func (c *Call) Subscribers() []int64 { return c.rec.Subscribers }

// Subscribed tells whether the user waits for the start.
func (c *Call) Subscribed(user int64) bool {
	return c.rec.State == Scheduled && slices.Contains(c.rec.Subscribers, user)
}

// Joined returns the participant of a user.
func (c *Call) Joined(user int64) (Participant, bool) {
	m, ok := c.members[user]
	if !ok {
		return Participant{}, false
	}
	return m.entry(), true
}

// UserOf returns the user who appears as a peer.
func (c *Call) UserOf(p peer.ID) (int64, bool) {
	u, ok := c.peers[p]
	return u, ok
}

// Personal returns what the viewer set for the participants among entries; nil
// when that is nothing.
func (c *Call) Personal(viewer int64, entries []Participant) map[peer.ID]Personal {
	set := c.personal[viewer]
	if len(set) == 0 {
		return nil
	}
	var own map[peer.ID]Personal
	for _, e := range entries {
		if p, ok := set[e.Peer]; ok {
			if own == nil {
				own = map[peer.ID]Personal{}
			}
			own[e.Peer] = p
		}
	}
	return own
}

// bump counts a versioned update and marks its entries.
func (c *Call) bump(entries []Participant) {
	c.rec.Version++
	for i := range entries {
		entries[i].Versioned = true
	}
}

// forced tells whether an admin has to let the participant speak.
func (m *member) forced() bool { return m.Muted && !m.CanSelfUnmute }

// hasVideo tells whether the participant counts in unmuted_video_count, which
// clients count themselves.
func (p *Participant) hasVideo() bool { return p.Video.seen() || p.Presentation.seen() }

// entry returns the participant as a value that later changes don't touch.
func (m *member) entry() Participant {
	p := m.Participant
	if p.Video != nil {
		p.Video = new(*p.Video)
	}
	if p.Presentation != nil {
		p.Presentation = new(*p.Presentation)
	}
	return p
}

// left returns the entry that says that the participant is gone.
func (m *member) left() Participant {
	return Participant{
		Peer: m.Peer, User: m.User, Source: m.Source, Muted: m.Muted, CanSelfUnmute: m.CanSelfUnmute,
		Left: true, Date: m.Date, ActiveDate: m.ActiveDate, VideoJoined: m.VideoJoined,
	}
}

// gates returns what is forwarded of the participant's connections.
func (m *member) gates() []Gate {
	g := []Gate{{m.main.conn, !m.Muted, m.Video != nil}}
	if m.screen != nil {
		g = append(g, Gate{m.screen.conn, true, true})
	}
	return g
}

// video returns what the main connection shows once its camera is on.
func (l *link) video() *Video { return &Video{Endpoint: l.endpoint, Groups: l.groups} }
