// Package gateway serves the API's methods as JSON: POST /api/METHOD for one
// call, and one WebSocket at /api/ws for calls and updates. Names are the
// API's own, "_" is the constructor, longs are decimal strings; the gate, the
// rights and the errors are those of MTProto.
//
// POST /api/token makes a bearer token: the JSON client's auth key. Signing in
// with it (auth.sendCode, auth.signIn) binds it to a user until auth.logOut.
// An open WebSocket is one session; its own goroutine reads it, another writes.
package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"parley/internal/rpc"
	"parley/internal/tg"
	"parley/internal/transport"
)

// What a request may be: as much as the API needs, and no more.
const (
	maxBody     = 1 << 20
	maxLarge    = 128              // above 64 KiB that come in at the same time
	maxDecoding = 8                // at a time: decoded, a body may take 50 times its size
	bodyTime    = 30 * time.Second // for its arrival
)

// What answers may take that clients have not read yet, in bytes.
const (
	maxUnread   = 256 << 20 // of those that are not small
	smallAnswer = 64 << 10
)

// What a caller did wrong before any method saw it.
var (
	errToken = rpc.Err(401, "AUTH_KEY_INVALID")
	errJSON  = rpc.Err(400, "DATA_JSON_INVALID")
	errLarge = rpc.Err(413, "REQUEST_TOO_LARGE")
	errBody  = rpc.Err(400, "REQUEST_INCOMPLETE")
)

// The same in words.
var (
	errHowTo   = errors.New("POST /api/token makes a token; send it as Authorization: Bearer TOKEN")
	errUnknown = errors.New("no such method: names are those of the API, phone.getGroupCall")
)

// Why the gateway takes no request.
var (
	errClosed = rpc.Err(503, "SERVER_CLOSING")
	errBusy   = rpc.Err(503, "SERVER_BUSY")
)

// Methods answers requests; it is the API behind its gate.
type Methods interface {
	Call(ctx context.Context, s *rpc.Session, req tg.Object) (tg.Object, error)
	// Listen has s told of updates from now on.
	Listen(ctx context.Context, s *rpc.Session) error
	Forget(s *rpc.Session)
}

// Gateway is the JSON face of the API.
type Gateway struct {
	methods Methods      // immutable
	secret  []byte       // immutable; signs tokens
	log     *slog.Logger // immutable

	large    transport.Slots // of requests that come in
	decoding chan struct{}   // holds one for each request that is being decoded
	unread   budget          // bytes of answers that are not read yet
	stats    stats

	ctx  context.Context // ends with Close
	stop context.CancelFunc

	mu     sync.Mutex
	closed bool           // guarded by mu
	work   sync.WaitGroup // requests and WebSockets; grows only under mu
}

// New returns a gateway whose tokens are signed with secret.
func New(methods Methods, secret []byte, log *slog.Logger) *Gateway {
	g := &Gateway{methods: methods, secret: secret, log: log, large: transport.NewSlots(maxLarge), decoding: make(chan struct{}, maxDecoding)}
	g.unread.most = maxUnread
	g.ctx, g.stop = context.WithCancel(context.Background())
	return g
}

// Close tells all WebSockets to go and waits until no request is running.
func (g *Gateway) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.stop()
	g.work.Wait()
}

// begin counts a request or a WebSocket until work.Done, unless the gateway is
// closed.
func (g *Gateway) begin() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.work.Add(1)
	return true
}

// Register adds the gateway's routes.
func (g *Gateway) Register(mux *http.ServeMux) {
	mux.HandleFunc("POST /api/token", g.token)
	mux.HandleFunc("POST /api/{method}", g.post)
	mux.HandleFunc("GET /api/{method}", g.get)
	mux.HandleFunc("GET /api/ws", g.webSocket)
}

// token makes a bearer token.
func (g *Gateway) token(w http.ResponseWriter, _ *http.Request) {
	token, _ := newToken(g.secret)
	g.write(w, http.StatusOK, map[string]string{"token": token})
}

