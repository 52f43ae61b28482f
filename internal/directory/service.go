// Package directory knows people and chats: who signed in with which key, what
// they are called, which basic groups, supergroups and channels there are, who
// is in them and may do what. It shows all of them as the API's objects, each
// as one viewer sees it.
//
// The Store is the truth; the service keeps copies of what every update needs.
// It is the only writer: every change of a chat runs inside Publisher.Publish,
// one after another, and forgets its copies before anybody is told.
package directory

import (
	"context"
	"log/slog"
	"time"

	"parley/internal/event"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// Users keeps people and bots.
type Users interface {
	// LoadUsers returns the users that exist, in any order.
	LoadUsers(ctx context.Context, ids []int64) ([]User, error)
	// UserByPhone and UserByToken return 0 when there is none.
	UserByPhone(ctx context.Context, phone string) (int64, error)
	UserByToken(ctx context.Context, hash []byte) (int64, error)
	// AddUser gives the user its id: u.ID if that is free, else the next one.
	AddUser(ctx context.Context, u User) (int64, error) // ErrTaken: phone or token
	// SaveProfile writes the names and about.
	SaveProfile(ctx context.Context, u User) error
}

// Authorizations keeps who is signed in.
type Authorizations interface {
	LoadAuthorization(ctx context.Context, key int64) (Authorization, error) // zero: nobody
	SaveAuthorization(ctx context.Context, a Authorization) error            // replaces the key's
	DeleteAuthorization(ctx context.Context, key int64) error
	AuthorizationsOf(ctx context.Context, user int64) ([]Authorization, error)
}

// Names keeps usernames and contacts.
type Names interface {
	PeerByName(ctx context.Context, name string) (peer.ID, error)        // any case; zero: nobody
	SaveName(ctx context.Context, id peer.ID, name string) error         // "" removes; ErrTaken
	LoadContacts(ctx context.Context, owner int64) ([]Contact, error)    // of one user
	SaveContacts(ctx context.Context, owner int64, list []Contact) error // adds or replaces
	DeleteContacts(ctx context.Context, owner int64, users []int64) error
}

// Chats keeps chats and what is decided for each.
type Chats interface {
	NextID(ctx context.Context) (int64, error) // for a new chat
	LoadChats(ctx context.Context, ids []int64) ([]Chat, error)
	ChatsOf(ctx context.Context, user int64) ([]peer.ID, error) // not deleted ones
	// CommitChat makes a whole change in one transaction and returns the copies
	// of its messages.
	CommitChat(ctx context.Context, ch Change) ([]message.Message, error)
	DefaultJoinAs(ctx context.Context, user, chat int64) (peer.ID, error) // zero: none
	SaveDefaultJoinAs(ctx context.Context, user, chat int64, as peer.ID) error
}

// Members keeps who is in which chat, and the links that lead there.
type Members interface {
	LoadMembers(ctx context.Context, chat int64, users []int64) ([]Member, error)
	MemberIDs(ctx context.Context, chat int64) ([]int64, error) // joined, ascending
	// ListMembers returns one page and how many there are in all.
	ListMembers(ctx context.Context, chat int64, q MemberQuery) ([]Member, int, error)
	LoadInvite(ctx context.Context, hash string) (Invite, error) // zero: none
	// PermanentInvite returns the newest link of a creator that never ends.
	PermanentInvite(ctx context.Context, chat, creator int64) (Invite, error)
}

// Store is all that the service keeps.
type Store interface {
	Users
	Authorizations
	Names
	Chats
	Members
}

// Change is what one method changes of a chat, committed as a whole.
type Change struct {
	Chat    Chat            // the row as it becomes; Count is not read
	Before  []message.Draft // posted while the old members are still in
	Members []Member        // rows as they become
	Invites []Invite        // rows as they become
	After   []message.Draft // posted when the new members are in
}

// Calls knows the calls of chats.
type Calls interface {
	// OfChat returns the call that is scheduled or active, if there is one.
	OfChat(chat peer.ID) (id int64, notEmpty, ok bool)
	// MemberGone tells that a user is no longer in a chat or may not see it,
	// ChatHidden that guests may not any more, ChatGone that there is no chat.
	// They don't wait. Everybody is told of the chat first: TDLib joins again
	// when it is put out of a call whose chat it may see (methods.md B.9).
	MemberGone(chat peer.ID, user int64)
	ChatHidden(chat peer.ID)
	ChatGone(chat peer.ID)
}

// Publisher commits changes one after another and tells everybody concerned.
type Publisher interface {
	// Publish runs commit, delivers what it returns and gives the caller's view.
	Publish(ctx context.Context, c rpc.Caller, commit func(ctx context.Context) ([]event.Event, error)) (tg.UpdatesClass, error)
}

// Codes hands sign-in codes to people.
type Codes interface {
	SendCode(ctx context.Context, phone, code string) error
}

// Config is what a Service needs.
type Config struct {
	Store  Store
	Codes  Codes
	Hasher peer.Hasher
	Log    *slog.Logger
	Dev    bool // test phones and any bot token sign in
}

// Links is what a Service learns once the other services exist.
type Links struct {
	Publisher Publisher
	Calls     Calls
}

// Service is the directory.
type Service struct {
	store  Store
	hasher peer.Hasher
	log    *slog.Logger
	dev    bool
	codes  *codes
	links  Links // set by Connect before use, then immutable

	keyCache     *cache[int64, rpc.Caller]
	userCache    *cache[int64, User]
	contactCache *cache[int64, map[int64]Contact]
	chatCache    *cache[int64, Chat]
	memberCache  *cache[memberKey, Member]
	listCache    *cache[int64, []int64]
	joinAsCache  *cache[memberKey, peer.ID]
	presence     *presence
	imports      *limiter
}

// New returns a Service; Connect has to follow before it is used.
func New(cfg Config) *Service {
	return &Service{
		store: cfg.Store, hasher: cfg.Hasher, log: cfg.Log, dev: cfg.Dev,
		codes:        newCodes(cfg.Codes, cfg.Dev),
		keyCache:     newCache[int64, rpc.Caller](50_000),
		userCache:    newCache[int64, User](50_000),
		contactCache: newCache[int64, map[int64]Contact](10_000),
		chatCache:    newCache[int64, Chat](10_000),
		memberCache:  newCache[memberKey, Member](200_000),
		listCache:    newCache[int64, []int64](2_000),
		joinAsCache:  newCache[memberKey, peer.ID](50_000),
		presence:     newPresence(),
		imports:      newLimiter(importBurst, importEvery),
	}
}

// Connect gives the service its links to others.
func (s *Service) Connect(l Links) { s.links = l }

// LogCodes is the Codes that writes to the operator's log.
func LogCodes(log *slog.Logger) Codes { return logCodes{log} }

type logCodes struct{ log *slog.Logger }

func (l logCodes) SendCode(_ context.Context, phone, code string) error {
	l.log.Info("sign-in code requested", "phone", phone, "code", code)
	return nil
}

func unix() int64 { return time.Now().Unix() }
