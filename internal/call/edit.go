package call

import "parley/internal/peer"

// MaxVolume is 200 %.
const MaxVolume = 20000

// EditRequest changes one participant; what is absent stays.
type EditRequest struct {
	Target             peer.ID
	TargetManages      bool // an admin keeps the right to unmute
	Muted              *bool
	Volume             *int
	RaiseHand          *bool
	VideoStopped       *bool
	VideoPaused        *bool
	PresentationPaused *bool
}

// Edit changes a participant: itself, for everybody by who manages calls, or
// for the actor only. All that is asked for happens, or nothing does.
func (c *Call) Edit(a Actor, r EditRequest) (Change, error) {
	self, joined := c.members[a.User]
	switch {
	case c.rec.State != Active:
		return Change{}, ErrForbidden
	case r.Target.IsZero():
		return Change{}, ErrUserID
	case !joined:
		return Change{}, ErrParticipantMissing
	case r.Target == self.Peer || r.Target == peer.OfUser(a.User):
		return c.editSelf(a, self, r)
	}
	m, ok := c.members[c.peers[r.Target]]
	if !ok {
		return Change{}, ErrParticipantMissing
	}
	if err := r.checkOther(a.Rights.ManageCall); err != nil {
		return Change{}, err
	}
	if a.Rights.ManageCall {
		return c.editManaged(a.User, m, r), nil
	}
	return c.editPersonal(a.User, m, r), nil
}

func (c *Call) editSelf(a Actor, m *member, r EditRequest) (Change, error) {
	if err := c.checkSelf(a, m, r); err != nil {
		return Change{}, err
	}
	before := *m
	if r.Muted != nil && *r.Muted && !m.Muted {
		m.Muted, m.CanSelfUnmute = true, true
	}
	if r.Muted != nil && !*r.Muted && m.Muted {
		m.Muted, m.CanSelfUnmute, m.HandRating = false, false, 0
		delete(c.silenced, m.User) // only who manages calls comes here force-muted
	}
	if r.RaiseHand != nil {
		c.raiseHand(m, *r.RaiseHand)
	}
	if r.VideoStopped != nil {
		c.setCamera(m, !*r.VideoStopped)
	}
	m.Video = m.Video.paused(r.VideoPaused)
	m.Presentation = m.Presentation.paused(r.PresentationPaused)
	return c.edited(a.User, m, before, nil), nil
}

// paused returns the video paused or resumed, if that is asked for.
func (v *Video) paused(on *bool) *Video {
	if v == nil || on == nil || *on == v.Paused {
		return v
	}
	p := *v
	p.Paused = *on
	return &p
}

// checkSelf tells whether a participant may change itself so. ntgcalls sends
// all flags at a time, also those of streams it does not have: only a request
// for nothing else is refused for that.
func (c *Call) checkSelf(a Actor, m *member, r EditRequest) error {
	unmutes := r.Muted != nil && !*r.Muted
	forced := m.forced() && (!unmutes || !a.Rights.ManageCall)
	starts := r.VideoStopped != nil && !*r.VideoStopped
	camera := m.Video != nil && r.VideoStopped == nil || starts
	alone := r.count() == 1
	switch {
	case r.Volume != nil:
		return ErrVolume
	case unmutes && forced:
		return ErrForbidden
	case r.RaiseHand != nil && *r.RaiseHand && !forced:
		return ErrRaiseHand
	case starts && (forced || len(m.main.groups) == 0):
		return ErrVideoStop
	case starts && !c.mayShow(m.User):
		return ErrVideoTooMuch
	case r.VideoPaused != nil && !camera && alone:
		return ErrVideoPause
	case r.PresentationPaused != nil && m.Presentation == nil && alone:
		return ErrVideoPause
	}
	return nil
}

// checkOther tells whether anybody else may change a participant so.
func (r EditRequest) checkOther(manage bool) error {
	switch {
	case r.VideoStopped != nil:
		return ErrVideoStop
	case r.VideoPaused != nil || r.PresentationPaused != nil:
		return ErrVideoPause
	case r.RaiseHand != nil && (*r.RaiseHand || !manage):
		return ErrRaiseHand
	case r.Volume != nil && (*r.Volume < 1 || *r.Volume > MaxVolume):
		return ErrVolume
	}
	return nil
}

// editManaged changes a participant for everybody.
func (c *Call) editManaged(user int64, m *member, r EditRequest) Change {
	before := *m
	var closed []int64
	switch {
	case r.Muted == nil:
	case !*r.Muted && m.forced():
		m.CanSelfUnmute, m.HandRating = true, 0
		delete(c.silenced, m.User)
	case *r.Muted && r.TargetManages && !m.Muted:
		m.Muted, m.CanSelfUnmute = true, true
	case *r.Muted && !r.TargetManages:
		m.Muted, m.CanSelfUnmute = true, false
		c.silenced[m.User] = true
		c.setCamera(m, false)
		closed = c.cutScreen(m)
	}
	if r.Volume != nil {
		m.Volume = *r.Volume
	}
	if r.RaiseHand != nil {
		c.raiseHand(m, false)
	}
	return c.edited(user, m, before, closed)
}

// editPersonal notes what the actor alone wants of a participant.
func (c *Call) editPersonal(user int64, m *member, r EditRequest) Change {
	own := c.personal[user]
	if own == nil {
		own = map[peer.ID]Personal{}
		c.personal[user] = own
	}
	p := own[m.Peer]
	if r.Muted != nil {
		p.MutedByYou = *r.Muted
	}
	if r.Volume != nil {
		p.Volume = *r.Volume
	}
	own[m.Peer] = p
	if p == (Personal{}) {
		delete(own, m.Peer)
	}
	return Change{Entries: []Participant{m.entry()}, Only: user}
}

// edited returns the change from before to now. The entry is there even when
// nothing changed, for the actor: clients look for the value they asked for.
func (c *Call) edited(user int64, m *member, before member, closed []int64) Change {
	if m.Participant == before.Participant {
		return Change{Entries: []Participant{m.entry()}, Only: user}
	}
	ch := Change{Entries: []Participant{m.entry()}, Closed: closed, Gates: m.gates()}
	if (m.Video == nil) != (before.Video == nil) || (m.Presentation == nil) != (before.Presentation == nil) {
		c.bump(ch.Entries)
		ch.Counted = true
	}
	return ch
}

// raiseHand raises or lowers a hand; who raised it later comes first.
func (c *Call) raiseHand(m *member, up bool) {
	if !up {
		m.HandRating = 0
		return
	}
	if m.HandRating > 0 {
		return
	}
	var highest int64
	for _, o := range c.members {
		highest = max(highest, o.HandRating)
	}
	m.HandRating = highest + 1
}

// count returns how many changes are asked for.
func (r EditRequest) count() int {
	n := 0
	for _, set := range []bool{
		r.Muted != nil, r.Volume != nil, r.RaiseHand != nil,
		r.VideoStopped != nil, r.VideoPaused != nil, r.PresentationPaused != nil,
	} {
		if set {
			n++
		}
	}
	return n
}
