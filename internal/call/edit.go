package call

import (
	"slices"

	"parley/internal/peer"
)

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
	m, err := c.target(a, r)
	if err != nil {
		return Change{}, err
	}
	if user, on := c.Silences(a, r); user != 0 {
		c.rec.Silenced = listed(c.rec.Silenced, user, on)
	}
	switch {
	case m.User == a.User:
		return c.editSelf(m, r), nil
	case a.Rights.ManageCall:
		return c.editManaged(a.User, m, r), nil
	}
	return c.editPersonal(a.User, m, r), nil
}

// Silences returns the user whom a request silences for good, or lets speak
// again: what has to be kept before Edit. 0: it does neither.
func (c *Call) Silences(a Actor, r EditRequest) (user int64, on bool) {
	m, err := c.target(a, r)
	switch {
	case err != nil || r.Muted == nil || !a.Rights.ManageCall:
		return 0, false
	case *r.Muted && m.User == a.User:
		return 0, false
	}
	on = *r.Muted && !r.TargetManages
	if on == slices.Contains(c.rec.Silenced, m.User) {
		return 0, false
	}
	return m.User, on
}

// target returns the participant whom a request is about, if the actor may
// change it so.
func (c *Call) target(a Actor, r EditRequest) (*member, error) {
	self, joined := c.members[a.User]
	switch {
	case c.rec.State != Active:
		return nil, ErrForbidden
	case r.Target.IsZero():
		return nil, ErrUserID
	case !joined:
		return nil, ErrParticipantMissing
	case r.Target == self.Peer || r.Target == peer.OfUser(a.User):
		return self, c.checkSelf(a, self, r)
	}
	m, ok := c.members[c.peers[r.Target]]
	if !ok {
		return nil, ErrParticipantMissing
	}
	return m, r.checkOther(a.Rights.ManageCall)
}

func (c *Call) editSelf(m *member, r EditRequest) Change {
	before := *m
	if r.Muted != nil && *r.Muted && !m.Muted {
		m.Muted, m.CanSelfUnmute = true, true
	}
	if r.Muted != nil && !*r.Muted && m.Muted {
		m.Muted, m.CanSelfUnmute, m.HandRating = false, false, 0
	}
	if r.Volume != nil { // tgcalls' and py-tgcalls' volume command of those who manage the call
		m.Volume = *r.Volume
	}
	if r.RaiseHand != nil {
		c.raiseHand(m, *r.RaiseHand)
	}
	if r.VideoStopped != nil {
		c.setCamera(m, !*r.VideoStopped)
	}
	m.Video = m.Video.paused(r.VideoPaused)
	m.Presentation = m.Presentation.paused(r.PresentationPaused)
	return c.edited(m.User, m, before, nil)
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
	case r.Volume != nil && (!a.Rights.ManageCall || !r.validVolume()):
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
	case !r.validVolume():
		return ErrVolume
	}
	return nil
}

func (r EditRequest) validVolume() bool {
	return r.Volume == nil || *r.Volume >= 1 && *r.Volume <= MaxVolume
}

// editManaged changes a participant for everybody.
func (c *Call) editManaged(user int64, m *member, r EditRequest) Change {
	before := *m
	var closed []int64
	switch {
	case r.Muted == nil:
	case !*r.Muted && m.forced():
		m.CanSelfUnmute, m.HandRating = true, 0
	case *r.Muted && r.TargetManages:
		m.Muted, m.CanSelfUnmute, m.HandRating = true, true, 0
	case *r.Muted && !r.TargetManages:
		m.Muted, m.CanSelfUnmute = true, false
		c.setCamera(m, false)
		closed = c.cutScreen(m)
	}
	own := c.personal[user][m.Peer] // from before the user managed calls
	if r.Muted != nil && !*r.Muted {
		own.MutedByYou = false
	}
	if r.Volume != nil {
		m.Volume, own.Volume = *r.Volume, 0
	}
	c.prefer(user, m.Peer, own)
	if r.RaiseHand != nil {
		c.raiseHand(m, false)
	}
	return c.edited(user, m, before, closed)
}

// editPersonal notes what the actor alone wants of a participant.
func (c *Call) editPersonal(user int64, m *member, r EditRequest) Change {
	own := c.personal[user][m.Peer]
	if r.Muted != nil {
		own.MutedByYou = *r.Muted
	}
	if r.Volume != nil {
		own.Volume = *r.Volume
	}
	c.prefer(user, m.Peer, own)
	return Change{Entries: []Participant{m.entry()}, Only: user}
}

// prefer notes what a viewer wants of a participant.
func (c *Call) prefer(viewer int64, target peer.ID, own Personal) {
	if own == (Personal{}) {
		delete(c.personal[viewer], target)
		return
	}
	if c.personal[viewer] == nil {
		c.personal[viewer] = map[peer.ID]Personal{}
	}
	c.personal[viewer][target] = own
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
