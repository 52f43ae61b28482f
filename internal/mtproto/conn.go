package mtproto

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"parley/internal/exchange"
	"parley/internal/transport"
)

// Transport errors.
const (
	codeUnknownKey = -404
	codeFlood      = -429
)

// maxConnSessions bounds the sessions one connection may carry.
const maxConnSessions = 16

// conn is a client's connection.
type conn struct {
	srv    *Server        // immutable
	t      transport.Conn // read by the reader, written by the writer
	ip     netip.Addr     // immutable
	seq    int64          // immutable: later connections have higher ones
	opened time.Time      // immutable
	once   bool           // immutable: a plain HTTP request, answered with one frame

	// Owned by the reader.
	key      *authKey
	exchange *exchange.Exchange
	sessions []*session
	known    bool      // a valid encrypted message has come
	hangUp   time.Time // as ping_delay_disconnect asks; zero if not

	outgoing
}

func (s *Server) newConn(t transport.Conn, ip netip.Addr) *conn {
	c := &conn{srv: s, t: t, ip: ip, opened: time.Now(), seq: s.stats.accepted.Add(1)}
	c.outgoing.init()
	t.Share(s.large)
	return c
}

// serve runs the connection until it ends.
func (c *conn) serve() {
	if !c.srv.enter(c) {
		c.close()
		return
	}
	defer c.srv.leave(c)
	var writing sync.WaitGroup
	writing.Go(c.write)
	code := c.read()
	for _, s := range c.sessions {
		s.detach(c)
	}
	c.finish(code)
	writing.Wait()
	if c.key != nil {
		c.srv.registry.release(c.key)
	}
	if c.exchange != nil {
		c.exchange.Close()
	}
}

// close ends the connection at once.
func (c *conn) close() { _ = c.t.Close() }

