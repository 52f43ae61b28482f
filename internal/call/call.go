// Package call holds the rules of a group call.
//
// It does no I/O, starts no goroutine and reads no clock: every method takes
// what it needs, changes the Call and returns what happened. Dates are unix
// seconds, as on the wire.
package call

import "parley/internal/peer"

// ID identifies a call; never reused.
type ID int64

// State is where a call is in its life.
type State uint8

// The states of a call, in the only order they come in.
const (
	Scheduled State = iota + 1
	Active
	Discarded
)

// Info is everything about a call but its participants: a value, safe to keep.
type Info struct {
	ID           ID
	Chat         peer.ID // basic group or channel
	Broadcast    bool    // the chat is a broadcast channel: a livestream
	Creator      int64   // user who created it
	State        State
	Title        string // empty: the chat's title
	ScheduleDate int64  // announced start, 0 once started
	StartDate    int64  // 0 until started
	EndDate      int64  // 0 until discarded
	JoinMuted    bool   // later joiners may not unmute themselves
	Version      int    // of the participant list, >= 1, never goes back
	Count        int    // participants joined
	Videos       int    // participants with video or presentation
	VideoLimit   int
}

// Duration returns how long the call ran, in seconds.
func (i Info) Duration() int {
	if i.StartDate == 0 || i.EndDate < i.StartDate {
		return 0
	}
	return int(i.EndDate - i.StartDate)
}

// SourceGroup is a SIM or FID set of sources as the client sent it: order,
// semantics and signed values are echoed verbatim.
type SourceGroup struct {
	Semantics string
	Sources   []int32
}

// Video is what a participant's camera or screen sends.
type Video struct {
	Paused      bool
	Endpoint    string // ours, 16 hex characters
	Groups      []SourceGroup
	AudioSource int32 // of a presentation with sound; 0 = none
}

// seen tells whether there is a picture: clients ignore, and don't count, what has
// no groups, as the presentation of nothing but sound.
func (v *Video) seen() bool { return v != nil && len(v.Groups) > 0 }

// Participant is one joined identity, as a value without the viewer's own
// settings (self, muted_by_you, volume).
type Participant struct {
	Peer          peer.ID // who it appears as: user, channel or the chat
	User          int64   // who it is
	Source        int32   // audio SSRC of the main connection
	Muted         bool
	CanSelfUnmute bool // only meaningful with Muted
	JustJoined    bool // this entry is the first sight of it
	Left          bool // this entry says that it is gone
	Versioned     bool // this entry counts in Info.Version
	VideoJoined   bool // its connection can carry video
	Date          int64
	ActiveDate    int64 // last spoke, 0 = not yet
	HandRating    int64 // > 0: hand raised
	Volume        int   // set by an admin, 1..20000; 0 = not set
	About         string
	Video         *Video
	Presentation  *Video
}
