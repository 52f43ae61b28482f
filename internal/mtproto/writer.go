package mtproto

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// maxWaiting bounds what waits for a connection, in bytes; a client that asks
// and does not read loses the connection. Each reply counts replyCost more, as
// it may have a lane and a stray session of its own.
const (
	maxWaiting = 4 << 20
	replyCost  = 1 << 10
	maxTokens  = 4 * maxContainer // quick acks; more are not sent
)

// errAnswered ends a plain HTTP request.
var errAnswered = errors.New("request answered")

// lane is what a connection is to send for one session: these replies, and
// whatever the session keeps if the connection is its newest.
type lane struct {
	session *session
	replies []*message
	alone   bool // acknowledgments are to go even when there is nothing else
}

// outgoing is the writing half of a connection: others leave lanes and tokens,
// the writer alone takes them.
type outgoing struct {
	wake  chan struct{} // holds one element when there is something to do
	done  chan struct{} // closed when the reader has ended
	timer *time.Timer   // of late acknowledgments; of a plain HTTP request: of its end

	mu      sync.Mutex
	lanes   []lane        // guarded by mu
	tokens  []uint32      // guarded by mu: quick acks
	plain   [][]byte      // guarded by mu: unencrypted messages
	waiting int           // guarded by mu: what they take, at most maxWaiting
	late    []*session    // guarded by mu: whose acknowledgments wait for the timer
	code    int32         // guarded by mu: transport error to end with
	delay   time.Duration // guarded by mu: how long a plain HTTP answer waits for more
}

func (o *outgoing) init() {
	o.wake, o.done = make(chan struct{}, 1), make(chan struct{})
	o.timer = time.NewTimer(time.Hour)
	o.timer.Stop()
}

func (o *outgoing) rouse() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// post has the writer send what s keeps, and reply if there is one.
func (c *conn) post(s *session, reply *message) {
	c.mu.Lock()
	full := reply != nil && c.full(len(reply.body))
	if !full {
		l := c.lane(s)
		if reply != nil {
			l.replies = append(l.replies, reply)
		}
	}
	c.mu.Unlock()
	if full {
		c.close()
	}
	c.rouse()
}

// full tells whether a reply of size bytes is one too many, or else counts it.
// It runs under mu.
func (o *outgoing) full(size int) bool {
	o.waiting += size + replyCost
	return o.waiting > maxWaiting
}

// lane returns the lane of s. It runs under mu.
func (o *outgoing) lane(s *session) *lane {
	for i := range o.lanes {
		if o.lanes[i].session == s {
			return &o.lanes[i]
		}
	}
	o.lanes = append(o.lanes, lane{session: s})
	return &o.lanes[len(o.lanes)-1]
}

// postPlain has the writer send an unencrypted message.
func (c *conn) postPlain(b []byte) {
	c.mu.Lock()
	full := c.full(len(b))
	if !full {
		c.plain = append(c.plain, b)
	}
	c.mu.Unlock()
	if full {
		c.close()
	}
	c.rouse()
}

// quickAck has the writer send a quick ack.
func (c *conn) quickAck(token uint32) {
	c.mu.Lock()
	if len(c.tokens) < maxTokens {
		c.tokens = append(c.tokens, token)
	}
	c.mu.Unlock()
	c.rouse()
}

// ackSoon has the writer send the acknowledgments that s owes, if by then no
// other message has carried them; a plain HTTP answer carries them at its end.
func (c *conn) ackSoon(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.late, s) {
		return
	}
	c.late = append(c.late, s)
	if len(c.late) == 1 && !c.once {
		c.timer.Reset(c.srv.limits.Ack)
	}
}

// mature has the acknowledgments sent whose time has come.
func (c *conn) mature() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.late {
		c.lane(s).alone = true
	}
	c.late = nil
}

// finish has the writer send what is left, then the transport error code
// unless it is 0, and close.
func (c *conn) finish(code int32) {
	c.mu.Lock()
	c.code = code
	c.mu.Unlock()
	close(c.done)
}

// write is the connection's writer.
func (c *conn) write() {
	defer c.close()
	defer c.timer.Stop()
	for {
		ended := false
		select {
		case <-c.wake:
			c.linger()
		case <-c.timer.C:
			c.mature()
			ended = c.once
		case <-c.done:
			ended = true
		}
		if err := c.flush(); err != nil {
			return
		}
		if ended {
			c.writeCode()
			return
		}
	}
}

// linger waits for more, as a plain HTTP client may have asked.
func (c *conn) linger() {
	c.mu.Lock()
	delay := c.delay
	c.mu.Unlock()
	if delay <= 0 {
		return
	}
	select {
	case <-time.After(delay):
	case <-c.done:
	}
}

func (c *conn) writeCode() {
	c.mu.Lock()
	code := c.code
	c.mu.Unlock()
	if code == 0 {
		return
	}
	_ = c.t.SetWriteDeadline(time.Now().Add(c.srv.limits.Write))
	_ = c.t.WriteError(code) // the connection ends either way
}

// work is what there is for a writer to do.
type work struct {
	lanes  []lane
	tokens []uint32
	plain  [][]byte
}

// take returns what there is to do.
func (o *outgoing) take() (w work, some bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w = work{o.lanes, o.tokens, o.plain}
	o.lanes, o.tokens, o.plain, o.waiting = nil, nil, nil, 0
	return w, len(w.lanes)+len(w.tokens)+len(w.plain) > 0
}

// flush sends all there is.
func (c *conn) flush() error {
	for w, some := c.take(); some; w, some = c.take() {
		for _, token := range w.tokens {
			if err := c.deadlined(func() error { return c.t.WriteQuickAck(token) }); err != nil {
				return err
			}
		}
		for _, b := range w.plain {
			if err := c.deadlined(func() error { return c.t.WriteFrame(b) }); err != nil {
				return err
			}
			if c.once {
				return errAnswered
			}
		}
		for _, l := range w.lanes {
			if err := c.flushLane(l); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *conn) flushLane(l lane) error {
	for {
		b := l.session.next(c, &l.replies, l.alone)
		if len(b.parts) == 0 {
			break
		}
		if err := c.deadlined(func() error { return c.writeBatch(l.session, b) }); err != nil {
			return err
		}
		if c.once {
			return errAnswered
		}
	}
	if l.session.isOver() {
		c.srv.begin(func() { c.srv.drop(l.session, "key dropped") })
	}
	return nil
}

func (c *conn) deadlined(write func() error) error {
	if err := c.t.SetWriteDeadline(time.Now().Add(c.srv.limits.Write)); err != nil {
		return err
	}
	return write()
}

// writeBatch sends one frame.
func (c *conn) writeBatch(s *session, b batch) error {
	m := b.container
	if len(b.parts) == 1 {
		m = b.parts[0]
	}
	buf, ok := scratches.Get().(*scratch)
	if !ok {
		buf = new(scratch)
	}
	defer buf.release()
	buf.begin(s.key.salts.current(time.Now()), s.id, m.id, m.seqno)
	buf.text = appendBatch(buf.text, b)
	if err := c.t.WriteFrame(buf.seal(s.key.id, &s.key.value)); err != nil {
		return err
	}
	c.srv.stats.framesOut.Add(1)
	return nil
}
