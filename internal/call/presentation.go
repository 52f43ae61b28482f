package call

// CheckPresentation tells whether the user may show a screen over a connection
// of its own.
func (c *Call) CheckPresentation(user int64, n Connection) error {
	m, ok := c.members[user]
	switch {
	case c.rec.State != Active:
		return ErrForbidden
	case !ok:
		return ErrMainMissing
	case m.forced():
		return ErrForbidden
	}
	if err := c.free(user, n, &m.main); err != nil {
		return err
	}
	if len(n.Groups) > 0 && !c.mayShow(user) {
		return ErrVideoTooMuch
	}
	return nil
}

// JoinPresentation adds the user's screen, in place of its previous one.
func (c *Call) JoinPresentation(user int64, n Connection) (Change, error) {
	if err := c.CheckPresentation(user, n); err != nil {
		return Change{}, err
	}
	m := c.members[user]
	var ch Change
	before := m.hasVideo()
	if m.screen != nil {
		ch.Closed = []int64{m.screen.conn}
		c.release(m.screen)
	}
	m.screen, m.cut = new(newLink(n)), false
	c.claim(user, m.screen)
	m.Presentation = m.screen.video()
	m.Presentation.AudioSource = n.Source
	c.count(before, m)
	ch.Entries = []Participant{m.entry()}
	c.bump(ch.Entries)
	ch.Gates, ch.Counted = m.gates(), true
	return ch, nil
}

// LeavePresentation removes the user's screen. One that is gone already, not at
// the client's word, is left once more: Web K closes the connection first, and
// after an error it shows no other screen (drainPendingPresentationLeaves).
func (c *Call) LeavePresentation(user int64) (Change, error) {
	m, ok := c.members[user]
	switch {
	case c.rec.State == Discarded:
		return Change{}, ErrForbidden
	case ok && m.cut:
		m.cut = false
		return Change{}, nil
	case !ok || m.screen == nil:
		return Change{}, ErrPresentationMissing
	}
	ch := c.endPresentation(m)
	m.cut = false
	return ch, nil
}

func (c *Call) endPresentation(m *member) Change {
	ch := Change{Closed: c.cutScreen(m), Counted: true}
	ch.Entries = []Participant{m.entry()}
	c.bump(ch.Entries)
	return ch
}

// cutScreen ends a presentation, if there is one, and returns its connection.
func (c *Call) cutScreen(m *member) []int64 {
	if m.screen == nil {
		return nil
	}
	closed, before := []int64{m.screen.conn}, m.hasVideo()
	c.release(m.screen)
	m.screen, m.Presentation, m.cut = nil, nil, true
	c.count(before, m)
	return closed
}

// setCamera turns the video of the main connection on or off.
func (c *Call) setCamera(m *member, on bool) {
	before := m.hasVideo()
	if !on {
		m.Video = nil
	} else if m.Video == nil {
		m.Video = m.main.video()
	}
	c.count(before, m)
}

// count keeps the number of videos, given whether a member had any before.
func (c *Call) count(before bool, m *member) {
	switch after := m.hasVideo(); {
	case after && !before:
		c.videos++
	case before && !after:
		c.videos--
	}
}
