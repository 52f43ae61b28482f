package calls_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/internal/call"
	"parley/internal/calls"
	"parley/internal/event"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/store"
	"parley/internal/tg"
)

// Users 1 to 99 are members of both chats, 1 and 2 manage calls there.
const (
	alice = 1
	bert  = 2
	bob   = 3
	carol = 4
	guest = 100 // sees public chats
	bot   = 200 // banned everywhere

	broken = 99 // its look at a chat panics
)

var (
	super   = peer.OfChannel(1000500) // public
	channel = peer.OfChannel(1000600) // livestreams
)

func by(user int64) rpc.Caller { return rpc.Caller{User: user} }

// world is a Service over a real database.
type world struct {
	t       *testing.T
	deleted bool // no chat exists any more
	url     string
	every   time.Duration // TellEvery; 0: nothing waits
	db      *store.DB
	dir     *directory
	pub     *publisher
	media   *media
	*calls.Service
}

func newWorld(t *testing.T, url string) *world {
	t.Helper()
	w := &world{t: t, url: url}
	w.open()
	t.Cleanup(w.close)
	return w
}

func (w *world) open() {
	w.t.Helper()
	db, err := store.Open(w.t.Context(), w.url, [32]byte{1})
	if err != nil {
		w.t.Fatal(err)
	}
	w.db = db
	w.serve(db)
}

// serve starts a service over any store.
func (w *world) serve(st calls.Store) {
	w.t.Helper()
	w.dir, w.media = &directory{deleted: w.deleted}, &media{}
	w.Service = calls.New(calls.Config{Store: st, Hasher: peer.NewHasher(make([]byte, 16)), TellEvery: cmp.Or(w.every, -1), Log: slog.New(slog.DiscardHandler)})
	w.pub = &publisher{t: w.t, s: w.Service, heard: map[heard]int{}}
	w.Connect(calls.Links{Directory: w.dir, Publisher: w.pub, Media: w.media})
	if err := w.Open(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	w.Service.Close()
	if w.db != nil {
		_ = w.db.Close()
	}
}

// reopen is what a crash and a restart leave: everything but the database.
func (w *world) reopen() {
	w.t.Helper()
	w.close()
	w.open()
}

func fileURL(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "test.db") }

// create creates a call by alice and returns its id.
func (w *world) create(ahead time.Duration) call.ID {
	w.t.Helper()
	r := calls.CreateRequest{Chat: super}
	if ahead != 0 {
		r.ScheduleDate = time.Now().Add(ahead).Unix()
	}
	if _, err := w.Create(w.t.Context(), by(alice), r); err != nil {
		w.t.Fatal(err)
	}
	id, _, _ := w.OfChat(super)
	w.pub.take()
	return call.ID(id)
}

// join lets users join with a source of user*100.
func (w *world) join(id call.ID, users ...int64) {
	w.t.Helper()
	for _, u := range users {
		if _, err := w.Join(w.t.Context(), by(u), id, joinRequest(u, int(u*100))); err != nil {
			w.t.Fatalf("join %d: %v", u, err)
		}
	}
}

func joinRequest(user int64, ssrc int) calls.JoinRequest {
	return calls.JoinRequest{As: peer.OfUser(user), VideoStopped: true, Params: params(ssrc)}
}

func params(ssrc int) []byte {
	return fmt.Appendf(nil, `{"ssrc":%d,"ufrag":"Jpbd","pwd":"Fus4hRjMrpP46HRkXRz+RPdL","fingerprints":[{"hash":"sha-256",
		"setup":"passive","fingerprint":"5A:0E:5A:0E:5A:0E:5A:0E:5A:0E:5A:0E:5A:0E:5A:0E:5A:0E:5A:0E:5A:0E:5A:0E:5A:0E:5A:0E:5A:0E:5A:0E"}],
		"ssrc-groups":[{"semantics":"FID","sources":[%d,%d]}]}`, ssrc, ssrc+1, ssrc+2)
}

