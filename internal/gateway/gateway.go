// Package gateway serves the API's methods as JSON: POST /api/METHOD for one
// call, and one WebSocket at /api/ws for calls and updates. Names are the
// API's own, "_" is the constructor, longs are decimal strings; the gate, the
// rights and the errors are those of MTProto.
//
// POST /api/token makes a bearer token: the JSON client's auth key. Signing in
// with it (auth.sendCode, auth.signIn) binds it to a user until auth.logOut.
package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"parley/internal/rpc"
	"parley/internal/tg"
)

// maxBody bounds a request: what the API needs, and no more.
const maxBody = 1 << 20

// What a caller did wrong before any method saw it.
var (
	errToken = rpc.Err(401, "AUTH_KEY_INVALID")
	errJSON  = rpc.Err(400, "DATA_JSON_INVALID")
	errLarge = rpc.Err(413, "REQUEST_TOO_LARGE")
)

// Methods answers requests; it is the API behind its gate.
type Methods interface {
	Call(ctx context.Context, s *rpc.Session, req tg.Object) (tg.Object, error)
	Forget(s *rpc.Session)
}

// Gateway is the JSON face of the API.
type Gateway struct {
	methods Methods      // immutable
	secret  []byte       // immutable; signs tokens
	log     *slog.Logger // immutable
}

// New returns a gateway whose tokens are signed with secret.
func New(methods Methods, secret []byte, log *slog.Logger) *Gateway {
	return &Gateway{methods, secret, log}
}

// Register adds the gateway's routes.
func (g *Gateway) Register(mux *http.ServeMux) {
	mux.HandleFunc("POST /api/token", g.token)
	mux.HandleFunc("POST /api/{method}", g.post)
	mux.HandleFunc("GET /api/ws", g.webSocket)
}

// token makes a bearer token.
func (g *Gateway) token(w http.ResponseWriter, _ *http.Request) {
	token, _ := newToken(g.secret)
	g.write(w, http.StatusOK, map[string]string{"token": token})
}

// post answers one method.
func (g *Gateway) post(w http.ResponseWriter, r *http.Request) {
	key, ok := tokenID(g.secret, bearer(r))
	if !ok {
		g.fail(w, errToken)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		g.fail(w, errLarge)
		return
	}
	s := rpc.NewSession(key, func(rpc.Body) {})
	s.SetLayer(tg.Layer)
	res, err := g.call(r.Context(), s, r.PathValue("method"), body)
	if err != nil {
		g.fail(w, err)
		return
	}
	g.write(w, http.StatusOK, res)
}

// call decodes and answers one request.
func (g *Gateway) call(ctx context.Context, s *rpc.Session, method string, params []byte) (tg.Object, error) {
	if len(strings.TrimSpace(string(params))) == 0 {
		params = []byte("{}")
	}
	req, err := tg.UnmarshalMethod(method, params)
	switch {
	case errors.Is(err, tg.ErrUnknown):
		return nil, rpc.ErrMethod
	case err != nil:
		return nil, errJSON
	}
	return g.methods.Call(ctx, s, req)
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
	Code int    `json:"code"`
	Name string `json:"name"`
}

// visible turns err into what a client may see, and logs it if it was not
// meant for one.
func (g *Gateway) visible(err error) rpcError {
	e, meant := rpc.Visible(err)
	if !meant && !errors.Is(err, context.Canceled) {
		g.log.Error("request failed", "err", err)
	}
	return rpcError{e.Code, e.Name}
}

func (g *Gateway) fail(w http.ResponseWriter, err error) {
	e := g.visible(err)
	status := e.Code
	if status < 400 || status > 599 {
		status = http.StatusBadRequest
	}
	g.write(w, status, map[string]rpcError{"error": e})
}

func (g *Gateway) write(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		g.log.Error("response not encoded", "err", err)
		status, b = http.StatusInternalServerError, []byte(`{"error":{"code":500,"name":"INTERNAL"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}
