package mtproto

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gotd/td/bin"

	"parley/internal/rpc"
)

// update is a Body that tells its layer.
type update int32

func (u update) EncodeLayer(layer int) ([]byte, error) {
	return appendInt(appendInt(nil, 0x22222222), int32(layer)*1000+int32(u)), nil
}

func (u update) MarshalJSON() ([]byte, error) { return json.Marshal(int(u)) }

const idUpdate = 0x22222222

func TestDuplicates(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler())
	c := f.dial(t)
	c.greet()

	t.Run("answered", func(t *testing.T) {
		c.t = t
		id := c.call(query(1))
		c.result(id)
		c.sendRaw(id, 2*c.content-1, query(1))
		if got := c.result(id); !bytes.Equal(got, query(1)) {
			t.Errorf("stored answer = %x", got)
		}
	})
	t.Run("in a new container", func(t *testing.T) {
		c.t = t
		id := c.call(query(2))
		c.result(id)
		c.container(incoming{id: id, seqno: 2*c.content - 1, body: query(2)})
		c.result(id)
	})
	t.Run("being answered", func(t *testing.T) {
		c.t = t
		release := h.hold(3)
		defer release()
		id := c.call(query(3))
		eventually(t, func() string {
			if h.count(3) == 0 {
				return "not handled"
			}
			return ""
		})
		c.sendRaw(id, 2*c.content-1, query(3))
		c.alive()
		release()
		c.result(id)
	})
	t.Run("large answer", func(t *testing.T) {
		c.t = t
		noise := make([]byte, 2*resendBytes)
		for i := range noise {
			noise[i] = byte(i * i >> 3)
		}
		copy(noise, randomNoise(len(noise)))
		id := c.call(query(4, noise...))
		answer := c.wait("result", func(m got) bool { return m.constructor() == idRPCResult && m.long(4) == id })
		c.sendRaw(id, 2*c.content-1, query(4, noise...))
		info := c.waitID("detailed info", idDetailedInfo)
		if info.long(4) != id || info.long(12) != answer.id {
			t.Fatalf("detailed info of %d: %d", info.long(4), info.long(12))
		}
		c.service(msgIDs(idResendReq, answer.id))
		c.result(id)
	})
	t.Run("acknowledged", func(t *testing.T) {
		c.t = t
		id := c.call(query(5))
		answer := c.wait("result", func(m got) bool { return m.constructor() == idRPCResult && m.long(4) == id })
		c.service(msgsAck([]int64{answer.id}))
		c.sendRaw(id, 2*c.content-1, query(5))
		c.wait("ack", func(m got) bool { return m.constructor() == idMsgsAck && slices.Contains(idsOf(m), id) })
	})
	for n := int32(1); n <= 5; n++ {
		if got := h.count(n); got != 1 {
			t.Errorf("query %d handled %d times", n, got)
		}
	}
}

func randomNoise(n int) []byte {
	k := randomKey()
	b := make([]byte, 0, n+256)
	for len(b) < n {
		k = randomKey()
		b = append(b, k.Value[:]...)
	}
	return b[:n]
}

func msgIDs(id uint32, ids ...int64) []byte {
	b := msgsAck(ids)
	copy(b, appendInt(nil, int32(id)))
	return b
}

func idsOf(m got) []int64 {
	b := bin.Buffer{Buf: m.body[4:]}
	ids, _ := readIDs(&b, maxIDs)
	return ids
}

// TestReplay sends what an eavesdropper could have recorded.
func TestReplay(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler())
	c := f.dial(t)
	c.greet()
	id := c.nextID()
	recorded := sealClient(c.key, plaintext(c.salt, c.session, id, 9, query(1)))
	c.content = 6
	c.writeFrame(recorded)
	c.result(id)

	thief := c.fork()
	for range 3 {
		thief.writeFrame(recorded)
	}
	thief.alive()
	other := f.dialKey(t, c.key)
	other.service(words(idDestroySession, c.session)) // the session's memory is gone now
	other.waitID("destroyed", idSessionOK)
	c.closed()
	thief = c.fork()
	thief.writeFrame(recorded)
	if m := thief.waitID("notification", idBadMsg); m.int(16) != codeIDForgotten {
		t.Errorf("code %d", m.int(16))
	}
	if got := h.count(1); got != 1 {
		t.Errorf("query handled %d times", got)
	}
}

