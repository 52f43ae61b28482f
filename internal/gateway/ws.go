package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"parley/internal/rpc"
	"parley/internal/tg"
)

const (
	wsQueue   = 256              // messages waiting for a slow client; more, and it is cut off
	wsPending = 32               // requests of one client whose answers are not written
	wsUnread  = 8 << 20          // bytes of those that are not small; more, and it is cut off
	wsID      = 256              // bytes of a request's id
	wsHello   = 10 * time.Second // for the first message, for each write, for the answer to a ping
	wsPing    = 30 * time.Second // how often a client has to show that it lives
)

// A request of the WebSocket. The first one carries the token, if the header
// did not; it may ask for something, too.
type wsRequest struct {
	Token  string          `json:"token,omitempty"`
	ID     json.RawMessage `json:"id,omitempty"` // echoed
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
}

var errID = fmt.Errorf("an id of more than %d bytes", wsID)

func parse(b []byte) (req wsRequest, err error) {
	err = json.Unmarshal(b, &req)
	wrong, other := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case other && wrong.Field == "":
		err = fmt.Errorf("a request is an object, but got %s", wrong.Value)
	case other:
		err = fmt.Errorf("%s is a string, but got %s", wrong.Field, wrong.Value)
	case err == nil && len(req.ID) > wsID:
		err = errID
	}
	return req, err
}

// wsReply is what the server sends: an answer (id and result or error), or an
// update.
type wsReply struct {
	ID     json.RawMessage `json:"id,omitempty"`
	Error  *rpcError       `json:"error,omitempty"`
	Result json.Marshaler  `json:"-"`
	Update json.Marshaler  `json:"-"`

	isAnswer bool   // to a request, which is then over
	text     []byte // all of it as JSON; nil: encoded when it is written
}

// encode returns m as JSON. Result and update write themselves as json.Marshal
// would have them; their bytes may be shared with other clients.
func (m wsReply) encode() ([]byte, error) {
	if m.text != nil {
		return m.text, nil
	}
	b, err := json.Marshal(m)
	name, object := "result", m.Result
	if object == nil {
		name, object = "update", m.Update
	}
	if err != nil || object == nil {
		return b, err
	}
	text, err := object.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", name, err)
	}
	b = slices.Grow(b[:len(b)-1], len(name)+len(text)+5) // room for all that follows
	if len(b) > 1 {
		b = append(b, ',')
	}
	b = append(append(append(b, '"'), name...), `":`...)
	return append(append(b, text...), '}'), nil
}

// socket is one client's WebSocket.
type socket struct {
	g       *Gateway
	conn    *websocket.Conn
	session *rpc.Session // nil until the token is known
	out     chan wsReply
	running chan struct{} // holds one for each request whose answer is not written yet
	unread  budget        // bytes of answers that are not written yet and not small
	stop    context.CancelFunc
	cut     sync.Once // the client does not keep up
}

// webSocket serves GET /api/ws. The token comes in the Authorization header or
// in the first message, as browsers can't set headers here. From then on
// updates are heard.
func (g *Gateway) webSocket(w http.ResponseWriter, r *http.Request) {
	if !g.begin() {
		g.fail(w, errClosed)
		return
	}
	defer g.work.Done()
	ctx, stop := context.WithCancel(g.ctx)
	defer stop()
	c := &socket{g: g, out: make(chan wsReply, wsQueue), running: make(chan struct{}, wsPending), stop: stop}
	c.unread.most = wsUnread
	defer c.forget()
	token := bearer(r)
	key, known := tokenID(g.secret, token)
	switch {
	case token != "" && !known:
		g.fail(w, errToken.Because(errHowTo))
		return
	case known: // before the client hears that the WebSocket is open
		if err := c.listen(ctx, key, r.UserAgent()); err != nil {
			g.fail(w, err)
			return
		}
	}
	var err error
	if c.conn, err = websocket.Accept(w, r, nil); err != nil {
		return // Accept has answered
	}
	defer func() { _ = c.conn.CloseNow() }()
	c.conn.SetReadLimit(maxBody)
	var first wsRequest
	if !known {
		if first, err = c.hello(ctx, r.UserAgent()); err != nil {
			_ = c.conn.Close(websocket.StatusPolicyViolation, err.Error())
			return
		}
	}
	c.serve(ctx, first)
}

// listen begins the session of key, which is told of updates from now on.
func (c *socket) listen(ctx context.Context, key int64, device string) error {
	s := rpc.NewSession(key, func(b rpc.Body) {
		c.g.stats.pushed.Add(1)
		c.send(wsReply{Update: b})
	})
	s.SetLayer(tg.Layer)
	s.SetDevice(device)
	c.session = s
	err := c.g.methods.Listen(ctx, s)
	rpc.LogFailed(c.g.log, s, "api/ws", err)
	return err
}

func (c *socket) forget() {
	if c.session != nil {
		c.g.methods.Forget(c.session)
	}
}

