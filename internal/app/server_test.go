package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/app"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before && time.Now().Before(end); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before && code == 0 {
		buf := make([]byte, 1<<16)
		fmt.Fprintf(os.Stderr, "%d goroutines, %d before\n%s", n, before, buf[:runtime.Stack(buf, true)])
		code = 1
	}
	os.Exit(code)
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

// serverKey is an RSA key that all servers here share: making one takes long.
var serverKey = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "parley")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cfg := config(dir)
	cfg.Media = "nowhere" // fails once the key is there
	if _, err := app.New(context.Background(), cfg); err == nil {
		return nil, fmt.Errorf("a server without media starts")
	}
	return os.ReadFile(filepath.Join(dir, "server.pem"))
})

func config(dir string) app.Config {
	return app.Config{
		Dev: true, Data: dir, Listen: "127.0.0.1:0", Media: "127.0.0.1:0", Out: io.Discard, Log: io.Discard,
	}
}

// dataDir returns a fresh data directory.
func dataDir(t *testing.T) string {
	t.Helper()
	key, err := serverKey()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "server.pem"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// logged is a log that several goroutines write.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// server is a running app.
type server struct {
	dir, http string
	log       *logged
	stop      func()
}

// start runs a server until the test ends; its log must hold no error.
func start(t *testing.T, cfg app.Config) *server {
	t.Helper()
	s := &server{dir: cfg.Data, log: &logged{}}
	cfg.Log = s.log
	a, err := app.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.http = "http://" + a.Addrs().TCP.String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error("run:", err)
			}
		case <-time.After(patience):
			t.Error("the server does not stop")
		}
		for line := range strings.Lines(s.log.String()) {
			if strings.Contains(line, "level=ERROR") {
				t.Error("logged: ", line)
			}
		}
	})
	t.Cleanup(s.stop)
	return s
}

// object is a TL object, or the parameters of a method, as JSON.
type object = map[string]any

// client is one JSON token.
type client struct {
	t          *testing.T
	url, token string
	phone      string
	id, hash   string // of the user, once signed in
}

func (s *server) client(t *testing.T) *client {
	t.Helper()
	c := &client{t: t, url: s.http}
	c.token, _ = c.must("token", nil)["token"].(string)
	return c
}

// user returns a client that is signed in, and up, by the dev code.
func (s *server) user(t *testing.T, phone string) *client {
	t.Helper()
	c := s.client(t)
	c.phone = phone
	in := object{"phone_number": phone, "phone_code": strings.Repeat(phone[5:6], 5)}
	sent := c.must("auth.sendCode", object{"phone_number": phone, "api_id": 1, "api_hash": "x", "settings": object{}})
	in["phone_code_hash"] = sent["phone_code_hash"]
	auth := c.must("auth.signIn", in)
	if auth["_"] == "auth.authorizationSignUpRequired" {
		delete(in, "phone_code")
		in["first_name"], in["last_name"] = "User "+phone, ""
		auth = c.must("auth.signUp", in)
	}
	c.id, c.hash = text(auth, "user", "id"), text(auth, "user", "access_hash")
	return c
}

func (s *server) bot(t *testing.T, token string) *client {
	t.Helper()
	c := s.client(t)
	auth := c.must("auth.importBotAuthorization", object{"api_id": 1, "api_hash": "x", "bot_auth_token": token})
	c.id, c.hash = text(auth, "user", "id"), text(auth, "user", "access_hash")
	return c
}

// post calls a method and returns the HTTP status and the body.
func (c *client) post(method string, params any) (int, []byte) {
	c.t.Helper()
	body, err := json.Marshal(params)
	if err != nil {
		c.t.Fatal(err)
	}
	if params == nil {
		body = nil
	}
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/api/"+method, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatalf("%s: %v", method, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("%s: %v", method, err)
	}
	return resp.StatusCode, answer
}

// must calls a method that has to succeed with an object.
func (c *client) must(method string, params any) object {
	c.t.Helper()
	status, body := c.post(method, params)
	var o object
	if err := json.Unmarshal(body, &o); err != nil || status != http.StatusOK {
		c.t.Fatalf("%s answered %d %s", method, status, body)
	}
	return o
}

// fails calls a method and returns the error it answers, "" for none.
func (c *client) fails(method string, params any) string {
	c.t.Helper()
	status, body := c.post(method, params)
	if status == http.StatusOK {
		return ""
	}
	var o struct {
		Error struct {
			Code int
			Name string
		}
	}
	if err := json.Unmarshal(body, &o); err != nil || o.Error.Code != status {
		c.t.Fatalf("%s answered %d %s", method, status, body)
	}
	return fmt.Sprint(o.Error.Code, " ", o.Error.Name)
}

// refused calls a method that has to fail.
func (c *client) refused(method string, params any, want string) {
	c.t.Helper()
	if got := c.fails(method, params); got != want {
		c.t.Errorf("%s answered %q, want %q", method, got, want)
	}
}

// at returns what a path of keys and list positions leads to; nil if nothing.
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			o, _ := v.(object)
			v = o[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

func text(v any, path ...any) string {
	s, _ := at(v, path...).(string)
	return s
}

// pick returns the first object of a list with a constructor, and with all of
// like; nil if there is none.
func pick(list any, constructor string, like ...func(object) bool) object {
	l, _ := list.([]any)
next:
	for _, e := range l {
		o, _ := e.(object)
		if o["_"] != constructor {
			continue
		}
		for _, is := range like {
			if !is(o) {
				continue next
			}
		}
		return o
	}
	return nil
}

// with returns o with more fields.
func with(o object, more object) object {
	all := maps.Clone(o)
	maps.Copy(all, more)
	return all
}

// know makes another's user known to the client: its access hash is the
// client's to use then.
func (c *client) know(other *client) object {
	c.t.Helper()
	found := c.must("contacts.resolvePhone", object{"phone": other.phone})
	return object{"_": "inputUser", "user_id": text(found, "users", 0, "id"), "access_hash": text(found, "users", 0, "access_hash")}
}
