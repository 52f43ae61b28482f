package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"parley/internal/rpc"
	"parley/internal/tg"
)

// update is a body that is only JSON.
type update string

func (u update) EncodeLayer(int) ([]byte, error) { return nil, nil }
func (u update) MarshalJSON() ([]byte, error)    { return json.Marshal(string(u)) }

func TestWebSocket(t *testing.T) {
	var last *rpc.Session
	f := serve(t, func(ctx context.Context, s *rpc.Session, req tg.Object) (tg.Object, error) {
		last = s
		if _, ok := req.(*tg.HelpGetConfigRequest); ok {
			return nil, rpc.ErrUnregistered
		}
		return named(ctx, s, req)
	})
	for _, inHeader := range []bool{true, false} {
		token := ""
		if inHeader {
			token = f.token
		}
		c := f.dial(token)
		if !inHeader {
			_ = f.send(c, `{"token":"`+f.token+`","id":0,"method":"updates.getState"}`)
			if got, _ := f.read(c); got != `{"id":0,"result":{"_":"help.inviteText","message":"updates.getState"}}` {
				t.Errorf("the first message was answered %s", got)
			}
		}
		for _, tt := range [][2]string{
			{`{"id":1,"method":"updates.getState"}`, `{"id":1,"result":{"_":"help.inviteText","message":"updates.getState"}}`},
			{`{"id":{"a":"b"},"method":"updates.getState","params":{}}`, `{"id":{"a":"b"},"result":{"_":"help.inviteText","message":"updates.getState"}}`},
			{`{"id":2,"method":"help.getConfig","params":null}`, `{"id":2,"error":{"code":401,"name":"AUTH_KEY_UNREGISTERED"}}`},
			{`{"id":3,"method":"nothing"}`, `{"id":3,"error":{"code":400,"name":"METHOD_INVALID","detail":"no such method: `},
			{`{"id":4}`, `{"id":4,"error":{"code":400,"name":"METHOD_INVALID","detail":`},
			{`{"id":5,"method":"updates.getState","params":[]}`, `DATA_JSON_INVALID`},
			{`7`, `DATA_JSON_INVALID`},
			{`{"id":"` + strings.Repeat("x", wsID) + `","method":"updates.getState"}`, `DATA_JSON_INVALID`},
		} {
			if err := f.send(c, tt[0]); err != nil {
				t.Fatal(err)
			}
			if got, _ := f.read(c); !strings.Contains(got, tt[1]) {
				t.Errorf("%s was answered %s, want %s", tt[0], got, tt[1])
			}
		}
		if !last.WantsUpdates() || last.Layer() != tg.Layer {
			t.Error("a WebSocket's session wants no updates of the newest layer")
		}
		last.Push(update("hello"))
		if got, _ := f.read(c); got != `{"update":"hello"}` {
			t.Errorf("an update came as %s", got)
		}
		_ = c.Close(websocket.StatusNormalClosure, "")
	}
	eventually(t, func() string {
		f.methods.mu.Lock()
		defer f.methods.mu.Unlock()
		if f.methods.forgot != 2 {
			return fmt.Sprintf("%d sessions forgotten, want 2", f.methods.forgot)
		}
		return ""
	})
}

// TestUpdatesFromTheOpening hears an update before it asks for anything.
func TestUpdatesFromTheOpening(t *testing.T) {
	f := serve(t, named)
	f.methods.listen = func(s *rpc.Session) error {
		if !s.WantsUpdates() || s.Layer() != tg.Layer {
			t.Error("a WebSocket's session wants no updates of the newest layer")
		}
		s.Push(update("early"))
		return nil
	}
	for _, token := range []string{f.token, ""} {
		c := f.dial(token)
		if token == "" {
			_ = f.send(c, `{"token":"`+f.token+`"}`)
		}
		if got, _ := f.read(c); got != `{"update":"early"}` {
			t.Errorf("the first message is %s", got)
		}
		_ = c.CloseNow()
	}
}

// TestOpeningFails opens WebSockets while nobody can tell who they belong to.
func TestOpeningFails(t *testing.T) {
	f := serve(t, named)
	f.methods.listen = func(*rpc.Session) error { return errors.New("disk full") }
	if status, text := f.do("GET", "/api/ws", "Bearer wrong", nil); status != 401 || !strings.Contains(text, "/api/token") {
		t.Errorf("a wrong token: %d %s", status, text)
	}
	if status, text := f.do("GET", "/api/ws", "Bearer "+f.token, nil); status != 500 || !strings.Contains(text, "INTERNAL") {
		t.Errorf("token in the header: %d %s", status, text)
	}
	c := f.dial("")
	_ = f.send(c, `{"token":"`+f.token+`"}`)
	if text, code := f.read(c); code != websocket.StatusPolicyViolation {
		t.Errorf("token in the first message: %q, closed with %d", text, code)
	}
	f.close()
	if n := strings.Count(f.log.String(), `msg="request failed" method=api/ws`); n != 2 || f.methods.forgot != 2 {
		t.Errorf("%d failures logged, %d sessions forgotten: %s", n, f.methods.forgot, f.log)
	}
}

