package call

import (
	"slices"
	"time"

	"parley/internal/peer"
)

// maxSources is how many sources a connection may have, as the media server has
// it; clients use up to 7.
const maxSources = 20

// Connection is what the join payload says of a media connection, and what the
// server named it.
type Connection struct {
	Conn     int64
	Endpoint string
	Source   int32 // audio; 0 = none
	Groups   []SourceGroup
}

// JoinRequest is how somebody joins.
type JoinRequest struct {
	As           peer.ID
	Allowed      []peer.ID // whom the actor may appear as
	Muted        bool
	VideoStopped bool
	InviteHash   string
	Connection
}

// CheckEnter tells whether the actor may join at all.
func (c *Call) CheckEnter(a Actor) error {
	switch {
	case a.Rights.Banned || !a.Rights.CanRead:
		return ErrWriteForbidden
	case c.rec.State != Active:
		return ErrForbidden
	}
	return nil
}

// CheckJoin tells whether the actor may join so. Sources have to be free; the
// actor's own previous ones are: a client whose answer got lost repeats them.
func (c *Call) CheckJoin(a Actor, r JoinRequest) error {
	if err := c.CheckEnter(a); err != nil {
		return err
	}
	switch {
	case !slices.Contains(r.Allowed, r.As):
		return ErrJoinAs
	case r.Source == 0:
		return ErrSourceDuplicate // what Telegram answers to a payload without ssrc
	}
	if err := c.free(a.User, r.Connection, nil); err != nil {
		return err
	}
	if c.showsVideo(a, r) && !c.mayShow(a.User) && !c.mayShow(c.peers[r.As]) { // whom it displaces
		return ErrVideoTooMuch
	}
	return nil
}

// Join puts the actor into the call, in place of its previous connection and
// of whoever else appeared as the same peer.
func (c *Call) Join(a Actor, r JoinRequest, now time.Time) (Change, error) {
	if err := c.CheckJoin(a, r); err != nil {
		return Change{}, err
	}
	var ch Change
	m := &member{
		Participant: Participant{
			Peer: r.As, User: a.User, Source: r.Source,
			Muted: r.Muted, CanSelfUnmute: r.Muted, JustJoined: true,
			VideoJoined: len(r.Groups) > 0, Date: now.Unix(),
		},
		main: newLink(r.Connection),
	}
	if c.forces(a, r) {
		m.Muted, m.CanSelfUnmute = true, false
	}
	if c.showsVideo(a, r) {
		m.Video = m.main.video()
	}
	if old, ok := c.members[a.User]; ok {
		m.cut = old.cut || old.screen != nil
		if old.Peer == r.As {
			m.inherit(old)
		} else {
			ch.Entries = append(ch.Entries, old.left())
		}
		ch.Closed = append(ch.Closed, c.drop(old)...)
	}
	if user, ok := c.peers[r.As]; ok { // another anonymous admin
		old := c.members[user]
		m.inherit(old)
		ch.Displaced, ch.Gone = user, []int64{user}
		ch.Closed = append(ch.Closed, c.drop(old)...)
	}
	c.add(m)
	delete(c.personal[a.User], r.As)
	ch.Entries = append(ch.Entries, m.entry())
	m.JustJoined = false
	c.bump(ch.Entries)
	ch.Gates, ch.Counted = m.gates(), true
	return ch, nil
}

// forces tells whether an admin has to let the actor speak.
func (c *Call) forces(a Actor, r JoinRequest) bool {
	if a.Rights.ManageCall {
		return false
	}
	if slices.Contains(c.rec.Silenced, a.User) {
		return true
	}
	if old, ok := c.members[a.User]; ok { // who was let speak joins again to be able to
		return old.forced() && !c.speaker(r.InviteHash)
	}
	return c.rec.JoinMuted && !c.speaker(r.InviteHash)
}

func (c *Call) showsVideo(a Actor, r JoinRequest) bool {
	return len(r.Groups) > 0 && !r.VideoStopped && !c.forces(a, r)
}

// mayShow tells whether there is room for the user's video.
func (c *Call) mayShow(user int64) bool {
	if m, ok := c.members[user]; ok && m.hasVideo() {
		return true
	}
	return c.rec.VideoLimit <= 0 || c.videos < c.rec.VideoLimit
}

// inherit keeps what a participant has that comes back before it has left.
func (m *member) inherit(old *member) {
	m.JustJoined = false
	m.Date, m.ActiveDate = old.Date, old.ActiveDate
	m.Volume = old.Volume
	if m.forced() {
		m.HandRating = old.HandRating
	}
}

// free tells whether nobody but the user itself sends the connection's
// sources, and none of the links in keep.
func (c *Call) free(user int64, n Connection, keep *link) error {
	sources := newLink(n).sources
	if len(sources) > maxSources {
		return ErrDataJSON
	}
	for _, s := range sources {
		if owner, taken := c.sources[s]; taken && owner != user || keep != nil && slices.Contains(keep.sources, s) {
			return ErrSourceDuplicate
		}
	}
	for _, g := range n.Groups {
		if slices.Contains(g.Sources, 0) || n.Source != 0 && slices.Contains(g.Sources, n.Source) {
			return ErrSourceDuplicate
		}
	}
	return nil
}

func newLink(n Connection) link {
	l := link{conn: n.Conn, endpoint: n.Endpoint, groups: n.Groups}
	if n.Source != 0 {
		l.sources = append(l.sources, n.Source)
	}
	for _, g := range n.Groups {
		for _, s := range g.Sources {
			if !slices.Contains(l.sources, s) {
				l.sources = append(l.sources, s)
			}
			if len(l.sources) > maxSources {
				return l
			}
		}
	}
	return l
}

// add enters a participant.
func (c *Call) add(m *member) {
	c.members[m.User], c.peers[m.Peer] = m, m.User
	c.claim(m.User, &m.main)
	if m.hasVideo() {
		c.videos++
	}
}

// drop takes a participant out and returns its connections.
func (c *Call) drop(m *member) []int64 {
	if m.hasVideo() {
		c.videos--
	}
	closed := []int64{m.main.conn}
	c.release(&m.main)
	if m.screen != nil {
		closed = append(closed, m.screen.conn)
		c.release(m.screen)
	}
	delete(c.members, m.User)
	delete(c.peers, m.Peer)
	return closed
}

func (c *Call) claim(user int64, l *link) {
	for _, s := range l.sources {
		c.sources[s] = user
	}
}

func (c *Call) release(l *link) {
	for _, s := range l.sources {
		delete(c.sources, s)
	}
}
