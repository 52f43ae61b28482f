package mtproto

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gotd/td/bin"
	gotd "github.com/gotd/td/exchange"
)

// post sends one frame over plain HTTP and returns the answer.
func post(t *testing.T, url string, frame []byte) (int, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(frame))
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true // every request on a connection of its own
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

// httpFrames is plain HTTP as a transport of gotd.
type httpFrames struct {
	t    *testing.T
	url  string
	back []byte
}

func (h *httpFrames) Send(_ context.Context, b *bin.Buffer) error {
	_, h.back = post(h.t, h.url, b.Buf)
	return nil
}

func (h *httpFrames) Recv(_ context.Context, b *bin.Buffer) error {
	b.ResetTo(h.back)
	return nil
}

func (h *httpFrames) Close() error { return nil }

func startHTTP(t *testing.T, h handler) (*fixture, string) {
	t.Helper()
	mux := http.NewServeMux()
	f := start(t, h, func(c *Config) {
		c.HTTP = mux
		c.Limits.LongestPoll = 2 * time.Second
	})
	mux.Handle("/apiw1", f.PlainHTTP())
	return f, "http://" + f.addr + "/apiw1"
}

// poll sends messages over plain HTTP and puts what comes back into the inbox.
func (c *client) poll(t *testing.T, url string, body []byte, content bool) int64 {
	t.Helper()
	id := c.nextID()
	frame := sealClient(c.key, plaintext(c.salt, c.session, id, c.nextSeqno(content), body))
	status, reply := post(t, url, frame)
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	if len(reply) > 0 {
		c.open(reply)
	}
	return id
}

func httpWait(delay, after, longest int32) []byte {
	return appendInt(appendInt(appendInt(appendInt(nil, -0x6D66CA61), delay), after), longest)
}

func TestPlainHTTP(t *testing.T) {
	h := newRecorder()
	f, url := startHTTP(t, h.handler())
	x, err := gotd.NewExchanger(&httpFrames{t: t, url: url}, 2).
		Client([]gotd.PublicKey{{RSA: &testRSA().PublicKey}}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, key: x.AuthKey, salt: x.ServerSalt, session: x.SessionID}
	id := c.poll(t, url, withLayer(200, query(1)), true)
	find := func(what string, match func(got) bool) got {
		t.Helper()
		for range 5 {
			for i, m := range c.inbox {
				if match(m) {
					c.inbox = c.inbox[i+1:]
					return m
				}
			}
			c.inbox = nil
			c.poll(t, url, httpWait(0, 0, 1000), false)
		}
		t.Fatalf("no %s", what)
		return got{}
	}
	answer := find("result", func(m got) bool { return m.constructor() == idRPCResult && m.long(4) == id })

	pushed := make(chan struct{})
	go func() {
		defer close(pushed)
		eventually(t, func() string {
			if f.Metrics().Conns == 0 {
				return "no long poll"
			}
			return ""
		})
		h.session(c.key.IntID()).Push(update(1))
	}()
	ack := incoming{id: c.nextID(), seqno: c.nextSeqno(false), body: msgsAck([]int64{answer.id})}
	wait := incoming{id: c.nextID(), seqno: c.nextSeqno(false), body: httpWait(50, 50, 25000)}
	c.poll(t, url, packContainer([]incoming{ack, wait}), false)
	find("update", func(m got) bool { return m.constructor() == idUpdate })
	<-pushed

	began := time.Now()
	c.inbox = nil
	c.poll(t, url, httpWait(0, 0, 300), false)
	if took := time.Since(began); took < 250*time.Millisecond || took > 2*time.Second {
		t.Errorf("an idle poll took %v", took)
	}
}

func TestPlainHTTPErrors(t *testing.T) {
	_, url := startHTTP(t, handler{})
	stranger := randomKey()
	frame := sealClient(stranger, plaintext(0, 1, at(0), 1, query(1)))
	if status, _ := post(t, url, frame); status != http.StatusNotFound {
		t.Errorf("unknown key: status %d", status)
	}
	if status, _ := post(t, url, make([]byte, 3<<20)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("large request: status %d", status)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d", resp.StatusCode)
	}
}