// TestEncode compares answers and updates to what json.Marshal makes of them.
func TestEncode(t *testing.T) {
	shared := append(make(json.RawMessage, 0, 64), `{"a":1}`...)
	for _, m := range []wsReply{
		{},
		{ID: json.RawMessage(`1`)},
		{ID: json.RawMessage(`{ "a": "<" }`), Result: tg.Bool(true)},
		{Result: &tg.HelpInviteText{Message: `<"&`}},
		{ID: json.RawMessage(`null`), Error: &rpcError{Code: 400, Name: "A"}},
		{Update: update("<hello>")},
		{Update: shared},
	} {
		want, err := json.Marshal(struct {
			ID     json.RawMessage `json:"id,omitempty"`
			Result any             `json:"result,omitempty"`
			Error  *rpcError       `json:"error,omitempty"`
			Update json.Marshaler  `json:"update,omitempty"`
		}{m.ID, m.Result, m.Error, m.Update})
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.encode()
		if err != nil || string(got) != string(want) {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	if rest := shared[:cap(shared)]; string(rest[len(shared):]) != strings.Repeat("\x00", cap(shared)-len(shared)) {
		t.Errorf("an update's bytes were written over: %q", rest)
	}
	if b, err := (wsReply{Result: &tg.JSONNumber{Value: math.NaN()}}).encode(); err == nil {
		t.Errorf("no number was written as %s", b)
	}
}

// BenchmarkEncodeReply is an answer with a list in it.
func BenchmarkEncodeReply(b *testing.B) {
	list := &tg.Updates{}
	for i := range 100 {
		list.Users = append(list.Users, &tg.User{ID: int64(i), FirstName: new("Somebody")})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (wsReply{ID: json.RawMessage(`1`), Result: list}).encode(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestHello opens WebSockets that don't say who they are.
func TestHello(t *testing.T) {
	f := serve(t, named)
	for _, first := range []string{`{}`, `{"token":"x"}`, `{"method":"updates.getState"}`, `?`, `[]`, `"` + f.token + `"`} {
		c := f.dial("")
		_ = f.send(c, first)
		if text, code := f.read(c); code != websocket.StatusPolicyViolation {
			t.Errorf("%s: answered %q, closed with %d", first, text, code)
		}
	}
	for first, want := range map[string]string{`{}`: "first", `{"token":"x"}`: "unknown token"} {
		c := f.dial("")
		_ = f.send(c, first)
		_, _, err := c.Read(t.Context())
		if closed, ok := errors.AsType[websocket.CloseError](err); !ok || !strings.Contains(closed.Reason, want) {
			t.Errorf("%s: %v, want a reason with %q", first, err, want)
		}
	}
	large := f.dial(f.token)
	_ = f.send(large, strings.Repeat(" ", maxBody+1))
	if text, code := f.read(large); code != websocket.StatusMessageTooBig {
		t.Errorf("a large message: answered %q, closed with %d", text, code)
	}
}

// TestGarbage sends noise and then something good, as many clients do at the
// same time.
func TestGarbage(t *testing.T) {
	f := serve(t, named)
	c := f.dial(f.token)
	noise := []string{``, `{`, `null`, `{"id":1}`, `{"method":7}`, "\x00\xff", `{"method":"phone.getGroupCall","params":{"call":[]}}`, `[[[[`}
	for i := range 1000 {
		if err := f.send(c, noise[i%len(noise)]); err != nil {
			t.Fatal(err)
		}
		if got, _ := f.read(c); !strings.Contains(got, `"error":{"code":400`) {
			t.Fatalf("%q was answered %s", noise[i%len(noise)], got)
		}
	}
	_ = f.send(c, `{"id":9,"method":"updates.getState"}`)
	if got, _ := f.read(c); !strings.Contains(got, `"id":9,"result"`) {
		t.Errorf("after the noise: %s", got)
	}
}

// TestOvertaking shows that a slow answer holds nobody up, and that not more
// than the limit run at a time.
func TestOvertaking(t *testing.T) {
	var mu sync.Mutex
	running, most := 0, 0
	hold := make(chan struct{})
	f := serve(t, func(ctx context.Context, s *rpc.Session, req tg.Object) (tg.Object, error) {
		if _, quick := req.(*tg.UpdatesGetStateRequest); quick {
			return named(ctx, s, req)
		}
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		<-hold
		mu.Lock()
		running--
		mu.Unlock()
		return named(ctx, s, req)
	})
	c := f.dial(f.token)
	for i := range wsPending - 1 {
		_ = f.send(c, fmt.Sprintf(`{"id":%d,"method":"help.getConfig"}`, i))
	}
	_ = f.send(c, `{"id":"quick","method":"updates.getState"}`)
	if got, _ := f.read(c); !strings.Contains(got, `"id":"quick"`) {
		t.Errorf("the first answer is %s", got)
	}
	for i := range 10 {
		_ = f.send(c, fmt.Sprintf(`{"id":%d,"method":"help.getConfig"}`, wsPending+i))
	}
	close(hold)
	var ids []string
	for range wsPending - 1 + 10 {
		text, _ := f.read(c)
		var m struct{ ID json.Number }
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(text, err)
		}
		ids = append(ids, m.ID.String())
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != wsPending-1+10 {
		t.Errorf("answers %v", ids)
	}
	if most > wsPending {
		t.Errorf("%d requests ran at a time", most)
	}
}

// TestSlowClient pushes more than a client reads: it is cut off, and its
// session forgotten.
func TestSlowClient(t *testing.T) {
	sessions := make(chan *rpc.Session, 1)
	f := serve(t, func(ctx context.Context, s *rpc.Session, req tg.Object) (tg.Object, error) {
		sessions <- s
		return named(ctx, s, req)
	})
	c := f.dial(f.token)
	_ = f.send(c, `{"method":"updates.getState"}`)
	s := <-sessions
	big := update(strings.Repeat("x", 1<<20))
	eventually(t, func() string {
		for range wsQueue {
			s.Push(big)
		}
		f.methods.mu.Lock()
		defer f.methods.mu.Unlock()
		if f.methods.forgot == 0 {
			return "the client is still served"
		}
		return ""
	})
	for {
		if _, code := f.read(c); code != 0 {
			break
		}
	}
	if m := f.Metrics(); m.Dropped != 1 || m.Pushed < wsQueue {
		t.Errorf("%+v", m)
	}
}

// TestClose tells clients that the server goes, after their requests.
func TestClose(t *testing.T) {
	began, hold := make(chan struct{}), make(chan struct{})
	f := serve(t, func(ctx context.Context, s *rpc.Session, req tg.Object) (tg.Object, error) {
		if _, slow := req.(*tg.HelpGetConfigRequest); slow {
			close(began)
			<-hold
		}
		return named(ctx, s, req)
	})
	c := f.dial(f.token)
	answered := make(chan string, 1)
	go func() {
		_, text := f.do("POST", "/api/help.getConfig", "Bearer "+f.token, nil)
		answered <- text
	}()
	<-began
	closed := make(chan struct{})
	go func() { f.Close(); close(closed) }()
	if _, code := f.read(c); code != websocket.StatusGoingAway {
		t.Errorf("closed with %d", code)
	}
	select {
	case <-closed:
		t.Error("closed while a request runs")
	default:
	}
	close(hold)
	<-closed
	if text := <-answered; !strings.Contains(text, "help.getConfig") {
		t.Errorf("the running request was answered %s", text)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"token":"x","id":1,"method":"updates.getState","params":{}}`))
	f.Add([]byte(`{"id":[[[[]]]],"ID":{"a":1}}`))
	f.Add([]byte(`{"id":"` + strings.Repeat("x", wsID) + `"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		req, err := parse(b)
		if err != nil {
			return
		}
		if answer, err := (wsReply{ID: req.ID}).encode(); len(req.ID) > wsID || err != nil || !json.Valid(answer) {
			t.Errorf("%q is answered %q, %v", b, answer, err)
		}
	})
}

func TestParse(t *testing.T) {
	for text, says := range map[string]string{
		`7`:                  "a request is an object, but got number",
		`[]`:                 "a request is an object, but got array",
		`{"method":{"a":1}}`: "method is a string, but got object",
		`{"token":5}`:        "token is a string, but got number",
		`{"method":"x",`:     "unexpected end",
		`{"id":"` + strings.Repeat("x", wsID) + `"}`: "256",
	} {
		if _, err := parse([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.20s: %v, want %q", text, err, says)
		}
	}
}
