// Package updates tells clients what happened: it owns the order in which
// changes reach them (pts), the sessions that want to hear of them, and the
// one projection of messages, chats and calls into what a viewer may see.
//
// Changes with a pts go through Publish, one after another, so that every
// session hears of them in the order of the log. What a session missed it
// reads from that log: State, Difference, ChannelDifference. Group-call
// updates have no pts; their order is the caller's business (Deliver).
//
// It follows methods.md B.4-B.9 and C, and mtproto.md 3.3.
package updates

import (
	"context"
	"log/slog"

	"parley/internal/loop"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// Errors that clients see.
var (
	ErrChannelPrivate = rpc.Err(400, "CHANNEL_PRIVATE")
	ErrPtsEmpty       = rpc.Err(400, "PERSISTENT_TIMESTAMP_EMPTY")
	ErrPtsInvalid     = rpc.Err(400, "PERSISTENT_TIMESTAMP_INVALID")
	ErrMessageEmpty   = rpc.Err(400, "MESSAGE_EMPTY")
	ErrMessageTooLong = rpc.Err(400, "MESSAGE_TOO_LONG")
	ErrRandomID       = rpc.Err(400, "RANDOM_ID_EMPTY")
	ErrWriteForbidden = rpc.Err(403, "CHAT_WRITE_FORBIDDEN")
)

// Peers knows who is who. It is asked while changes are being told, so it must
// not wait for anybody who is publishing.
type Peers interface {
	// Users returns users as viewer sees them; unknown ids are left out.
	Users(ctx context.Context, viewer int64, ids []int64) ([]tg.UserClass, error)
	// Knows tells whether viewer sees any of the users otherwise than strangers
	// do: itself, or a contact.
	Knows(ctx context.Context, viewer int64, ids []int64) (bool, error)
	// Chats returns basic groups and channels as viewer sees them.
	Chats(ctx context.Context, viewer int64, ids []peer.ID) ([]tg.ChatClass, error)
	// Members returns the users who are in a chat now.
	Members(ctx context.Context, chat peer.ID) ([]int64, error)
	// Rights returns what a user may do in a chat.
	Rights(ctx context.Context, user int64, chat peer.ID) (peer.Rights, error)
}

// Log is where boxes and their messages are read from.
type Log interface {
	BoxState(ctx context.Context, box peer.ID) (message.State, error)
	// BoxChanges returns the first changes after pts, in order.
	BoxChanges(ctx context.Context, box peer.ID, pts, limit int) ([]message.Change, error)
	// ChangedChannels returns the user's channels that changed at a date or later.
	ChangedChannels(ctx context.Context, user, since int64) ([]message.State, error)
	// MessagesByID returns those that exist, by ascending id.
	MessagesByID(ctx context.Context, box peer.ID, ids []int) ([]message.Message, error)
	// History returns a page, newest first, and the size of the whole.
	History(ctx context.Context, q message.Query) ([]message.Message, int, error)
}

// Dialogs is the state of users' chats.
type Dialogs interface {
	// Dialogs returns all of a user's chats, in no order.
	Dialogs(ctx context.Context, user int64) ([]message.Dialog, error)
	// Dialog returns one, also when there is nothing in it; Date may be missing.
	Dialog(ctx context.Context, user int64, chat peer.ID) (message.Dialog, error)
	MarkRead(ctx context.Context, user int64, chat peer.ID, maxID int, date int64) (message.Reading, error)
	// PostMessage posts and tells whether the message is new.
	PostMessage(ctx context.Context, d message.Draft) (all []message.Message, fresh bool, err error)
}

// Config is what a Service works with.
type Config struct {
	Peers   Peers
	Log     Log
	Dialogs Dialogs
	Hasher  peer.Hasher
	Logger  *slog.Logger
}

// Service tells clients what happened.
type Service struct {
	peers    Peers
	log      Log
	dialogs  Dialogs
	hasher   peer.Hasher
	logger   *slog.Logger
	sessions *registry
	turns    *loop.Loop // publications, one after another
}

// Start starts a Service that publishes until ctx ends.
func Start(ctx context.Context, cfg Config) *Service {
	return &Service{
		peers: cfg.Peers, log: cfg.Log, dialogs: cfg.Dialogs, hasher: cfg.Hasher, logger: cfg.Logger,
		sessions: newRegistry(), turns: loop.Start(ctx),
	}
}

// Done is closed when nothing is published any more.
func (s *Service) Done() <-chan struct{} { return s.turns.Done() }
