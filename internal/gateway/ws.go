package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"parley/internal/rpc"
	"parley/internal/tg"
)

const (
	wsQueue   = 256              // messages waiting for a slow client; more, and it is cut off
	wsPending = 32               // requests of one client running at a time
	wsHello   = 10 * time.Second // for the first message, and for each write
)

// A request of the WebSocket. The first one may carry only a token.
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
	Result any             `json:"result,omitempty"`
	Error  *rpcError       `json:"error,omitempty"`
	Update json.Marshaler  `json:"update,omitempty"`
}

// socket is one client's WebSocket.
type socket struct {
	g    *Gateway
	conn *websocket.Conn
	out  chan wsReply
	stop context.CancelFunc
}

// webSocket serves GET /api/ws. The token comes in the Authorization header or
// in the first message, as browsers can't set headers here.
func (g *Gateway) webSocket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	conn.SetReadLimit(maxBody)
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	defer func() { _ = conn.CloseNow() }()
	key, ok := tokenID(g.secret, bearer(r))
	if !ok {
		if key, ok = g.hello(ctx, conn); !ok {
			_ = conn.Close(websocket.StatusPolicyViolation, "send {\"token\": ...} first")
			return
		}
	}
	c := &socket{g: g, conn: conn, out: make(chan wsReply, wsQueue), stop: stop}
	c.serve(ctx, key)
}

// hello reads the first message, which has to carry the token.
func (g *Gateway) hello(ctx context.Context, conn *websocket.Conn) (key int64, ok bool) {
	ctx, stop := context.WithTimeout(ctx, wsHello)
	defer stop()
	_, b, err := conn.Read(ctx)
	if err != nil {
		return 0, false
	}
	var req wsRequest
	if json.Unmarshal(b, &req) != nil {
		return 0, false
	}
	return tokenID(g.secret, req.Token)
}

// serve reads requests until the client goes; answers may overtake each other.
func (c *socket) serve(ctx context.Context, key int64) {
	s := rpc.NewSession(key, func(b rpc.Body) { c.send(wsReply{Update: b}) })
	s.SetLayer(tg.Layer)
	s.WantUpdates()
	var wg sync.WaitGroup
	wg.Go(func() { c.writeLoop(ctx) })
	running := make(chan struct{}, wsPending)
	for {
		_, b, err := c.conn.Read(ctx)
		if err != nil {
			break
		}
		var req wsRequest
		if err := json.Unmarshal(b, &req); err != nil {
			c.send(wsReply{Error: &rpcError{errJSON.Code, errJSON.Name}})
			continue
		}
		running <- struct{}{}
		wg.Go(func() {
			defer func() { <-running }()
			c.answer(ctx, s, req)
		})
	}
	c.stop()
	wg.Wait()
	c.g.methods.Forget(s)
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

func (c *socket) writeLoop(ctx context.Context) {
	defer c.stop()
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-c.out:
			b, err := json.Marshal(m)
			if err != nil {
				c.g.log.Error("message not encoded", "err", err)
				return
			}
			wctx, cancel := context.WithTimeout(ctx, wsHello)
			err = c.conn.Write(wctx, websocket.MessageText, b)
			cancel()
			if err != nil {
				return
			}
		}
	}
}
