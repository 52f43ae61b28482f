package mtproto

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotd/td/crypto"

	"parley/internal/exchange"
	"parley/internal/rpc"
)

// TestUnreadRepliesAreBounded asks, without ever reading, in a session of its
// own each time.
func TestUnreadRepliesAreBounded(t *testing.T) {
	srv, err := New(Config{RSA: testRSA(), Keys: &memKeys{}, Handler: handler{}})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	for name, ask := range map[string]func(c *conn, n int64){
		"wrong salts": func(c *conn, n int64) {
			_ = c.message(plain{salt: 1, session: n, id: srv.ids.next(kindClient), seqno: 1, body: query(1)}, true)
		},
		"states": func(c *conn, n int64) {
			body := msgIDs(idStateReq, make([]int64, maxIDs)...)
			salt := c.key.salts.current(time.Now())
			_ = c.message(plain{salt: salt, session: 1, id: srv.ids.next(kindClient), seqno: int32(2 * n), body: body}, true)
		},
		"exchanges": func(c *conn, _ int64) { c.postPlain(make([]byte, 600)) },
	} {
		p := &polled{closed: make(chan struct{})}
		c := srv.newConn(p, netip.Addr{})
		c.key = newAuthKey(5, randomKey().Value, 0, srv.limits)
		c.key.refs = 1
		closed := false
		for n := int64(1); n <= maxWaiting/replyCost+1 && !closed; n++ {
			ask(c, n)
			select {
			case <-p.closed:
				closed = true
			default:
			}
		}
		if !closed {
			t.Errorf("%s: a connection that does not read lives", name)
		}
		held := 0
		for _, l := range c.lanes {
			for _, m := range l.replies {
				held += len(m.body)
			}
		}
		for _, b := range c.plain {
			held += len(b)
		}
		if n := len(c.lanes); held > maxWaiting || n > maxWaiting/replyCost || len(c.tokens) > maxTokens {
			t.Errorf("%s: %d bytes in %d lanes and %d tokens wait", name, held, n, len(c.tokens))
		}
		for _, s := range c.sessions {
			s.detach(c)
		}
	}
}

// TestPendingBytes keeps queries waiting that were small as they came.
func TestPendingBytes(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler(), func(c *Config) { c.Limits.PendingBytes = 1 << 20 })
	c := f.dial(t)
	c.greet()
	defer h.hold(1)()
	large := packGzip(query(1, make([]byte, 600<<10)...))
	c.call(large)
	if got := c.fails(c.call(large)); got != "FLOOD_WAIT_1" {
		t.Errorf("error = %s", got)
	}
}

// TestPendingQueriesKeepNoFrames keeps small queries waiting that each came in
// a large container.
func TestPendingQueriesKeepNoFrames(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler())
	c := f.dial(t)
	c.greet()
	release := h.hold(1)
	const frames, filler = 24, 900 << 10
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what pools held
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := live()
	for range frames {
		part := incoming{id: c.nextID(), seqno: c.nextSeqno(true), body: query(1)}
		ack := incoming{id: c.nextID(), seqno: c.nextSeqno(false), body: append(msgsAck([]int64{1}), make([]byte, filler)...)}
		c.container(part, ack)
	}
	c.alive()
	if after := live(); after > before+frames*filler/2 {
		t.Errorf("%d small queries hold %d bytes", frames, after-before)
	}
	release()
}

// TestRateComesFirst sends what is expensive to refuse.
func TestRateComesFirst(t *testing.T) {
	f := start(t, handler{}, func(c *Config) { c.Limits.Rate = 1 })
	c := f.dial(t)
	c.greet()
	f.freeze()
	bomb := packGzip(make([]byte, maxInflated+4))
	for range 9 {
		if got := c.fails(c.call(bomb)); got != "INPUT_METHOD_INVALID" {
			t.Fatalf("error = %s", got)
		}
	}
	for _, body := range [][]byte{bomb, withLayer(200, query(1)), words(idBindTempKey, 1, 2, 3)} {
		if got := c.fails(c.call(body)); got != "FLOOD_WAIT_1" {
			t.Errorf("error = %s", got)
		}
	}
}

// slowKeys stores layers when told to.
type slowKeys struct {
	*memKeys

	next chan struct{} // lets one call go on

	mu            sync.Mutex
	running, most int
}

func (k *slowKeys) SetKeyLayer(ctx context.Context, id int64, layer int) error {
	k.count(1)
	defer k.count(-1)
	select {
	case <-k.next:
	case <-ctx.Done():
	}
	return k.memKeys.SetKeyLayer(ctx, id, layer)
}

func (k *slowKeys) count(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running += n
	k.most = max(k.most, k.running)
}

// TestLayersAreStoredOneAtATime declares another layer with each query.
func TestLayersAreStoredOneAtATime(t *testing.T) {
	slow := &slowKeys{memKeys: &memKeys{}, next: make(chan struct{})}
	f := start(t, handler{}, func(c *Config) { c.Keys = slow })
	f.keys = slow.memKeys
	c := f.dial(t)
	for n := range int32(100) {
		c.result(c.call(withLayer(200+n%2, query(n))))
	}
	c.result(c.call(withLayer(202, query(1))))
	close(slow.next)
	eventually(t, func() string {
		if f.keys.layer(c.key.IntID()) != 202 {
			return "the last layer is not stored"
		}
		return ""
	})
	slow.mu.Lock()
	defer slow.mu.Unlock()
	if slow.most != 1 {
		t.Errorf("%d layers of one key are stored at the same time", slow.most)
	}
}

