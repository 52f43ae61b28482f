package mtproto

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"parley/internal/rpc"
)

// errGone is returned by a session that has just been dropped.
var errGone = errors.New("session is gone")

// resendBytes is the size up to which an answer is simply sent again when its
// request is; of a larger one the client is told that it exists.
const resendBytes = 4 << 10

// session is one client program's conversation: what it sent, what it is owed.
type session struct {
	srv *Server  // immutable
	key *authKey // immutable
	id  int64    // immutable: chosen by the client

	idle  atomic.Int64 // since when it has no connection, Unix ns; 0: it has one
	heard atomic.Int64 // when the client last sent something, Unix ns

	mu           sync.Mutex
	dead         bool    // guarded by mu, as is all below
	doomed       bool    // to be dropped once it has nothing more to say
	greeted      bool    // new_session_created is queued
	conns        []*conn // newest last
	in           inbox
	out          outbox
	pending      map[int64]*request
	pendingBytes int
	slots        chan struct{} // as many requests run at once
	layer        int           // last declared in this session
	rpc          *rpc.Session  // nil until a request is handed to the handler
	past         []*rpc.Session
}

func newSession(srv *Server, key *authKey, id int64) *session {
	s := &session{srv: srv, key: key, id: id}
	s.out.ids, s.out.total = &srv.ids, &srv.queued
	s.idle.Store(time.Now().UnixNano())
	return s
}

// receive takes note of a message, or of the parts of a container, and returns
// what is to be processed; what breaks the rules is answered.
func (s *session) receive(c *conn, outer incoming, parts []incoming) (arrival, error) {
	if parts == nil {
		parts = []incoming{outer}
	}
	s.heard.Store(time.Now().UnixNano())
	s.mu.Lock()
	if s.dead {
		s.mu.Unlock()
		return arrival{}, errGone
	}
	if s.doomed { // the client will ask a session that has a future
		s.mu.Unlock()
		return arrival{}, nil
	}
	a := admission{s: s}
	code := a.admit(outer, parts)
	s.mu.Unlock()

	if code != codeOK {
		c.badMsg(s, outer, code)
		return arrival{}, nil
	}
	for _, m := range a.forgotten {
		c.badMsg(s, m, codeIDForgotten)
	}
	return arrival{accepted: true, fresh: a.fresh, urgent: a.urgent}, nil
}

// arrival is what has come of a frame.
type arrival struct {
	accepted bool
	fresh    []incoming // to be processed
	urgent   bool       // there is something to send at once
}

// greet queues new_session_created#9ec20908 first_msg_id:long unique_id:long
// server_salt:long. It runs under mu.
func (s *session) greet(parts []incoming) {
	if s.greeted {
		return
	}
	s.greeted = true
	first := parts[0].id
	for _, m := range parts {
		first = min(first, m.id)
	}
	var unique [8]byte
	_, _ = rand.Read(unique[:]) // never fails
	body := words(idNewSession, first, int64(binary.LittleEndian.Uint64(unique[:])), s.key.salts.current(time.Now()))
	s.out.push(&message{body: body, content: true})
}

// attach notes that c carries the session. It tells whether c is now its
// newest connection and was not before.
func (s *session) attach(c *conn) (newest bool, err error) {
	var surplus *conn
	s.mu.Lock()
	defer func() {
		s.mu.Unlock()
		if surplus != nil {
			surplus.close()
		}
	}()
	if s.dead {
		return false, errGone
	}
	if slices.Contains(s.conns, c) {
		return false, nil
	}
	s.conns = append(s.conns, c)
	slices.SortFunc(s.conns, func(a, b *conn) int { return int(a.seq - b.seq) })
	if len(s.conns) > s.srv.limits.SessionConns {
		surplus = s.conns[0]
		s.conns = slices.Delete(s.conns, 0, 1)
	}
	s.idle.Store(0)
	return s.newest() == c, nil
}

// detach notes that c is closed; what it may not have delivered goes to the
// next connection.
func (s *session) detach(c *conn) {
	now := time.Now()
	s.mu.Lock()
	was := s.newest()
	if i := slices.Index(s.conns, c); i >= 0 {
		s.conns = slices.Delete(s.conns, i, i+1)
	}
	next := s.newest()
	if next == nil {
		s.conns = nil
		s.idle.Store(now.UnixNano())
	}
	if next != nil && next != was {
		s.out.resendAll(s.sentBefore(next, now), now)
	}
	over := s.over()
	s.mu.Unlock()
	if next != nil && next != was {
		next.post(s, nil)
	}
	if over {
		s.srv.begin(func() { s.srv.drop(s, "key dropped") })
	}
}

// newest returns the connection answers go to. It runs under mu.
func (s *session) newest() *conn {
	if n := len(s.conns); n > 0 {
		return s.conns[n-1]
	}
	return nil
}

// sentBefore returns up to when what was sent is sent again on c: all that is
// unacknowledged, but a plain HTTP connection follows each request and says
// nothing about loss.
func (s *session) sentBefore(c *conn, now time.Time) time.Time {
	if c.once {
		return now.Add(-10 * time.Second)
	}
	return now
}

