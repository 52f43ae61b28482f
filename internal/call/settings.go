package call

import (
	"io"
	"slices"

	"parley/internal/peer"
)

// MaxInvited is how many users one invitation names at most.
const MaxInvited = 10

// SettingsRequest is what to change; what is absent stays.
type SettingsRequest struct {
	ResetInviteHash bool
	JoinMuted       *bool
	Others          bool // asks for settings that only other kinds of calls have
}

// Settings changes how others join.
func (c *Call) Settings(a Actor, r SettingsRequest, rand io.Reader) error {
	switch {
	case !a.Rights.ManageCall || c.rec.State == Discarded:
		return ErrForbidden
	case r.Others || r.JoinMuted != nil && c.rec.Broadcast:
		return ErrChangeForbidden
	case !r.ResetInviteHash && (r.JoinMuted == nil || *r.JoinMuted == c.rec.JoinMuted):
		return ErrNotModified
	}
	if r.ResetInviteHash {
		hash, err := inviteHash(rand)
		if err != nil {
			return err
		}
		c.rec.InviteHash = hash
	}
	if r.JoinMuted != nil {
		c.rec.JoinMuted = *r.JoinMuted
	}
	return nil
}

// EditTitle changes the title; an empty one stands for the chat's.
func (c *Call) EditTitle(a Actor, title string) error {
	title = cutTitle(title)
	switch {
	case !a.Rights.ManageCall || c.rec.State == Discarded:
		return ErrForbidden
	case title == c.rec.Title:
		return ErrNotModified
	}
	c.rec.Title = title
	return nil
}

// CheckInvite returns whom of the users the actor would invite: those who were
// not before.
func (c *Call) CheckInvite(a Actor, users []int64, isMember func(user int64) (bool, error)) ([]int64, error) {
	switch {
	case c.rec.State == Discarded:
		return nil, ErrForbidden
	case c.rec.Broadcast:
		return nil, ErrChatType
	case !a.Rights.Member:
		return nil, ErrUserNotParticipant
	case len(users) == 0:
		return nil, ErrUserID
	case len(users) > MaxInvited:
		return nil, ErrUsersTooMuch
	}
	if m, ok := c.members[a.User]; ok && m.Peer != peer.OfUser(a.User) {
		return nil, ErrInviteJoinAs
	}
	var fresh []int64
	for _, u := range users {
		ok, err := isMember(u)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, ErrUserNotParticipant
		}
		if !c.invited[u] && !slices.Contains(fresh, u) {
			fresh = append(fresh, u)
		}
	}
	if len(fresh) == 0 {
		return nil, ErrAlreadyInvited
	}
	return fresh, nil
}

// Invited notes that the users were invited.
func (c *Call) Invited(users []int64) {
	for _, u := range users {
		c.invited[u] = true
	}
}

// ExportInvite returns the hash that a link to the call carries: none for
// listeners.
func (c *Call) ExportInvite(a Actor, canSelfUnmute bool) (hash string, err error) {
	switch {
	case c.rec.State == Discarded || a.Rights.Banned || !a.Rights.CanRead:
		return "", ErrForbidden
	case canSelfUnmute && !a.Rights.ManageCall:
		return "", ErrForbidden
	case !a.Rights.Public:
		return "", ErrPublicMissing
	case canSelfUnmute:
		return c.rec.InviteHash, nil
	}
	return "", nil
}