// What a client is told that does not say who it is.
var (
	errNoToken  = errors.New(`send {"token": ...} first`)
	errNotOurs  = errors.New("unknown token")
	errNoListen = errors.New("try again later")
)

// hello reads the first message, which has to carry the token. The error is
// for the client.
func (c *socket) hello(ctx context.Context, device string) (req wsRequest, err error) {
	ctx, stop := context.WithTimeout(ctx, wsHello)
	defer stop()
	b, err := c.read(ctx)
	if err == nil {
		req, err = parse(b)
	}
	if err != nil || req.Token == "" {
		return req, errNoToken
	}
	key, ok := tokenID(c.g.secret, req.Token)
	if !ok {
		return req, errNotOurs
	}
	if c.listen(ctx, key, device) != nil {
		return req, errNoListen
	}
	return req, nil
}

// serve reads requests until the client goes; answers may overtake each other.
func (c *socket) serve(ctx context.Context, first wsRequest) {
	var wg sync.WaitGroup
	wg.Go(func() { c.writeLoop(ctx) })
	wg.Go(func() { c.pingLoop(ctx) })
	wg.Go(func() {
		<-ctx.Done()
		c.hangUp()
	})
	if first.Method != "" {
		c.start(ctx, &wg, first)
	}
	for {
		// Not ctx: the library cuts the connection when the context of a read
		// or a write ends, and a client that is told to go is to hear why.
		b, err := c.read(context.WithoutCancel(ctx))
		if err != nil {
			break
		}
		req, err := parse(b)
		if err != nil {
			c.send(wsReply{Error: &rpcError{Code: errJSON.Code, Name: errJSON.Name, Detail: err.Error()}})
			continue
		}
		c.start(ctx, &wg, req)
	}
	c.stop()
	wg.Wait()
	c.g.unread.free(int(c.unread.taken.Load()))
}

// read waits for the next message, which has to come as soon as other requests
// once it has begun.
func (c *socket) read(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, r, err := c.conn.Reader(ctx)
	if err != nil {
		return nil, err
	}
	defer time.AfterFunc(bodyTime, cancel).Stop()
	return c.g.large.ReadAll(r)
}

// start answers a request in its own time, when the answer to one of those
// before it is written.
func (c *socket) start(ctx context.Context, wg *sync.WaitGroup, req wsRequest) {
	select {
	case c.running <- struct{}{}:
		wg.Go(func() { c.answer(ctx, req) })
	case <-ctx.Done():
	}
}

// pingLoop cuts off a client that has vanished.
func (c *socket) pingLoop(ctx context.Context) {
	tick := time.NewTicker(wsPing)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			wait, cancel := context.WithTimeout(ctx, wsHello)
			err := c.conn.Ping(wait)
			cancel()
			if err != nil {
				c.stop()
				return
			}
		}
	}
}

func (c *socket) answer(ctx context.Context, req wsRequest) {
	m := wsReply{ID: req.ID, isAnswer: true}
	res, err := c.g.call(ctx, c.session, req.Method, req.Params)
	if err != nil {
		m.Error = new(visible(err))
	} else {
		m.Result = res
	}
	if m.text, err = m.encode(); err != nil {
		c.g.log.Error("message not encoded", "err", err)
		c.stop()
		return
	}
	m.Result = nil // its bytes are counted
	switch size := len(m.text); {
	case size <= smallAnswer:
	case !c.unread.take(size):
		c.cutOff()
		return
	case !c.g.unread.take(size):
		c.unread.free(size)
		m.text, m.Error = nil, new(visible(errBusy))
	}
	c.send(m)
}

// send queues a message; a client that does not read is cut off.
func (c *socket) send(m wsReply) {
	select {
	case c.out <- m:
	default:
		c.cutOff()
	}
}

func (c *socket) cutOff() {
	c.cut.Do(func() { c.g.stats.dropped.Add(1) })
	c.stop()
}

// writeLoop writes what is queued.
func (c *socket) writeLoop(ctx context.Context) {
	defer c.stop()
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-c.out:
			b, err := m.encode()
			if err != nil {
				c.g.log.Error("message not encoded", "err", err)
				return
			}
			if c.write(context.WithoutCancel(ctx), b) != nil {
				return
			}
			if len(m.text) > smallAnswer {
				c.unread.free(len(m.text))
				c.g.unread.free(len(m.text))
			}
			if m.isAnswer {
				<-c.running
			}
		}
	}
}

func (c *socket) write(ctx context.Context, b []byte) error {
	ctx, cancel := context.WithTimeout(ctx, wsHello)
	defer cancel()
	return c.conn.Write(ctx, websocket.MessageText, b)
}

// hangUp ends the connection, and with it reads and writes that wait. It says
// why if the server closes, and nothing to a client that did not keep up.
func (c *socket) hangUp() {
	if c.g.ctx.Err() != nil {
		_ = c.conn.Close(websocket.StatusGoingAway, "server closing")
		return
	}
	_ = c.conn.CloseNow()
}