// resume sends what was sent to an earlier connection again, now that c is the newest.
func (s *session) resume(c *conn) {
	now := time.Now()
	s.mu.Lock()
	s.out.resendAll(s.sentBefore(c, now), now)
	waiting := !s.out.idle()
	s.mu.Unlock()
	if waiting {
		c.post(s, nil)
	}
}

// settle ends the processing of a frame: acknowledgments that no answer
// carries follow a little later.
func (s *session) settle() {
	s.mu.Lock()
	owed := len(s.out.acks) > 0
	newest := s.newest()
	s.mu.Unlock()
	if owed && newest != nil {
		newest.ackSoon(s)
	}
}

// send queues m for the client. When the client does not take what is queued
// for it, the session is dropped: the client finds a new one and asks for
// what it missed.
func (s *session) send(m *message) {
	s.mu.Lock()
	full, to := s.queue(m)
	s.mu.Unlock()
	s.sent(full, to)
}

// queue is the part of send under mu; sent is to be called with what it returns.
func (s *session) queue(m *message) (full bool, to *conn) {
	if s.dead {
		return false, nil
	}
	s.out.push(m)
	l := &s.srv.limits
	full = s.out.len() > l.Unacked || s.out.bytes > l.UnackedBytes ||
		s.srv.queued.Load() > int64(l.QueuedBytes) && s.out.bytes > l.UnackedBytes/16
	return full, s.newest()
}

func (s *session) sent(full bool, to *conn) {
	if full {
		s.srv.begin(func() {
			if s.srv.drop(s, "queue full") {
				s.srv.stats.dropped.Add(1)
			}
		})
		return
	}
	if to != nil {
		to.post(s, nil)
	}
}

// postNewest has the newest connection send what the session keeps.
func (s *session) postNewest() {
	s.mu.Lock()
	to := s.newest()
	s.mu.Unlock()
	if to != nil {
		to.post(s, nil)
	}
}

// push queues an update; it is what an rpc.Session pushes with.
func (s *session) push(body rpc.Body) {
	s.mu.Lock()
	rs := s.rpc
	deaf := s.dead || s.doomed || rs == nil
	s.mu.Unlock()
	if deaf || rs.Layer() == 0 {
		return
	}
	b, err := body.EncodeLayer(rs.Layer())
	if err != nil {
		s.srv.cfg.Log.Error("update not encoded", "session", rs.ID, "err", err)
		return
	}
	if len(b) > maxMessage {
		s.srv.cfg.Log.Error("update too large", "session", rs.ID, "bytes", len(b))
		return
	}
	if len(b) == 0 {
		return // nothing of it exists in that layer
	}
	s.srv.stats.pushed.Add(1)
	s.send(&message{body: b, content: true})
}

// next takes what is to go into the next frame on c.
func (s *session) next(c *conn, replies *[]*message, alone bool) batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.next(replies, s.newest() == c, alone)
}

// identity returns who the handler is to answer. perm is nil for a temporary
// key that is not bound.
func (s *session) identity(perm *authKey) *rpc.Session {
	var key int64
	var inherited int
	if perm != nil {
		key, inherited = perm.id, int(perm.layer.Load())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rpc == nil || s.rpc.Key != key {
		if s.rpc != nil {
			s.past = append(s.past, s.rpc)
		}
		s.rpc = rpc.NewSession(key, s.push)
		s.rpc.DC = s.key.dc
	}
	if s.layer == 0 {
		s.layer = inherited
	}
	if s.layer != s.rpc.Layer() {
		s.rpc.SetLayer(s.layer)
	}
	return s.rpc
}

// doom makes the session end once it has nothing more to say, and tells
// whether that is now.
func (s *session) doom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doomed = true
	return s.over()
}

// over tells whether a doomed session has nothing more to say. It runs under mu.
func (s *session) over() bool {
	return s.doomed && len(s.pending) == 0 && (s.out.idle() || len(s.conns) == 0)
}

func (s *session) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over()
}

// kill ends the session. It returns its connections and what the handler is to
// forget; while requests run, the last of them tells the handler.
func (s *session) kill() ([]*conn, []*rpc.Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
	conns := s.conns
	s.conns = nil
	s.out.clear()
	for _, r := range s.pending {
		r.cancel()
	}
	if len(s.pending) > 0 {
		return conns, nil
	}
	return conns, s.forget()
}

// forget returns what the handler is to forget. It runs under mu.
func (s *session) forget() []*rpc.Session {
	all := s.past
	if s.rpc != nil {
		all = append(all, s.rpc)
	}
	s.past, s.rpc = nil, nil
	return all
}

func (s *session) highest() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.in.highest()
}

// drop ends a session and its connections; false if that was done already.
func (s *Server) drop(session *session, reason string) bool {
	if !s.registry.remove(session, session.highest()) {
		return false
	}
	conns, forgotten := session.kill()
	for _, c := range conns {
		c.close()
	}
	for _, f := range forgotten {
		s.cfg.Handler.Forget(f)
	}
	s.cfg.Log.Debug("session dropped", "key", session.key.id, "reason", reason)
	return true
}