func TestResendAfterReconnect(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler())
	c := f.dial(t)
	c.greet()
	release := h.hold(1)
	lost := c.call(query(1))
	eventually(t, func() string {
		if h.count(1) == 0 {
			return "not handled"
		}
		return ""
	})
	_ = c.conn.Close()
	release()
	for n := range int32(3) {
		h.session(c.key.IntID()).Push(update(n))
	}

	c = c.fork()
	c.service(words(idPing, 1)) // anything
	first := make([]got, 0, 4)
	for range 3 {
		first = append(first, c.waitID("update", idUpdate))
	}
	for i, m := range first {
		if m.int(4) != 229000+int32(i) {
			t.Errorf("update %d says %d", i, m.int(4))
		}
	}
	_ = c.conn.Close()

	c = c.fork()
	c.service(msgsAck([]int64{first[1].id}))
	again := map[int64]got{}
	var answer got
	for len(again) < 2 || answer.id == 0 {
		m := c.wait("what is sent again", func(m got) bool { return true })
		switch {
		case m.constructor() == idRPCResult && m.long(4) == lost:
			answer = m
		case m.constructor() == idUpdate:
			again[m.id] = m
		}
	}
	for _, want := range []got{first[0], first[2]} {
		if m := again[want.id]; m.seqno != want.seqno || !bytes.Equal(m.body, want.body) {
			t.Errorf("sent again %+v, want %+v", m, want)
		}
	}
	c.service(msgsAck([]int64{answer.id, first[0].id, first[2].id}))
	c.alive()
	s := f.registry.session(f.registry.acquire(c.key.IntID()), c.session)
	s.mu.Lock()
	n := s.out.len()
	s.mu.Unlock()
	if n > 2 { // the greeting and its answer
		t.Errorf("%d messages kept", n)
	}
}

func TestAnswersGoToTheNewestConnection(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler())
	c := f.dial(t)
	c.greet()
	release := h.hold(1)
	id := c.call(query(1))
	newer := c.fork()
	newer.alive()
	release()
	newer.result(id)
	c.alive() // a pong comes where the ping came from

	_ = newer.conn.Close()
	eventually(t, func() string {
		if n := f.Metrics().Conns; n != 1 {
			return fmt.Sprintf("%d connections", n)
		}
		return ""
	})
	c.inbox = nil
	c.lastID, c.content = newer.lastID, newer.content
	c.result(c.call(query(2)))
}

func TestSeveralSessions(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler())
	a := f.dial(t)
	a.greet()
	b := f.dialKey(t, a.key)
	b.result(b.call(query(2))) // the layer is known from the key
	if n := f.Metrics().Sessions; n != 2 {
		t.Errorf("%d sessions", n)
	}
	h.session(a.key.IntID()).Push(update(1))
	if m := b.waitID("update", idUpdate); m.int(4) != 229001 {
		t.Errorf("update says %d", m.int(4))
	}
	a.alive()
}

func TestTooManySessionsReplaceTheLeastUsed(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler(), func(c *Config) { c.Limits.Sessions = 2 })
	a := f.dial(t)
	a.greet()
	first := h.session(a.key.IntID())
	b := f.dialKey(t, a.key)
	b.greet()
	c := f.dialKey(t, a.key)
	c.greet()
	a.closed()
	b.alive()
	eventually(t, func() string {
		if !h.forgets(first) {
			return "the session is not forgotten"
		}
		return ""
	})
}

func TestNewSessionAgainHasAnotherID(t *testing.T) {
	f := start(t, handler{})
	c := f.dial(t)
	id := c.call(withLayer(200, query(0)))
	first := c.waitID("new session", idNewSession)
	c.result(id)
	other := f.dialKey(t, c.key)
	other.service(words(idDestroySession, c.session))
	other.waitID("destroyed", idSessionOK)
	c.closed()
	c = c.fork()
	c.call(query(1))
	if second := c.waitID("new session", idNewSession); second.long(12) == first.long(12) {
		t.Error("unique id is not unique")
	}
}

func TestQueueFull(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler(), func(c *Config) { c.Limits.Unacked = 50 })
	c := f.dial(t)
	c.greet()
	s := h.session(c.key.IntID())
	for n := range int32(60) {
		s.Push(update(n))
	}
	c.closed()
	eventually(t, func() string {
		switch {
		case f.Metrics().Sessions != 0, f.Metrics().Dropped != 1:
			return fmt.Sprintf("%+v", f.Metrics())
		case !h.forgets(s):
			return "the session is not forgotten"
		case f.Metrics().Queued != 0:
			return "bytes of a dropped session are counted"
		}
		return ""
	})
	s.Push(update(1)) // harmless
	c = c.fork()
	c.service(words(idPing, 5))
	c.waitID("new session", idNewSession)
}

func TestPushNeedsLayerAndQuery(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler())
	c := f.dial(t)
	c.alive()
	if got := c.fails(c.call(query(1))); got != "CONNECTION_NOT_INITED" {
		t.Errorf("error = %s", got)
	}
	quiet := appendInt(nil, -0x40662F20+0) // invokeWithoutUpdates
	copy(quiet, words(idWithoutUpdates))
	c.result(c.call(withLayer(140, append(quiet, query(2)...))))
	if h.session(c.key.IntID()).WantsUpdates() {
		t.Error("a session wants updates after invokeWithoutUpdates")
	}
	c.result(c.call(query(3)))
	if s := h.session(c.key.IntID()); !s.WantsUpdates() || s.Layer() != 140 {
		t.Errorf("wants updates: %v, layer %d", s.WantsUpdates(), s.Layer())
	}
}

