package call

import (
	"slices"
	"time"
)

// Leave takes the user out of the call. Source 0 stands for whatever
// connection it has; one that was replaced meanwhile changes nothing.
func (c *Call) Leave(user int64, source int32) (Change, error) {
	m, ok := c.members[user]
	switch {
	case c.rec.State == Discarded:
		return Change{}, ErrForbidden
	case !ok:
		return Change{}, ErrJoinMissing
	case source != 0 && source != m.Source:
		return Change{}, nil
	}
	return c.remove(m), nil
}

// Remove takes a user out who may not be in the call any more.
func (c *Call) Remove(user int64) Change {
	if m, ok := c.members[user]; ok {
		return c.remove(m)
	}
	return Change{}
}

// ConnGone tells that a media connection is dead: its participant leaves, or
// its presentation ends. Connections that were replaced change nothing.
func (c *Call) ConnGone(user, conn int64) Change {
	m, ok := c.members[user]
	switch {
	case !ok:
		return Change{}
	case m.main.conn == conn:
		return c.remove(m)
	case m.screen != nil && m.screen.conn == conn:
		return c.endPresentation(m)
	}
	return Change{}
}

func (c *Call) remove(m *member) Change {
	ch := Change{Entries: []Participant{m.left()}, Gone: []int64{m.User}, Closed: c.drop(m), Counted: true}
	delete(c.personal, m.User)
	c.bump(ch.Entries)
	return ch
}

// Check returns which of the sources are the caller's living audio; never
// none, because TDLib would join again then. Asked about nothing it names the
// main one.
func (c *Call) Check(user int64, sources []int32) ([]int32, error) {
	m, ok := c.members[user]
	switch {
	case c.rec.State == Discarded:
		return nil, ErrForbidden
	case !ok:
		return nil, ErrJoinMissing
	case len(sources) == 0:
		return []int32{m.Source}, nil
	}
	var alive []int32
	for _, s := range sources {
		if s != 0 && (s == m.Source || m.Presentation != nil && s == m.Presentation.AudioSource) && !slices.Contains(alive, s) {
			alive = append(alive, s)
		}
	}
	if len(alive) == 0 {
		return nil, ErrJoinMissing
	}
	return alive, nil
}

// Speaking notes that the user spoke. Who is muted can't.
func (c *Call) Speaking(user int64, at time.Time) Change {
	m, ok := c.members[user]
	if !ok || m.Muted || at.Unix() <= m.ActiveDate {
		return Change{}
	}
	m.ActiveDate = at.Unix()
	return Change{Entries: []Participant{m.entry()}}
}
