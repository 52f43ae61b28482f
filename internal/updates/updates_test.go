package updates_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/store"
	"parley/internal/tg"
	"parley/internal/updates"
)

// The chats of all tests.
var (
	group   = peer.OfChat(100)    // users 1 to 3
	super   = peer.OfChannel(200) // users 1 to 5
	channel = peer.OfChannel(300) // users 1 to 5; only 1 posts
)

// world is a Service over a real store, with a directory of fixed people.
type world struct {
	t     *testing.T
	url   string
	db    *store.DB
	stop  context.CancelFunc
	peers *people
	*updates.Service
}

func newWorld(t *testing.T) *world {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	w := &world{t: t, url: "sqlite:" + path, peers: &people{}}
	w.start()
	w.fill(path)
	t.Cleanup(func() { w.kill() })
	return w
}

func (w *world) start() {
	w.t.Helper()
	db, err := store.Open(w.t.Context(), w.url, [32]byte{})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	w.db, w.stop = db, stop
	w.Service = updates.Start(ctx, updates.Config{
		Peers: w.peers, Log: db, Dialogs: db, Hasher: peer.NewHasher(make([]byte, 16)), Logger: slog.New(slog.DiscardHandler),
	})
}

// kill ends the service without a goodbye.
func (w *world) kill() {
	w.stop()
	<-w.Done()
	if err := w.db.Close(); err != nil {
		w.t.Error(err)
	}
}

func (w *world) restart() {
	w.kill()
	w.start()
}

// fill writes the people and chats into the database.
func (w *world) fill(path string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	var text strings.Builder
	text.WriteString("BEGIN;")
	for i := 1; i <= 5; i++ {
		fmt.Fprintf(&text, "INSERT INTO users (id, first_name, created) VALUES (%d, 'x', 0);", i)
	}
	for _, chat := range []peer.ID{group, super, channel} {
		fmt.Fprintf(&text, "INSERT INTO chats (id, kind, broadcast, title, creator_id, created) VALUES (%d, %d, %v, 'x', 1, 0);",
			chat.ID, chat.Kind, chat == channel)
		all, _ := w.peers.Members(w.t.Context(), chat)
		for _, user := range all {
			fmt.Fprintf(&text, "INSERT INTO members (chat_id, user_id, status, joined) VALUES (%d, %d, 1, 0);", chat.ID, user)
		}
	}
	text.WriteString("COMMIT;")
	if _, err := db.Exec(text.String()); err != nil {
		w.t.Fatal(err)
	}
}

// people is a directory that never changes but for who was asked to leave.
type people struct {
	mu   sync.Mutex
	gone map[int64]bool // guarded by mu
	err  error          // guarded by mu; what naming peers fails with

	contacts     map[int64]int64 // guarded by mu; whom a user knows
	users, chats int             // guarded by mu; how often they were asked for
}

// know makes a user have a contact.
func (p *people) know(user, contact int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.contacts = map[int64]int64{user: contact}
}

// asked returns how often users were asked for, and chats.
func (p *people) asked() (users, chats int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.users, p.chats
}

func (p *people) left(user int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone == nil {
		p.gone = map[int64]bool{}
	}
	p.gone[user] = true
}

func (p *people) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *people) Users(_ context.Context, viewer int64, ids []int64) ([]tg.UserClass, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users++
	all := []tg.UserClass{}
	for _, id := range ids {
		if id < 6 || id == peer.Service {
			all = append(all, &tg.User{ID: id, Self: id == viewer, Contact: id == p.contacts[viewer]})
		}
	}
	return all, p.err
}

func (p *people) Knows(_ context.Context, viewer int64, ids []int64) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(ids, viewer) || slices.Contains(ids, p.contacts[viewer]), p.err
}

func (p *people) Chats(_ context.Context, _ int64, ids []peer.ID) ([]tg.ChatClass, error) {
	p.mu.Lock()
	p.chats++
	p.mu.Unlock()
	all := []tg.ChatClass{}
	for _, id := range ids {
		if id.Kind == peer.Channel {
			all = append(all, &tg.Channel{ID: id.ID, Broadcast: id == channel, Megagroup: id != channel, Photo: &tg.ChatPhotoEmpty{}})
		} else {
			all = append(all, &tg.Chat{ID: id.ID, Photo: &tg.ChatPhotoEmpty{}})
		}
	}
	return all, nil
}

