package call

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley/internal/peer"
	"parley/internal/rpc"
)

// Limits of a call.
const (
	MaxTitle   = 64 // characters; TDLib cuts there itself
	MinAhead   = 10 * time.Second
	MaxAhead   = 8 * 24 * time.Hour
	VideoLimit = 30 // participants with video or presentation; the clients' default
	hashBytes  = 16
)

// CreateRequest is what a new call is to be.
type CreateRequest struct {
	ID           ID
	Chat         peer.ID
	Title        string
	ScheduleDate int64 // 0: starts at once
	RandomID     int
}

// CheckCreate tells whether the actor may create a call in the chat.
func CheckCreate(a Actor, chat peer.ID) error {
	switch {
	case chat.Kind != peer.Chat && chat.Kind != peer.Channel:
		return rpc.ErrPeerID
	case a.Rights.ManageCall:
		return nil
	case chat.Kind == peer.Channel && (a.Rights.Banned || !a.Rights.CanRead):
		return ErrChannelPrivate
	case chat.Kind == peer.Chat && !a.Rights.Member:
		return rpc.ErrPeerID
	}
	return ErrAdminRequired
}

// Create returns a new call. The caller ends the chat's previous one first.
func Create(a Actor, r CreateRequest, now time.Time, rand io.Reader) (*Call, error) {
	if err := CheckCreate(a, r.Chat); err != nil {
		return nil, err
	}
	hash, err := inviteHash(rand)
	if err != nil {
		return nil, err
	}
	rec := Record{
		Info: Info{
			ID: r.ID, Chat: r.Chat, Broadcast: a.Rights.Broadcast, Creator: a.User, State: Active,
			Title: cutTitle(r.Title), StartDate: now.Unix(), JoinMuted: a.Rights.Broadcast, VideoLimit: VideoLimit,
		},
		InviteHash: hash,
		RandomID:   r.RandomID,
	}
	if r.ScheduleDate != 0 {
		if r.ScheduleDate < now.Add(MinAhead).Unix() || r.ScheduleDate > now.Add(MaxAhead).Unix() {
			return nil, ErrScheduleDate
		}
		rec.State, rec.ScheduleDate, rec.StartDate = Scheduled, r.ScheduleDate, 0
	}
	rec.Ceiling = 1
	return Load(rec), nil
}

// Start starts a scheduled call, at its date or at any other time.
func (c *Call) Start(a Actor, now time.Time) error {
	switch {
	case !a.Rights.ManageCall || c.rec.State == Discarded:
		return ErrForbidden
	case c.rec.State != Scheduled:
		return ErrAlreadyStarted
	}
	c.rec.State, c.rec.ScheduleDate, c.rec.StartDate = Active, 0, now.Unix()
	c.rec.Subscribers = nil
	return nil
}

// Subscribe notes whether the actor wants to hear of the start.
func (c *Call) Subscribe(a Actor, on bool) error {
	switch {
	case !a.Rights.Member:
		return ErrForbidden
	case c.rec.State != Scheduled:
		return ErrAlreadyStarted
	case slices.Contains(c.rec.Subscribers, a.User) == on:
		return ErrNotModified
	}
	c.rec.Subscribers = listed(c.rec.Subscribers, a.User, on)
	return nil
}

// listed returns a copy of users with the user in it, or not.
func listed(users []int64, user int64, in bool) []int64 {
	others := slices.DeleteFunc(slices.Clone(users), func(u int64) bool { return u == user })
	if in {
		return append(others, user)
	}
	return others
}

// Discard ends the call for good.
func (c *Call) Discard(a Actor, now time.Time) error {
	switch {
	case !a.Rights.ManageCall:
		return ErrForbidden
	case c.rec.State == Discarded:
		return ErrAlreadyDiscarded
	}
	c.End(now)
	return nil
}

// End ends the call without asking who wants it: its chat is gone, or another
// call takes its place. Participants get no entries of their own.
func (c *Call) End(now time.Time) {
	c.rec.State, c.rec.ScheduleDate, c.rec.Subscribers, c.rec.Silenced = Discarded, 0, nil, nil
	c.rec.EndDate = max(now.Unix(), c.rec.StartDate)
}

// MayRead tells whether the actor may look at the call.
func (c *Call) MayRead(a Actor) error {
	if a.Rights.Banned || !a.Rights.CanRead {
		return ErrForbidden
	}
	return nil
}

func inviteHash(rand io.Reader) (string, error) {
	b := make([]byte, hashBytes)
	if _, err := io.ReadFull(rand, b); err != nil {
		return "", fmt.Errorf("draw invite hash: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// speaker tells whether hash is that of the call's speaker link.
func (c *Call) speaker(hash string) bool {
	return hash != "" && subtle.ConstantTimeCompare([]byte(hash), []byte(c.rec.InviteHash)) == 1
}

// cutTitle returns a title of valid text that is not too long.
func cutTitle(s string) string {
	s = strings.TrimSpace(strings.ToValidUTF8(s, ""))
	if utf8.RuneCountInString(s) <= MaxTitle {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:MaxTitle]))
}