func (w *world) info(id call.ID) call.Info {
	w.t.Helper()
	v, err := w.Get(w.t.Context(), by(alice), id, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return v.Info
}

// eventually waits until f has nothing to complain of.
func eventually(t *testing.T, f func() string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	why := f()
	for ; why != "" && time.Now().Before(deadline); why = f() {
		select {
		case <-t.Context().Done():
		case <-time.After(2 * time.Millisecond):
		}
	}
	if why != "" {
		t.Fatal(why)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("err = %v, want %v", err, want)
	}
}

// publisher keeps what it is told and compares it with what the service says
// at that moment.
type publisher struct {
	t  *testing.T
	s  *calls.Service
	mu sync.Mutex

	events []event.Event
	heard  map[heard]int // version
	pushes int           // deliveries that nobody asked for
	fail   atomic.Bool
}

// heard is somebody in a call.
type heard struct {
	call call.ID
	user int64
}

func (p *publisher) Publish(ctx context.Context, c rpc.Caller, commit func(ctx context.Context) ([]event.Event, error)) (tg.UpdatesClass, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail.Load() {
		return nil, errors.New("out of order")
	}
	events, err := commit(ctx)
	if err != nil {
		return nil, err
	}
	p.note(c, events)
	return &tg.Updates{}, nil
}

func (p *publisher) Deliver(_ context.Context, c rpc.Caller, events []event.Event) (tg.UpdatesClass, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.User == 0 {
		p.pushes++
	}
	p.note(c, events)
	return &tg.Updates{}, nil
}

func (p *publisher) note(c rpc.Caller, events []event.Event) {
	for _, e := range events {
		switch e := e.(type) {
		case event.Connected: // whoever joins begins with the version that the answer has
			for h := range p.heard {
				if h.user == c.User {
					delete(p.heard, h)
				}
			}
		case event.CallChanged:
			if e.Only == 0 {
				p.agree(e.Info, events)
			}
		case event.ParticipantsChanged:
			for _, user := range e.To {
				p.count(heard{e.Call, user}, e.Changes)
			}
		}
	}
	p.events = append(p.events, events...)
}

// agree compares a published state with OfChat.
func (p *publisher) agree(i call.Info, events []event.Event) {
	id, notEmpty, ok := p.s.OfChat(i.Chat)
	replaced := slices.ContainsFunc(events, func(e event.Event) bool {
		c, changed := e.(event.CallChanged)
		return changed && c.Info.ID > i.ID
	})
	switch {
	case i.State == call.Discarded && !replaced && ok:
		p.t.Errorf("chat %v still has call %d", i.Chat, id)
	case i.State != call.Discarded && (!ok || id != int64(i.ID) || notEmpty != (i.Count > 0)):
		p.t.Errorf("OfChat = %d, %v, %v, published %+v", id, notEmpty, ok, i)
	}
}

// count checks that versions go up by one with every versioned update that
// somebody hears of.
func (p *publisher) count(h heard, changes []event.ListChange) {
	for _, ch := range changes {
		versioned := ch.Entries[0].Versioned
		for _, entry := range ch.Entries {
			if entry.Versioned != versioned || (entry.Left || entry.JustJoined) && !versioned {
				p.t.Errorf("entries %+v", ch.Entries)
			}
		}
		last, seen := p.heard[h]
		want := last
		if versioned {
			want++
		}
		if seen && ch.Version != want {
			p.t.Errorf("version %d follows %d for user %d, versioned %v", ch.Version, last, h.user, versioned)
		}
		p.heard[h] = ch.Version
	}
}

// take returns what was told since the last time.
func (p *publisher) take() []event.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	events := p.events
	p.events = nil
	return events
}