func (p *people) Members(_ context.Context, chat peer.ID) ([]int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := []int64{1, 2, 3}
	if chat != group {
		all = []int64{1, 2, 3, 4, 5}
	}
	return slices.DeleteFunc(all, func(user int64) bool { return p.gone[user] }), nil
}

func (p *people) Rights(ctx context.Context, user int64, chat peer.ID) (peer.Rights, error) {
	all, _ := p.Members(ctx, chat)
	is := slices.Contains(all, user)
	return peer.Rights{
		Member: is, CanRead: is, Creator: user == 1, Admin: user == 1, ManageCall: user == 1, Broadcast: chat == channel,
	}, nil
}

// client is one session and what it was told.
type client struct {
	rpc.Caller
	mu  sync.Mutex
	got []*tg.Updates // guarded by mu
}

// client attaches a new session of user.
func (w *world) client(user int64) *client {
	c := &client{}
	c.Caller = rpc.Caller{User: user, Session: rpc.NewSession(user, func(b rpc.Body) {
		u, err := decode(b)
		if err != nil {
			w.t.Error(err)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.got = append(c.got, u)
	})}
	c.Session.SetLayer(tg.Layer)
	c.Session.WantUpdates()
	w.Attach(user, c.Session)
	return c
}

// decode reads what a client of the newest layer is told.
func decode(b rpc.Body) (*tg.Updates, error) {
	bytes, err := b.EncodeLayer(tg.Layer)
	if err != nil {
		return nil, err
	}
	o, err := tg.Decode(bytes)
	if err != nil {
		return nil, err
	}
	u, ok := o.(*tg.Updates)
	if !ok {
		return nil, fmt.Errorf("told %T", o)
	}
	return u, nil
}

// told returns what the session was told since it was asked last.
func (c *client) told() (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, u := range c.got {
		all = append(all, show(u)...)
	}
	c.got = nil
	return all
}

// show describes updates in a line each.
func show(answer tg.UpdatesClass) (all []string) {
	for _, u := range answer.(*tg.Updates).Updates {
		all = append(all, showUpdate(u))
	}
	return all
}

func showUpdate(u tg.UpdateClass) string {
	switch u := u.(type) {
	case *tg.UpdateNewMessage:
		return fmt.Sprintf("new @%d+%d %s", u.Pts, u.PtsCount, showMessage(u.Message))
	case *tg.UpdateNewChannelMessage:
		return fmt.Sprintf("channel @%d+%d %s", u.Pts, u.PtsCount, showMessage(u.Message))
	case *tg.UpdateGroupCall:
		return "call " + showCall(u.Call)
	case *tg.UpdateGroupCallParticipants:
		s := fmt.Sprintf("participants v%d", u.Version)
		for _, p := range u.Participants {
			s += " [" + showParticipant(p) + "]"
		}
		return s
	case *tg.UpdateGroupCallConnection:
		return "connection " + u.Params.Data
	case *tg.UpdateMessageID:
		return fmt.Sprintf("id %d of %d", u.ID, u.RandomID)
	case *tg.UpdateReadHistoryInbox:
		return fmt.Sprintf("read inbox @%d+%d %s up to %d, %d left", u.Pts, u.PtsCount, showPeer(u.Peer), u.MaxID, u.StillUnreadCount)
	case *tg.UpdateReadHistoryOutbox:
		return fmt.Sprintf("read outbox @%d+%d %s up to %d", u.Pts, u.PtsCount, showPeer(u.Peer), u.MaxID)
	case *tg.UpdateReadChannelInbox:
		return fmt.Sprintf("read channel inbox @%d up to %d, %d left", u.Pts, u.MaxID, u.StillUnreadCount)
	case *tg.UpdateReadChannelOutbox:
		return fmt.Sprintf("read channel outbox up to %d", u.MaxID)
	case *tg.UpdateChannelTooLong:
		return fmt.Sprintf("channel %d @%d", u.ChannelID, *u.Pts)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", u), "*tg.Update")
}

func showMessage(m tg.MessageClass) string {
	switch m := m.(type) {
	case *tg.Message:
		return fmt.Sprintf("#%d %q in %s from %s%s", m.ID, m.Message, showPeer(m.PeerID), showPeer(m.FromID), flags("out", m.Out, "post", m.Post))
	case *tg.MessageService:
		return fmt.Sprintf("#%d %s in %s from %s%s", m.ID, showAction(m.Action), showPeer(m.PeerID), showPeer(m.FromID),
			flags("out", m.Out, "post", m.Post, "mentioned", m.Mentioned))
	case *tg.MessageEmpty:
		return fmt.Sprintf("#%d missing", m.ID)
	}
	return fmt.Sprintf("%T", m)
}

func showAction(a tg.MessageActionClass) string {
	switch a := a.(type) {
	case *tg.MessageActionGroupCall:
		if a.Duration != nil {
			return fmt.Sprintf("ended after %ds", *a.Duration)
		}
		return "started"
	case *tg.MessageActionGroupCallScheduled:
		return fmt.Sprintf("scheduled for %d", a.ScheduleDate)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", a), "*tg.MessageAction")
}

func showCall(g tg.GroupCallClass) string {
	c, ok := g.(*tg.GroupCall)
	if !ok {
		return fmt.Sprintf("ended after %ds", g.(*tg.GroupCallDiscarded).Duration)
	}
	s := fmt.Sprintf("v%d count%d", c.Version, c.ParticipantsCount)
	if c.ScheduleDate != nil {
		s += fmt.Sprintf(" scheduled for %d", *c.ScheduleDate)
	}
	if c.Title != nil {
		s += fmt.Sprintf(" %q", *c.Title)
	}
	return s + flags("join_muted", c.JoinMuted, "can_change_join_muted", c.CanChangeJoinMuted,
		"subscribed", c.ScheduleStartSubscribed, "min", c.Min)
}

func showParticipant(p tg.GroupCallParticipant) string {
	s := showPeer(p.Peer) + flags("self", p.Self, "just_joined", p.JustJoined, "left", p.Left, "versioned", p.Versioned,
		"muted", p.Muted, "can_self_unmute", p.CanSelfUnmute, "muted_by_you", p.MutedByYou, "video_joined", p.VideoJoined)
	if p.RaiseHandRating != nil {
		s += fmt.Sprintf(" hand%d", *p.RaiseHandRating)
	}
	if p.Volume != nil {
		s += fmt.Sprintf(" volume%d", *p.Volume) + flags("by_admin", p.VolumeByAdmin)
	}
	if p.Video != nil {
		s += " video " + p.Video.Endpoint
	}
	if p.Left {
		s += fmt.Sprintf(" source%d", p.Source)
	}
	return s
}

// flags lists the names whose values are true.
func flags(pairs ...any) (s string) {
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1].(bool) {
			s += " " + pair[0].(string)
		}
	}
	return s
}

func showPeer(p tg.PeerClass) string {
	switch p := p.(type) {
	case *tg.PeerUser:
		return fmt.Sprintf("user %d", p.UserID)
	case *tg.PeerChat:
		return fmt.Sprintf("chat %d", p.ChatID)
	case *tg.PeerChannel:
		return fmt.Sprintf("channel %d", p.ChannelID)
	}
	return "nobody"
}

// want fails the test unless the lines are equal.
func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n  got  %s\n  want %s", what, strings.Join(got, "\n       "), strings.Join(want, "\n       "))
	}
}

// allNamed fails the test unless every peer that updates name comes with them.
func allNamed(t *testing.T, answer tg.UpdatesClass) {
	t.Helper()
	u := answer.(*tg.Updates)
	users, chats := map[string]bool{}, map[string]bool{}
	for _, x := range u.Users {
		users[fmt.Sprintf("user %d", x.(*tg.User).ID)] = true
	}
	for _, x := range u.Chats {
		switch x := x.(type) {
		case *tg.Chat:
			chats[fmt.Sprintf("chat %d", x.ID)] = true
		case *tg.Channel:
			chats[fmt.Sprintf("channel %d", x.ID)] = true
		}
	}
	text := strings.NewReplacer("[", "", "]", "", ",", "").Replace(strings.Join(show(u), "\n"))
	words := strings.Fields(text)
	for i := 0; i+1 < len(words); i++ {
		name := words[i] + " " + words[i+1]
		if words[i] == "user" && !users[name] || words[i] == "chat" && !chats[name] || words[i] == "channel" && words[i+1][0] != '@' && !chats[name] {
			t.Errorf("%s is not named in %q", name, text)
		}
	}
}