func TestAcks(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler())
	c := f.dial(t)
	c.greet()
	release := h.hold(1)
	defer release()
	id := c.call(query(1))
	c.wait("ack", func(m got) bool {
		return m.constructor() == idMsgsAck && slices.Contains(idsOf(m), id) && m.seqno&1 == 0
	})
	release()
	m := c.wait("result", func(m got) bool { return m.constructor() == idRPCResult })
	if m.id&3 != kindAnswer || m.seqno&1 != 1 {
		t.Errorf("answer has id %d, seqno %d", m.id, m.seqno)
	}
	h.session(c.key.IntID()).Push(update(1))
	if m := c.waitID("update", idUpdate); m.id&3 != kindOther || m.seqno&1 != 1 {
		t.Errorf("update has id %d, seqno %d", m.id, m.seqno)
	}
}

func TestServerIDsRise(t *testing.T) {
	f := start(t, handler{})
	c := f.dial(t)
	c.greet()
	for n := range int32(50) {
		c.call(query(n))
	}
	var last int64
	var seqno int32
	for range 50 {
		m := c.waitID("result", idRPCResult)
		if m.id <= last || m.seqno <= seqno {
			t.Fatalf("message %d (seqno %d) after %d (%d)", m.id, m.seqno, last, seqno)
		}
		last, seqno = m.id, m.seqno
	}
}

func TestDropKey(t *testing.T) {
	var f *fixture
	h := newRecorder()
	handle := h.handler()
	f = start(t, handle)
	c := f.dial(t)
	c.greet()
	idle := f.dialKey(t, c.key)
	idle.greet()
	s := h.session(c.key.IntID())
	release := h.hold(1)
	id := c.call(query(1))
	eventually(t, func() string {
		if h.count(1) == 0 {
			return "not handled"
		}
		return ""
	})
	f.DropKey(c.key.IntID()) // as the handler of auth.logOut does
	idle.closed()
	release()
	c.result(id)
	c.closed()
	eventually(t, func() string {
		if !h.forgets(s) {
			return "the session is not forgotten"
		}
		return ""
	})
	c = c.fork()
	c.alive() // the key itself is still good
}

func TestPendingLimit(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler(), func(c *Config) { c.Limits.Pending = 3 })
	c := f.dial(t)
	c.greet()
	release := h.hold(1)
	held := []int64{c.call(query(1)), c.call(query(1)), c.call(query(1))}
	if got := c.fails(c.call(query(2))); got != "FLOOD_WAIT_1" {
		t.Errorf("error = %s", got)
	}
	release()
	for range held {
		c.waitID("result", idRPCResult)
	}
}

func TestRateLimit(t *testing.T) {
	f := start(t, handler{}, func(c *Config) { c.Limits.Rate = 1 })
	c := f.dial(t)
	c.greet()
	f.freeze()
	for n := range int32(9) {
		c.result(c.call(query(n)))
	}
	if got := c.fails(c.call(query(10))); got != "FLOOD_WAIT_1" {
		t.Errorf("error = %s", got)
	}
}

func TestRunningLimit(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler(), func(c *Config) { c.Limits.Running = 2 })
	c := f.dial(t)
	c.greet()
	release := h.hold(1)
	ids := []int64{c.call(query(1)), c.call(query(1)), c.call(query(1))}
	eventually(t, func() string {
		if h.count(1) != 2 {
			return "two are to run"
		}
		return ""
	})
	c.alive()
	if got := h.count(1); got != 2 {
		t.Errorf("%d run", got)
	}
	release()
	for range ids {
		c.waitID("result", idRPCResult)
	}
}

func TestDetachedSessionExpires(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler())
	c := f.dial(t)
	c.greet()
	s := h.session(c.key.IntID())
	_ = c.conn.Close()
	eventually(t, func() string {
		if f.Metrics().Conns != 0 {
			return "connection is open"
		}
		return ""
	})
	f.sweepOnce(time.Now())
	if f.Metrics().Sessions != 1 {
		t.Fatal("session dropped too early")
	}
	f.sweepOnce(time.Now().Add(f.limits.Detached + time.Second))
	if m := f.Metrics(); m.Sessions != 0 || m.Keys != 0 {
		t.Errorf("%+v", m)
	}
	if !h.forgets(s) {
		t.Error("the session is not forgotten")
	}
}

var _ rpc.Body = update(0)