// kinds names events in short, each change once however many it is told to in
// turn.
func kinds(events []event.Event) (all []string) {
	for _, e := range events {
		switch e := e.(type) {
		case event.Posted:
			s := "text"
			switch a := e.Message.Action.(type) {
			case *tg.MessageActionGroupCallScheduled:
				s = "scheduled"
			case *tg.MessageActionGroupCall:
				s = "opened"
				if a.Duration != nil {
					s = "closed"
				}
			case *tg.MessageActionInviteToGroupCall:
				s = "invited"
			}
			all = append(all, s)
		case event.CallChanged:
			if len(e.Except) == 0 {
				all = append(all, fmt.Sprintf("call %d state %d", e.Info.ID, e.Info.State))
			}
		case event.ParticipantsChanged:
			for _, ch := range e.Changes {
				if s := fmt.Sprintf("%d entries v%d", len(ch.Entries), ch.Version); !slices.Contains(all, s) {
					all = append(all, s)
				}
			}
		case event.ChatChanged:
			all = append(all, "chat")
		case event.Connected:
			all = append(all, "connected")
		}
	}
	return all
}

// media notes what is asked of it.
type media struct {
	mu    sync.Mutex
	conns map[int64]calls.MediaJoin // open
	gates map[int64]call.Gate
	ended []int64
	fail  error
}

func (m *media) Join(_ context.Context, j calls.MediaJoin) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	if m.conns == nil {
		m.conns, m.gates = map[int64]calls.MediaJoin{}, map[int64]call.Gate{}
	}
	m.conns[j.Conn] = j
	return []byte(`{"transport":{}}`), nil
}

func (m *media) Gate(_, conn int64, audio, video bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gates[conn] = call.Gate{Conn: conn, Audio: audio, Video: video}
}

func (m *media) Leave(_, conn int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.conns, conn)
	delete(m.gates, conn)
}

func (m *media) End(id int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = append(m.ended, id)
	for conn, j := range m.conns {
		if j.Call == id {
			delete(m.conns, conn)
		}
	}
}

// conn returns the connection with an audio source.
func (m *media) conn(source int32) (calls.MediaJoin, call.Gate, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.conns {
		if j.Payload.SSRC == source {
			return j, m.gates[j.Conn], true
		}
	}
	return calls.MediaJoin{}, call.Gate{}, false
}

// directory knows the people above.
type directory struct {
	mu       sync.Mutex
	defaults map[int64]peer.ID
	gone     map[int64]bool // left the chats
	hidden   bool           // from who is no member
	deleted  bool
}

func (d *directory) Rights(_ context.Context, user int64, chat peer.ID) (peer.Rights, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.deleted || chat != super && chat != channel {
		return peer.Rights{}, rpc.ErrPeerID
	}
	in := user < guest && !d.gone[user]
	r := peer.Rights{Member: in, CanRead: in || !d.hidden, Public: true, Banned: user == bot, Broadcast: chat == channel}
	r.Admin = user == alice || user == bert
	r.Creator, r.ManageCall = user == alice, r.Admin
	return r, nil
}

func (d *directory) Chats(_ context.Context, viewer int64, ids []peer.ID) ([]tg.ChatClass, error) {
	if viewer == broken {
		panic("no such viewer")
	}
	return []tg.ChatClass{&tg.Channel{ID: ids[0].ID, Title: "Teahouse", Username: new("tea")}}, nil
}

func (d *directory) JoinAs(_ context.Context, user int64, _ peer.ID) ([]peer.ID, error) {
	return []peer.ID{peer.OfUser(user), peer.OfChannel(1000000 + user), super}, nil
}

func (d *directory) DefaultJoinAs(_ context.Context, user int64, _ peer.ID) (peer.ID, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.defaults[user], nil
}

func (d *directory) SaveDefaultJoinAs(_ context.Context, c rpc.Caller, _, as peer.ID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.defaults == nil {
		d.defaults = map[int64]peer.ID{}
	}
	d.defaults[c.User] = as
	return nil
}

func (d *directory) hide() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hidden = true
}

func (d *directory) leave(user int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone == nil {
		d.gone = map[int64]bool{}
	}
	d.gone[user] = true
}