// TestPolledExchangesGiveWay begins more than fit over plain HTTP, and ends none.
func TestPolledExchangesGiveWay(t *testing.T) {
	f := start(t, handler{})
	ip := netip.MustParseAddr("192.0.2.1")
	frame := make([]byte, plainHeader+4+exchangeNonce)
	for n := range uint32(maxPolled + 10) {
		binary.LittleEndian.PutUint32(frame[plainHeader+4:], n)
		if !f.exchanges.keep(ip, frame, exchange.New(f.exchanges.cfg)) {
			t.Fatalf("exchange %d is kept out", n)
		}
	}
	if n := len(f.exchanges.polled); n != maxPolled {
		t.Errorf("%d exchanges are kept", n)
	}
	if f.exchanges.claim(ip, frame) == nil {
		t.Error("the newest exchange had to give way")
	}
}

// TestDetachedSessionsGiveWay has sessions hold more than they may together.
func TestDetachedSessionsGiveWay(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler(), func(c *Config) { c.Limits.QueuedBytes = 1000 })
	gone, there := f.dial(t), f.dial(t)
	for _, c := range []*client{gone, there} {
		c.greet()
	}
	_ = gone.conn.Close()
	detached := h.session(gone.key.IntID())
	eventually(t, func() string {
		if f.Metrics().Conns != 1 {
			return "connection is open"
		}
		return ""
	})
	f.sweepOnce(time.Now().Add(time.Second))
	if h.forgets(detached) {
		t.Fatal("a session is dropped without need")
	}
	for range 1000 {
		detached.Push(update(1))
	}
	f.sweepOnce(time.Now().Add(time.Second))
	if !h.forgets(detached) || f.Metrics().Queued > 1000 {
		t.Errorf("the sessions hold %d bytes", f.Metrics().Queued)
	}
	there.alive()
	if f.Metrics().Sessions != 1 {
		t.Errorf("%d sessions, one of them connected", f.Metrics().Sessions)
	}
}

// TestLargeFrames begins one and has another come.
func TestLargeFrames(t *testing.T) {
	f := start(t, handler{}, func(c *Config) { c.Limits.LargeFrames = 1 })
	slow, other, small := f.dial(t), f.dial(t), f.dial(t)
	for _, c := range []*client{slow, other, small} {
		c.greet()
	}
	const size = 500 << 10
	slow.write(append(binary.LittleEndian.AppendUint32(nil, size), make([]byte, size/2)...))
	eventually(t, func() string {
		if len(f.large) != 1 {
			return "the frame has not begun to come"
		}
		return ""
	})
	go func() { // the server may end it at any time
		_, _ = other.conn.Write(append(binary.LittleEndian.AppendUint32(nil, size), make([]byte, size)...))
	}()
	other.closed()
	small.alive()
	_ = slow.conn.Close()
	eventually(t, func() string {
		if len(f.large) != 0 {
			return "a frame that will not come keeps its slot"
		}
		return ""
	})
	small.result(small.call(query(1, make([]byte, size)...)))
}

// TestUnusedKeysAreDeleted makes two keys and uses one.
func TestUnusedKeysAreDeleted(t *testing.T) {
	f := start(t, handler{})
	unused, c := f.newKey(t), f.dial(t)
	c.alive()
	exist := func(key crypto.AuthKey) bool {
		_, err := f.keys.LoadKey(t.Context(), key.IntID())
		return err == nil
	}
	f.sweepKeys(time.Now().Add(f.limits.Unused - time.Minute))
	if !exist(unused) {
		t.Error("a key is deleted too early")
	}
	f.sweepKeys(time.Now().Add(f.limits.Unused + time.Minute))
	if exist(unused) || !exist(c.key) {
		t.Errorf("the unused key exists: %v, the other: %v", exist(unused), exist(c.key))
	}
	c.alive()
}

// TestRequestsThatNeverEnd begins requests of all kinds over HTTP and does not
// go on.
func TestRequestsThatNeverEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{RSA: testRSA(), Keys: &memKeys{}, Handler: handler{}})
		if err != nil {
			t.Fatal(err)
		}
		s.cfg.HTTP = s.PlainHTTP()
		ctx, stop := context.WithCancel(t.Context())
		l := &handedListener{conns: make(chan net.Conn), done: ctx.Done(), addr: &net.TCPAddr{}}
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, l) }()
		for _, request := range []string{
			"POST /apiw1 HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nab",
			"POST /apiw1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
			"PUT /apiw1 HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nab", // which nobody reads
			"POST /apiw1 HTTP/1.1\r\nHost: a\r\nX-Name: ",
			"POST /",
		} {
			c, server := net.Pipe()
			l.hand(server)
			_, _ = io.WriteString(c, request)
			_ = c.SetReadDeadline(time.Now().Add(requestTime + time.Second))
			if answer, err := io.ReadAll(c); err != nil {
				t.Errorf("%q is still waited for: %v, %q", request, err, bytes.SplitN(answer, []byte("\n"), 2)[0])
			}
			_ = c.Close()
		}
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

var _ rpc.Keys = (*slowKeys)(nil)
