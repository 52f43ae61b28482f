package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/internal/rpc"
	"parley/internal/tg"
)

// patience bounds every wait.
const patience = 20 * time.Second

// methods answers with func fields; it counts the sessions it has to forget.
type methods struct {
	call func(ctx context.Context, s *rpc.Session, req tg.Object) (tg.Object, error)

	listen func(s *rpc.Session) error // nil: always works

	mu     sync.Mutex
	forgot int // guarded by mu
}

func (m *methods) Call(ctx context.Context, s *rpc.Session, req tg.Object) (tg.Object, error) {
	return m.call(ctx, s, req)
}

func (m *methods) Listen(_ context.Context, s *rpc.Session) error {
	s.WantUpdates()
	if m.listen == nil {
		return nil
	}
	return m.listen(s)
}

func (m *methods) Forget(*rpc.Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgot++
}

// named answers with the request's name.
func named(_ context.Context, _ *rpc.Session, req tg.Object) (tg.Object, error) {
	return &tg.HelpInviteText{Message: req.TypeName()}, nil
}

// fixture is a gateway that is served over real HTTP.
type fixture struct {
	t *testing.T
	*Gateway
	methods *methods
	url     string
	token   string
	log     *bytes.Buffer // read after close
	close   func()
}

func serve(t *testing.T, call func(ctx context.Context, s *rpc.Session, req tg.Object) (tg.Object, error)) *fixture {
	t.Helper()
	before := runtime.NumGoroutine()
	f := &fixture{t: t, methods: &methods{call: call}, log: &bytes.Buffer{}}
	f.Gateway = New(f.methods, []byte("secret"), slog.New(slog.NewTextHandler(f.log, nil)))
	mux := http.NewServeMux()
	f.Register(mux)
	server := httptest.NewServer(mux)
	f.url = server.URL
	f.token, _ = newToken(f.secret)
	f.close = sync.OnceFunc(func() {
		f.Close()
		server.Close()
		http.DefaultClient.CloseIdleConnections()
		eventually(t, func() string {
			if n := runtime.NumGoroutine(); n > before {
				buf := make([]byte, 1<<16)
				return fmt.Sprintf("%d goroutines, %d before\n%s", n, before, buf[:runtime.Stack(buf, true)])
			}
			return ""
		})
	})
	t.Cleanup(f.close)
	return f
}

// eventually waits until why returns nothing.
func eventually(t *testing.T, why func() string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); ; <-tick.C {
		text := why()
		if text == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatal("not yet: ", text)
		}
	}
}

// do makes a request and returns status and body.
func (f *fixture) do(verb, path, auth string, body io.Reader) (int, string) {
	f.t.Helper()
	ctx, stop := context.WithTimeout(f.t.Context(), patience)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, verb, f.url+path, body)
	if err != nil {
		f.t.Fatal(err)
	}
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(text))
}

