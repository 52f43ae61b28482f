package directory_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"parley/internal/directory"
	"parley/internal/event"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/store"
	"parley/internal/tg"
)

// world is a directory over a real database with people in it.
type world struct {
	*directory.Service
	t     testing.TB
	pub   *publisher
	calls *calls
	codes sink
	reads *reads
	alice rpc.Caller
	bob   rpc.Caller
	carol rpc.Caller
	dave  rpc.Caller
}

// reads is a Store that counts how often a default join_as is read.
type reads struct {
	directory.Store
	joinAs int
}

func (r *reads) DefaultJoinAs(ctx context.Context, user, chat int64) (peer.ID, error) {
	r.joinAs++
	return r.Store.DefaultJoinAs(ctx, user, chat)
}

// publisher runs commits one after another and keeps the events of the last.
type publisher struct {
	mu     sync.Mutex
	events []event.Event // guarded by mu
	told   func() error  // runs when the events of a change are told; nil: nothing
}

func (p *publisher) Publish(ctx context.Context, _ rpc.Caller, commit func(context.Context) ([]event.Event, error)) (tg.UpdatesClass, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	events, err := commit(ctx)
	if err != nil {
		return nil, err
	}
	p.events = events
	if p.told != nil {
		if err := p.told(); err != nil {
			return nil, err
		}
	}
	return &tg.Updates{}, nil
}

// calls is a chat's call as the directory sees it.
type calls struct {
	mu       sync.Mutex
	chat     peer.ID
	id       int64
	notEmpty bool
	gone     []string // guarded by mu
}

func (c *calls) OfChat(chat peer.ID) (int64, bool, bool) { return c.id, c.notEmpty, chat == c.chat }

func (c *calls) MemberGone(chat peer.ID, user int64) { c.note(fmt.Sprintf("%s user %d", chat, user)) }

func (c *calls) ChatHidden(chat peer.ID) { c.note(chat.String() + " hidden") }

func (c *calls) ChatGone(chat peer.ID) { c.note(chat.String()) }

func (c *calls) note(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = append(c.gone, s)
}

// sink is where sign-in codes go: the test reads them by phone.
type sink map[string]string

func (s sink) SendCode(_ context.Context, phone, code string) error {
	s[phone] = code
	return nil
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := openWorld(t, "sqlite::memory:", true)
	w.alice, w.bob, w.carol, w.dave = w.person("1001", "Alice"), w.person("1002", "Bob"), w.person("1003", "Carol"), w.person("1004", "Dave")
	return w
}

func openWorld(t testing.TB, url string, dev bool) *world {
	t.Helper()
	db, err := store.Open(t.Context(), url, [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w := &world{t: t, pub: &publisher{}, calls: &calls{}, codes: sink{}, reads: &reads{Store: db}}
	w.Service = directory.New(directory.Config{
		Store: w.reads, Codes: w.codes, Hasher: peer.NewHasher(make([]byte, 16)), Log: slog.New(slog.DiscardHandler), Dev: dev,
	})
	w.Connect(directory.Links{Publisher: w.pub, Calls: w.calls})
	return w
}

func (w *world) person(phone, name string) rpc.Caller {
	w.t.Helper()
	id, err := w.AddUser(w.t.Context(), phone+"555", name, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return rpc.Caller{User: id}
}

// channel makes a supergroup of alice's with members.
func (w *world) channel(members ...rpc.Caller) peer.ID {
	w.t.Helper()
	id, _, err := w.CreateChannel(w.t.Context(), w.alice, directory.NewChannel{Title: "Group"})
	w.ok(err)
	for _, m := range members {
		_, err := w.Invite(w.t.Context(), w.alice, id.ID, []int64{m.User})
		w.ok(err)
	}
	return id
}

// promote gives a member of alice's channel rights.
func (w *world) promote(ch peer.ID, who rpc.Caller, rights directory.AdminRights) {
	w.t.Helper()
	_, err := w.EditAdmin(w.t.Context(), w.alice, directory.Promotion{Channel: ch.ID, User: who.User, Rights: rights})
	w.ok(err)
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// want checks that err is the error a client reads as name; "" is no error.
func (w *world) want(err error, name string) {
	w.t.Helper()
	var e *rpc.Error
	switch {
	case name == "" && err == nil:
	case errors.As(err, &e) && e.Name == name:
	default:
		w.t.Errorf("got error %v, want %q", err, name)
	}
}

// actions returns what the messages of the last change say, one per copy.
func (w *world) actions() (names []string) {
	for _, e := range w.pub.events {
		if p, ok := e.(event.Posted); ok {
			names = append(names, p.Message.Action.TypeName())
		}
	}
	return names
}

// view returns a chat as viewer sees it, after checking that it can be encoded
// for old and new clients.
func (w *world) view(viewer rpc.Caller, id peer.ID) tg.ChatClass {
	w.t.Helper()
	all, err := w.Chats(w.t.Context(), viewer.User, []peer.ID{id})
	w.ok(err)
	if len(all) != 1 {
		w.t.Fatalf("Chats returned %d chats", len(all))
	}
	w.encodable(all[0])
	return all[0]
}

func (w *world) encodable(o tg.Object) {
	w.t.Helper()
	for _, layer := range []int{tg.MinLayer, 158, tg.Layer} {
		if _, err := tg.Encode(o, layer); err != nil {
			w.t.Errorf("encode %s at layer %d: %v", o.TypeName(), layer, err)
		}
	}
}

func (w *world) rights(who rpc.Caller, id peer.ID) peer.Rights {
	w.t.Helper()
	r, err := w.Rights(w.t.Context(), who.User, id)
	w.ok(err)
	return r
}
