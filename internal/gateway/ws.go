package gateway

import (
	"context"
	"encoding/json"
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
	wsPending = 32               // requests of one client running at a time
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

// wsReply is what the server sends: an answer (id and result or error), or an
// update.
type wsReply struct {
	ID     json.RawMessage `json:"id,omitempty"`
	Error  *rpcError       `json:"error,omitempty"`
	Result json.Marshaler  `json:"-"`
	Update json.Marshaler  `json:"-"`
}

// encode returns m as JSON. Result and update write themselves as json.Marshal
// would have them; their bytes may be shared with other clients.
func (m wsReply) encode() ([]byte, error) {
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
	out     chan wsReply
	running chan struct{} // holds one for each request that is being answered
	stop    context.CancelFunc
}

// webSocket serves GET /api/ws. The token comes in the Authorization header or
// in the first message, as browsers can't set headers here.
func (g *Gateway) webSocket(w http.ResponseWriter, r *http.Request) {
	if !g.begin() {
		g.fail(w, errClosed)
		return
	}
	defer g.work.Done()
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	conn.SetReadLimit(maxBody)
	ctx, stop := context.WithCancel(g.ctx)
	defer stop()
	defer func() { _ = conn.CloseNow() }()
	var first wsRequest
	key, ok := tokenID(g.secret, bearer(r))
	if !ok {
		if first, key, ok = g.hello(ctx, conn); !ok {
			why := `send {"token": ...} first`
			if first.Token != "" {
				why = "unknown token"
			}
			_ = conn.Close(websocket.StatusPolicyViolation, why)
			return
		}
	}
	c := &socket{g: g, conn: conn, out: make(chan wsReply, wsQueue), running: make(chan struct{}, wsPending), stop: stop}
	s := rpc.NewSession(key, func(b rpc.Body) { c.send(wsReply{Update: b}) })
	s.SetLayer(tg.Layer)
	s.SetDevice(r.UserAgent())
	s.WantUpdates()
	c.serve(ctx, s, first)
}

// hello reads the first message, which has to carry the token.
func (g *Gateway) hello(ctx context.Context, conn *websocket.Conn) (req wsRequest, key int64, ok bool) {
	ctx, stop := context.WithTimeout(ctx, wsHello)
	defer stop()
	_, b, err := conn.Read(ctx)
	if err != nil || json.Unmarshal(b, &req) != nil {
		return req, 0, false
	}
	key, ok = tokenID(g.secret, req.Token)
	return req, key, ok
}

// serve reads requests until the client goes; answers may overtake each other.
func (c *socket) serve(ctx context.Context, s *rpc.Session, first wsRequest) {
	var wg sync.WaitGroup
	wg.Go(func() { c.writeLoop(ctx) })
	wg.Go(func() { c.pingLoop(ctx) })
	wg.Go(func() {
		<-ctx.Done()
		c.hangUp()
	})
	if first.Method != "" {
		c.start(ctx, &wg, s, first)
	}
	for {
		// Not ctx: the library cuts the connection when the context of a read
		// or a write ends, and a client that is told to go is to hear why.
		_, b, err := c.conn.Read(context.WithoutCancel(ctx))
		if err != nil {
			break
		}
		var req wsRequest
		if err := json.Unmarshal(b, &req); err != nil {
			c.send(wsReply{Error: &rpcError{Code: errJSON.Code, Name: errJSON.Name, Detail: err.Error()}})
			continue
		}
		c.start(ctx, &wg, s, req)
	}
	c.stop()
	wg.Wait()
	c.g.methods.Forget(s)
}

// start answers a request in its own time, when one of those running is done.
func (c *socket) start(ctx context.Context, wg *sync.WaitGroup, s *rpc.Session, req wsRequest) {
	c.running <- struct{}{}
	wg.Go(func() {
		defer func() { <-c.running }()
		c.answer(ctx, s, req)
	})
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

func (c *socket) answer(ctx context.Context, s *rpc.Session, req wsRequest) {
	res, err := c.g.call(ctx, s, req.Method, req.Params)
	if err != nil {
		e := c.g.visible(err)
		c.send(wsReply{ID: req.ID, Error: &e})
		return
	}
	c.send(wsReply{ID: req.ID, Result: res})
}

// send queues a message; a client that does not read is cut off.
func (c *socket) send(m wsReply) {
	select {
	case c.out <- m:
	default:
		c.stop()
	}
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