// read handles frames until the connection ends, and returns the transport
// error that the client is to get, 0 if none.
func (c *conn) read() (code int32) {
	defer func() {
		if p := recover(); p != nil {
			c.srv.cfg.Log.Error("connection panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	for {
		if err := c.t.SetReadDeadline(c.deadline()); err != nil {
			return 0
		}
		frame, err := c.t.ReadFrame()
		if err != nil {
			return 0
		}
		c.srv.stats.framesIn.Add(1)
		if code, ok := c.handle(frame); !ok {
			return code
		}
	}
}

// deadline returns until when the next frame is waited for.
func (c *conn) deadline() time.Time {
	if !c.known {
		return c.opened.Add(c.srv.limits.Greeting)
	}
	t := time.Now().Add(c.srv.limits.Idle)
	if !c.hangUp.IsZero() && c.hangUp.Before(t) {
		return c.hangUp
	}
	return t
}

// handle handles one frame and tells whether the connection goes on, or else
// what transport error ends it. A frame encrypted with a known key is normal
// traffic even while keys are exchanged.
func (c *conn) handle(frame transport.Frame) (code int32, ok bool) {
	if len(frame.Payload) < 8 {
		return 0, false
	}
	id := int64(binary.LittleEndian.Uint64(frame.Payload))
	if id == 0 {
		return c.exchangeKeys(frame.Payload)
	}
	if err := c.useKey(id); err != nil {
		c.srv.cfg.Log.Error("key not loaded", "err", err)
		return 0, false
	}
	if c.key == nil {
		c.srv.stats.unknownKeys.Add(1)
		return codeUnknownKey, false
	}
	p, err := openFrame(&c.key.value, frame.Payload)
	if err != nil {
		c.srv.stats.forged.Add(1)
		return 0, false
	}
	return 0, c.message(p, frame.QuickAck) == nil
}

// useKey sets the key of the connection to the one with the given id, nil if
// there is none.
func (c *conn) useKey(id int64) error {
	now := time.Now()
	if k := c.key; k != nil {
		if k.id == id && !k.gone.Load() && (!k.temp || now.Before(k.expires)) {
			return nil
		}
		c.srv.registry.release(k)
		c.key = nil
	}
	k, err := c.srv.registry.use(c.srv.ctx, c.srv.cfg.Keys, id)
	c.key = k
	return err
}

// message handles one decrypted message; an error ends the connection.
func (c *conn) message(p plain, quickAck bool) error {
	now := time.Now()
	s := c.srv.registry.session(c.key, p.session)
	outer := incoming{id: p.id, seqno: p.seqno, body: p.body}
	if !c.key.salts.valid(p.salt, now) {
		c.srv.stats.badSalts.Add(1)
		body := badSalt(p.id, p.seqno, c.key.salts.current(now))
		c.post(c.orStray(s, p.session), &message{body: body, answers: p.id})
		return nil
	}
	code := checkID(p.id, now)
	if code == codeOK && s == nil && idTime(p.id).Before(c.srv.started) {
		code = codeIDLow // it may have been processed before the restart
	}
	parts, bad := c.unpack(outer)
	if code == codeOK {
		code = bad
	}
	if code != codeOK {
		c.badMsg(c.orStray(s, p.session), outer, code)
		return nil
	}
	c.known = true
	s, a, err := c.receive(s, p.session, outer, parts)
	if err != nil || !a.accepted {
		return err
	}
	if quickAck {
		c.quickAck(p.token)
	}
	return c.process(s, a)
}

// unpack returns the parts of a container, nil for any other message, or why
// the message is refused.
func (c *conn) unpack(m incoming) ([]incoming, int) {
	switch constructor(m.body) {
	case idContainer:
		if m.seqno&1 == 1 {
			return nil, codeSeqnoOdd
		}
		parts, err := unpack(m)
		if err != nil {
			return nil, codeBadContainer
		}
		return parts, codeOK
	case 0:
		return nil, codeBadContainer
	default:
		return nil, codeOK
	}
}

// orStray returns s, or when the session does not exist one that only replies
// can be sent in.
func (c *conn) orStray(s *session, id int64) *session {
	if s == nil {
		s = newSession(c.srv, c.key, id)
	}
	return s
}

func (c *conn) badMsg(s *session, m incoming, code int) {
	c.srv.stats.badMessages.Add(1)
	c.post(s, &message{body: badMsg(m.id, m.seqno, code), answers: m.id})
}

// receive gives what arrived to the session, opening it if need be, and
// returns what is to be processed. Without a session nothing is.
func (c *conn) receive(s *session, id int64, outer incoming, parts []incoming) (*session, arrival, error) {
	for range 3 { // a session may be dropped at any time
		if s == nil {
			var evicted *session
			if s, evicted = c.srv.registry.open(newSession(c.srv, c.key, id), outer.id); s == nil {
				c.badMsg(c.orStray(nil, id), outer, codeIDForgotten)
				return nil, arrival{}, nil
			}
			if evicted != nil {
				c.srv.drop(evicted, "too many sessions")
			}
		}
		a, err := s.receive(c, outer, parts)
		if err == nil {
			return s, a, nil
		}
		s = nil
	}
	return nil, arrival{}, errGone
}

// process handles the messages of one frame.
func (c *conn) process(s *session, a arrival) error {
	newest, err := c.carry(s)
	if err != nil {
		return err
	}
	for _, m := range a.fresh {
		if err := s.dispatch(c, m); err != nil {
			return err
		}
	}
	switch {
	case newest:
		s.resume(c) // only now, when the acknowledgments it brought are known
	case a.urgent:
		s.postNewest()
	}
	s.settle()
	return nil
}

// carry attaches the connection to s and tells whether answers go to it from now on.
func (c *conn) carry(s *session) (bool, error) {
	newest, err := s.attach(c)
	if err != nil {
		return false, err
	}
	if !slices.Contains(c.sessions, s) {
		if len(c.sessions) == maxConnSessions {
			s.detach(c)
			return false, errors.New("too many sessions on a connection")
		}
		c.sessions = append(c.sessions, s)
	}
	return newest, nil
}