func TestPost(t *testing.T) {
	f := serve(t, func(ctx context.Context, s *rpc.Session, req tg.Object) (tg.Object, error) {
		switch req.(type) {
		case *tg.HelpGetConfigRequest:
			return nil, rpc.FloodWait(3 * time.Second)
		case *tg.HelpGetNearestDCRequest:
			return nil, errors.New("disk full")
		case *tg.HelpGetAppConfigRequest:
			panic("a mistake")
		case *tg.HelpGetInviteTextRequest:
			return nil, rpc.Err(-503, "Timeout")
		}
		return named(ctx, s, req)
	})
	good := "Bearer " + f.token
	for name, tt := range map[string]struct {
		verb, path, auth, body string
		status                 int
		says                   string
	}{
		"good":            {"POST", "/api/updates.getState", good, `{}`, 200, `{"_":"help.inviteText","message":"updates.getState"}`},
		"no body":         {"POST", "/api/updates.getState", good, ``, 200, `updates.getState`},
		"with name":       {"POST", "/api/updates.getState", good, `{"_":"updates.getState"}`, 200, `updates.getState`},
		"lower case":      {"POST", "/api/updates.getState", "bearer " + f.token, `{}`, 200, `updates.getState`},
		"no token":        {"POST", "/api/updates.getState", "", `{}`, 401, `{"error":{"code":401,"name":"AUTH_KEY_INVALID","detail":"POST /api/token makes a token; `},
		"basic":           {"POST", "/api/updates.getState", "Basic " + f.token, `{}`, 401, `AUTH_KEY_INVALID`},
		"forged token":    {"POST", "/api/updates.getState", good[:len(good)-4] + "AAAA", `{}`, 401, `AUTH_KEY_INVALID`},
		"other verb":      {"GET", "/api/updates.getState", good, ``, 405, `POST_REQUIRED`},
		"no method":       {"POST", "/api/updates.getNothing", good, `{}`, 400, `METHOD_INVALID`},
		"a constructor":   {"POST", "/api/updates.state", good, `{}`, 400, `METHOD_INVALID`},
		"a path":          {"POST", "/api/updates/getState", good, `{}`, 404, ``},
		"not JSON":        {"POST", "/api/updates.getState", good, `{`, 400, `DATA_JSON_INVALID`},
		"a list":          {"POST", "/api/updates.getState", good, `[]`, 400, `DATA_JSON_INVALID`},
		"trailing":        {"POST", "/api/updates.getState", good, `{} {}`, 400, `DATA_JSON_INVALID`},
		"unknown field":   {"POST", "/api/updates.getState", good, `{"x":1}`, 400, `"detail":"unmarshal updates.getState`},
		"unknown object":  {"POST", "/api/phone.getGroupCall", good, `{"call":{"_":"nothing"}}`, 400, `DATA_JSON_INVALID`},
		"wrong type":      {"POST", "/api/phone.getGroupCall", good, `{"call":7}`, 400, `DATA_JSON_INVALID`},
		"deep":            {"POST", "/api/phone.getGroupCall", good, `{"call":` + strings.Repeat(`[`, 1<<19), 400, `DATA_JSON_INVALID`},
		"large":           {"POST", "/api/updates.getState", good, strings.Repeat(" ", maxBody+1), 413, `REQUEST_TOO_LARGE`},
		"flood wait":      {"POST", "/api/help.getConfig", good, `{}`, 420, `FLOOD_WAIT_3`},
		"internal":        {"POST", "/api/help.getNearestDc", good, `{}`, 500, `{"error":{"code":500,"name":"INTERNAL"}}`},
		"panic":           {"POST", "/api/help.getAppConfig", good, `{}`, 500, `{"error":{"code":500,"name":"INTERNAL"}}`},
		"negative code":   {"POST", "/api/help.getInviteText", good, `{}`, 400, `{"error":{"code":-503,"name":"Timeout"}}`},
		"token by no one": {"POST", "/api/token", "", ``, 200, `{"token":"`},
	} {
		status, text := f.do(tt.verb, tt.path, tt.auth, strings.NewReader(tt.body))
		if status != tt.status || !strings.Contains(text, tt.says) {
			t.Errorf("%s: %d %.200s, want %d %s", name, status, text, tt.status, tt.says)
		}
	}
	f.close()
	if n := strings.Count(f.log.String(), `msg="request failed" method=help.get`); n != 2 {
		t.Errorf("%d failures logged, want 2: %s", n, f.log)
	}
	if status, _ := response(f.Gateway, "POST", "/api/updates.getState", f.token, "{}"); status != 503 {
		t.Errorf("a closed gateway answers %d", status)
	}
}

// response answers a request without a network.
func response(g *Gateway, verb, path, token, body string) (int, string) {
	mux := http.NewServeMux()
	g.Register(mux)
	w := httptest.NewRecorder()
	r := httptest.NewRequest(verb, "/", strings.NewReader(body))
	r.URL.Path = path
	r.Header.Set("Authorization", "Bearer "+token)
	mux.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// FuzzPost feeds the gateway methods and bodies; whatever is answered is JSON.
func FuzzPost(f *testing.F) {
	g := New(&methods{call: named}, []byte("secret"), slog.New(slog.DiscardHandler))
	token, _ := newToken(g.secret)
	f.Add("phone.getGroupCall", `{"call":{"_":"inputGroupCall","id":"1","access_hash":2},"limit":3}`)
	f.Add("updates.getState", ``)
	f.Add("messages.sendMessage", `{"peer":{"_":"inputPeerSelf"},"message":"x","random_id":"-9223372036854775808"}`)
	f.Add("token", `[]`)
	f.Add("help.saveAppLog", `{"events":[{"data":{"_":"jsonArray","value":[{"_":"jsonNull"}]}}]}`)
	f.Fuzz(func(t *testing.T, method, body string) {
		if strings.ContainsAny(method, "/?#%") || method == "" || method == "." || method == ".." {
			return // another path
		}
		status, text := response(g, http.MethodPost, "/api/"+method, token, body)
		if !json.Valid([]byte(text)) || status != 200 && status != 400 {
			t.Errorf("%s %q answered %d %q", method, body, status, text)
		}
	})
}

// dial opens a WebSocket; a token in the header is optional.
func (f *fixture) dial(token string) *websocket.Conn {
	f.t.Helper()
	ctx, stop := context.WithTimeout(f.t.Context(), patience)
	defer stop()
	h := http.Header{}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	c, _, err := websocket.Dial(ctx, "ws"+f.url[4:]+"/api/ws", &websocket.DialOptions{HTTPHeader: h}) //nolint:bodyclose // the connection took it
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = c.CloseNow() })
	c.SetReadLimit(-1)
	return c
}

func (f *fixture) send(c *websocket.Conn, text string) error {
	ctx, stop := context.WithTimeout(f.t.Context(), patience)
	defer stop()
	return c.Write(ctx, websocket.MessageText, []byte(text))
}

// read returns the next message, or the status the connection was closed with.
func (f *fixture) read(c *websocket.Conn) (string, websocket.StatusCode) {
	ctx, stop := context.WithTimeout(f.t.Context(), patience)
	defer stop()
	_, b, err := c.Read(ctx)
	if err != nil {
		if ctx.Err() != nil {
			f.t.Error("nothing comes")
		}
		return "", websocket.CloseStatus(err)
	}
	return string(b), 0
}