// get answers who only looks.
func (g *Gateway) get(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Allow", http.MethodPost)
	g.write(w, http.StatusMethodNotAllowed, map[string]rpcError{"error": {Code: 405, Name: "POST_REQUIRED"}})
}

// post answers one method.
func (g *Gateway) post(w http.ResponseWriter, r *http.Request) {
	key, ok := tokenID(g.secret, bearer(r))
	if !ok {
		g.fail(w, errToken.Because(errHowTo))
		return
	}
	body, err := g.readBody(w, r)
	if err != nil {
		g.fail(w, err)
		return
	}
	if !g.begin() {
		g.fail(w, errClosed)
		return
	}
	defer g.work.Done()
	s := rpc.NewSession(key, func(rpc.Body) {})
	s.SetLayer(tg.Layer)
	s.SetDevice(r.UserAgent())
	res, err := g.call(r.Context(), s, r.PathValue("method"), body)
	if err != nil {
		g.fail(w, err)
		return
	}
	g.write(w, http.StatusOK, res)
}

// readBody returns a request's body, if it is short and comes soon.
func (g *Gateway) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	deadline := http.NewResponseController(w).SetReadDeadline
	_ = deadline(time.Now().Add(bodyTime)) // a writer that can't is no connection
	defer func() { _ = deadline(time.Time{}) }()
	body, err := g.large.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, errLarge
	}
	switch {
	case errors.Is(err, transport.ErrBusy):
		return nil, errBusy
	case err != nil:
		return nil, errBody
	}
	return body, nil
}

// call decodes and answers one request.
func (g *Gateway) call(ctx context.Context, s *rpc.Session, method string, params []byte) (res tg.Object, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		g.stats.answered(err)
		rpc.LogFailed(g.log, s, method, err)
	}()
	req, err := g.decode(method, params)
	if err != nil {
		return nil, err
	}
	return g.methods.Call(ctx, s, req)
}

// decode returns a request, when few enough others are being decoded.
func (g *Gateway) decode(method string, params []byte) (tg.Object, error) {
	g.decoding <- struct{}{}
	defer func() { <-g.decoding }()
	req, err := tg.UnmarshalMethod(method, params)
	switch {
	case unknown(method, err):
		return nil, rpc.ErrMethod.Because(errUnknown)
	case err != nil:
		return nil, errJSON.Because(err)
	}
	return req, nil
}

// unknown tells whether err says that there is no such method, and not that
// something within its parameters is not known.
func unknown(method string, err error) bool {
	if errors.Is(err, tg.ErrUnknown) {
		_, err = tg.UnmarshalMethod(method, nil)
	}
	return errors.Is(err, tg.ErrUnknown)
}

// bearer returns the token of a request, "" when it has none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// rpcError is how an error reads in JSON.
type rpcError struct {
	Code   int    `json:"code"`
	Name   string `json:"name"`
	Detail string `json:"detail,omitempty"` // what is wrong with the request, in words
}

// visible turns err into what a client may see.
func visible(err error) rpcError {
	e, _ := rpc.Visible(err)
	return rpcError{Code: e.Code, Name: e.Name, Detail: rpc.Why(err)}
}

func (g *Gateway) fail(w http.ResponseWriter, err error) {
	e := visible(err)
	status := e.Code
	if status < 400 || status > 599 {
		status = http.StatusBadRequest
	}
	g.write(w, status, map[string]rpcError{"error": e})
}

func (g *Gateway) write(w http.ResponseWriter, status int, v any) {
	b, err := encode(v)
	if err != nil {
		g.log.Error("response not encoded", "err", err)
		status, b = http.StatusInternalServerError, []byte(`{"error":{"code":500,"name":"INTERNAL"}}`)
	}
	if len(b) > smallAnswer {
		if !g.unread.take(len(b)) {
			g.fail(w, errBusy)
			return
		}
		defer g.unread.free(len(b))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}

// encode returns v as JSON, in bytes of its own. The API's objects write
// themselves as json.Marshal would have them: it has nothing to check.
func encode(v any) ([]byte, error) {
	if o, ok := v.(tg.Object); ok {
		return o.MarshalJSON()
	}
	return json.Marshal(v)
}
