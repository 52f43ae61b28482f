// Package scenario holds what every client library has to get through: the
// same steps, told in the words of the protocol, driven through an interface
// that each library's driver implements in its own module.
//
// A driver translates; it decides nothing. What a step has to show is checked
// here, once for all of them.
package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/e2e/harness"
)

// Who says as whom and how to connect.
type Who struct {
	Name      string
	Phone     harness.Phone // signs in with a code, and up when the number is new
	Token     string        // or as a bot
	Stranger  bool          // or not at all
	WebSocket bool
}

// Dial connects and signs in. For a phone that dialled before it takes the kept
// auth key and must find itself still signed in. The client is closed at the
// end of the test at the latest.
type Dial func(t *testing.T, s *harness.Server, who Who) Client

// Client is a signed-in client of one library.
type Client interface {
	Person
	Chats
	Calls
}

// Person is what a client knows of itself and of others.
type Person interface {
	Self() User
	FindUser(ctx context.Context, phone string) (User, error)
	State(ctx context.Context) (State, error)
	News() *News  // what was pushed so far
	Close() error // disconnects, keeps the auth key
}

// Chats are a client's chats.
type Chats interface {
	CreateSupergroup(ctx context.Context, title string) (Chat, error)
	Invite(ctx context.Context, chat Chat, user User) error
	Promote(ctx context.Context, chat Chat, user User) error // with manage_call
	Chat(ctx context.Context, title string) (Chat, error)    // from the dialogs
	Full(ctx context.Context, chat Chat) (FullChat, error)
	History(ctx context.Context, chat Chat) ([]Message, error)
	Notices(ctx context.Context) ([]Message, error) // from 777000
}

// Calls are the methods of a group call.
type Calls interface {
	Schedule(ctx context.Context, chat Chat, title string, at time.Time) (Told, error)
	Subscribe(ctx context.Context, call Call, on bool) (Told, error)
	Start(ctx context.Context, call Call) (Told, error)
	Get(ctx context.Context, call Call) (CallState, error)
	Discard(ctx context.Context, call Call) (Told, error)
}

// Error is an rpc_error as the library tells it.
type Error struct {
	Code int
	Name string
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s", e.Code, e.Name) }

// User is a user and the right to address it.
type User struct{ ID, AccessHash int64 }

// Chat is a supergroup as the list of dialogs shows it.
type Chat struct {
	ID, AccessHash int64
	Title          string
	CallActive     bool
	CallNotEmpty   bool
}

// FullChat is what only the full chat tells.
type FullChat struct {
	Call *Call // nil when there is none
	Pts  int
}

// State is the account's place in its updates.
type State struct{ Pts, Date int }

// Call is an inputGroupCall.
type Call struct{ ID, AccessHash int64 }

// CallState is a groupCall or a groupCallDiscarded.
type CallState struct {
	Call
	Discarded    bool
	Duration     int
	Title        string
	ScheduleDate int
	Subscribed   bool
	Version      int
	Count        int
}

// Message is a message of a history or of an update.
type Message struct {
	ID      int
	Channel int64  // 0 in a private chat
	From    int64  // the user whose private chat it stands in, or the sender in a channel
	Action  string // the action's constructor; empty for a text
	Text    string
	Call    Call
	// Of a messageActionGroupCall that tells the end; -1 without the field.
	Duration     int
	ScheduleDate int
}

// Participants is one updateGroupCallParticipants.
type Participants struct {
	Call    Call
	Version int
	Entries []Participant
}

// Participant is one entry of a call's list.
type Participant struct {
	User          int64
	Source        int
	Muted         bool
	CanSelfUnmute bool
	Left          bool
	JustJoined    bool
	Versioned     bool
	Self          bool
}

// Told is what one Updates object tells: a method's reply or a push.
type Told struct {
	Calls        []CallState
	Messages     []Message
	Participants []Participants
}

// OneCall returns the only call that an Updates object may hold.
func (o Told) OneCall(t *testing.T) CallState {
	t.Helper()
	if len(o.Calls) != 1 {
		t.Fatalf("%d calls in one answer: %+v", len(o.Calls), o)
	}
	return o.Calls[0]
}

// OneMessage returns the only message that an Updates object may hold.
func (o Told) OneMessage(t *testing.T) Message {
	t.Helper()
	if len(o.Messages) != 1 {
		t.Fatalf("%d messages in one answer: %+v", len(o.Messages), o)
	}
	return o.Messages[0]
}

// News collects what is pushed to a client, in order.
type News struct {
	mu  sync.Mutex
	all Told // guarded by mu
}

// Add appends what one push told.
func (n *News) Add(o Told) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all.Calls = append(n.all.Calls, o.Calls...)
	n.all.Messages = append(n.all.Messages, o.Messages...)
	n.all.Participants = append(n.all.Participants, o.Participants...)
}

// All returns what was pushed so far.
func (n *News) All() Told {
	n.mu.Lock()
	defer n.mu.Unlock()
	return Told{slices.Clone(n.all.Calls), slices.Clone(n.all.Messages), slices.Clone(n.all.Participants)}
}

// Call waits for a pushed state of a call.
func (n *News) Call(t *testing.T, what string, is func(CallState) bool) (c CallState) {
	t.Helper()
	harness.Eventually(t, func() string {
		all := n.All().Calls
		i := slices.IndexFunc(all, is)
		if i < 0 {
			return fmt.Sprintf("no updateGroupCall with %s among %+v", what, all)
		}
		c = all[i]
		return ""
	})
	return c
}

// Message waits for a pushed message.
func (n *News) Message(t *testing.T, what string, is func(Message) bool) (m Message) {
	t.Helper()
	harness.Eventually(t, func() string {
		all := n.All().Messages
		i := slices.IndexFunc(all, is)
		if i < 0 {
			return fmt.Sprintf("no message with %s among %+v", what, all)
		}
		m = all[i]
		return ""
	})
	return m
}

// Participant waits for a pushed entry of a call's list.
func (n *News) Participant(t *testing.T, what string, is func(Participant) bool) (p Participant, version int) {
	t.Helper()
	harness.Eventually(t, func() string {
		all := n.All().Participants
		for _, u := range all {
			if i := slices.IndexFunc(u.Entries, is); i >= 0 {
				p, version = u.Entries[i], u.Version
				return ""
			}
		}
		return fmt.Sprintf("no participant with %s among %+v", what, all)
	})
	return p, version
}

// Refused checks that err is the given rpc_error.
func Refused(t *testing.T, what string, err error, code int, name string) {
	t.Helper()
	got, ok := errors.AsType[*Error](err)
	if !ok || got.Code != code || got.Name != name {
		t.Errorf("%s: error %v, want %d %s", what, err, code, name)
	}
}

// must is for steps that nothing works without.
func must[T any](v T, err error) func(t *testing.T, what string) T {
	return func(t *testing.T, what string) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return v
	}
}

// done is must for steps that return nothing.
func done(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// patience returns a context for one step.
func patience(t *testing.T) context.Context {
	ctx, stop := context.WithTimeout(t.Context(), harness.Patience)
	t.Cleanup(stop)
	return ctx
}
