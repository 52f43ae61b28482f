package mtproto

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/gotd/td/bin"
)

// inner appends the query to a wrapper.
func wrap(id uint32, head, q []byte) []byte {
	return append(append(binary.LittleEndian.AppendUint32(nil, id), head...), q...)
}

func TestWrappers(t *testing.T) {
	str := func(n int) []byte {
		var b bin.Buffer
		for range n {
			b.PutString("token")
		}
		return b.Buf
	}
	deep := query(1)
	for range maxWrappers {
		deep = wrap(idWithoutUpdates, nil, deep)
	}
	q := query(9)
	messageRange := appendInt(appendInt(binary.LittleEndian.AppendUint32(nil, idMessageRange), 1), 2)
	for _, tt := range []struct {
		name string
		body []byte
		ok   bool
	}{
		{"bare", q, true},
		{"layer", wrap(idWithLayer, appendInt(nil, 150), q), true},
		{"connection", withLayer(150, q), true},
		{"without updates", wrap(idWithoutUpdates, nil, q), true},
		{"range", wrap(idWithRange, messageRange, q), true},
		{"takeout", wrap(idWithTakeout, make([]byte, 8), q), true},
		{"business", wrap(idWithBusiness, str(1), q), true},
		{"play", wrap(idWithPlay, str(2), q), true},
		{"apns", wrap(idWithApns, str(2), q), true},
		{"captcha", wrap(idWithReCaptcha, str(1), q), true},
		{"too deep", deep, false},
		{"nothing inside", wrap(idWithoutUpdates, nil, nil), false},
		{"layer 0", wrap(idWithLayer, appendInt(nil, 0), q), false},
		{"no range", wrap(idWithRange, make([]byte, 12), q), false},
		{"cut short", withLayer(150, nil)[:40], false},
		{"after too many", wrap(idAfterMsgs, msgsAck(make([]int64, maxAfter+1))[4:], q), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := unwrap(tt.body)
			if (err == nil) != tt.ok {
				t.Fatalf("unwrap = %v", err)
			}
			if tt.ok && string(c.query) != string(q) {
				t.Errorf("query = %x", c.query)
			}
		})
	}
}

func TestLayerCountsWhenTheQueryFails(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler(), func(c *Config) { c.MinLayer = 127 })
	c := f.dial(t)
	if got := c.fails(c.call(withLayer(126, query(1)))); got != "CONNECTION_LAYER_INVALID" {
		t.Errorf("error = %s", got)
	}
	if got := c.fails(c.call(withLayer(190, query(-1)))); got != "NEGATIVE" {
		t.Errorf("error = %s", got)
	}
	c.result(c.call(query(1)))
	if got := h.session(c.key.IntID()).Layer(); got != 190 {
		t.Errorf("layer = %d", got)
	}
}

func after(id int64, q []byte) []byte { return wrap(idAfterMsg, words(0, id)[4:], q) }

func TestInvokeAfter(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler(), func(c *Config) { c.Limits.Wait = 200 * time.Millisecond })
	c := f.dial(t)
	c.greet()
	release := h.hold(1)
	first := c.call(query(1))
	second := c.call(after(first, query(2)))
	c.alive()
	if h.count(2) != 0 {
		t.Error("a query does not wait for the one it names")
	}
	release()
	c.result(first)
	c.result(second)

	bad := c.call(query(-1))
	if got := c.fails(c.call(after(bad, query(3)))); got != "MSG_WAIT_FAILED" {
		t.Errorf("after a failure: %s", got)
	}
	if got := c.fails(c.call(after(bad+8, query(4)))); got != "MSG_WAIT_FAILED" {
		t.Errorf("after an unknown message: %s", got)
	}
	both := wrap(idAfterMsgs, msgsAck([]int64{first, second})[4:], query(5))
	c.result(c.call(both))
	defer h.hold(6)()
	slow := c.call(query(6))
	if got := c.fails(c.call(after(slow, query(7)))); got != "MSG_WAIT_TIMEOUT" {
		t.Errorf("after a slow query: %s", got)
	}
	if h.count(3)+h.count(4)+h.count(7) != 0 {
		t.Error("a query that was to wait ran")
	}
}

func TestPing(t *testing.T) {
	f := start(t, handler{})
	c := f.dial(t)
	id := c.service(words(idPing, 5))
	m := c.waitID("pong", idPong)
	if m.long(4) != id || m.long(12) != 5 || m.id&3 != kindAnswer || m.seqno&1 != 0 {
		t.Errorf("pong = %+v", m)
	}
}

func TestPingDelayIsClamped(t *testing.T) {
	srv := &Server{limits: Limits{}.withDefaults()}
	for _, tt := range []struct {
		seconds int32
		want    time.Duration
	}{{25, 25 * time.Second}, {1, minHangUp}, {-1, minHangUp}, {60000, maxHangUp}} {
		c := &conn{srv: srv, known: true}
		c.init()
		k := newAuthKey(1, [256]byte{1}, 0, srv.limits)
		b := bin.Buffer{Buf: appendInt(words(0, 1)[4:], tt.seconds)}
		if err := newSession(srv, k, 1).onPingDelay(c, incoming{}, &b); err != nil {
			t.Fatal(err)
		}
		if got := time.Until(c.deadline()).Round(time.Second); got != tt.want {
			t.Errorf("%d s: disconnects in %v, want %v", tt.seconds, got, tt.want)
		}
	}
}

func TestStates(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler())
	c := f.dial(t)
	c.greet()
	defer h.hold(1)()
	answered := c.call(query(2))
	c.result(answered)
	skipped := c.nextID()
	running := c.call(query(1))
	ping := c.service(words(idPing, 1))
	id := c.service(msgIDs(idStateReq, answered, running, skipped, ping, ping+1<<40))
	m := c.waitID("states", idStateInfo)
	if m.long(4) != id {
		t.Errorf("states answer %d", m.long(4))
	}
	b := bin.Buffer{Buf: m.body[12:]}
	info, _ := b.Bytes()
	want := []byte{
		stateReceived | stateAcked | stateAnswered, stateReceived | stateAcked | stateProcessing,
		stateNotYet, stateReceived | stateAcked, stateTooHigh,
	}
	if string(info) != string(want) {
		t.Errorf("states %v, want %v", info, want)
	}
}

func TestResendRequests(t *testing.T) {
	f := start(t, handler{})
	c := f.dial(t)
	c.greet()
	id := c.call(query(1))
	answer := c.waitID("result", idRPCResult)
	c.service(msgIDs(idResendReq, answer.id))
	if m := c.waitID("result again", idRPCResult); m.id != answer.id || m.seqno != answer.seqno {
		t.Errorf("sent again %+v", m)
	}
	c.service(msgIDs(idResendAnsReq, id))
	if m := c.waitID("result again", idRPCResult); m.id != answer.id {
		t.Errorf("sent again %+v", m)
	}
	c.service(msgIDs(idResendReq, answer.id+400))
	c.waitID("states", idStateInfo)
}

func TestDropAnswer(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler())
	c := f.dial(t)
	c.greet()
	release := h.hold(1)
	id := c.call(query(1))
	if got := c.result(c.call(words(idDropAnswer, id))); constructor(got) != idAnswerRunning {
		t.Errorf("running: %x", got)
	}
	release()
	done := c.call(query(2))
	c.wait("result", func(m got) bool {
		if m.constructor() == idRPCResult && m.long(4) == id {
			t.Error("a dropped answer is sent")
		}
		return m.constructor() == idRPCResult && m.long(4) == done
	})
	if got := c.result(c.call(words(idDropAnswer, done))); constructor(got) != idAnswerDropped {
		t.Errorf("answered: %x", got)
	}
	if got := c.result(c.call(words(idDropAnswer, done))); constructor(got) != idAnswerUnknown {
		t.Errorf("unknown: %x", got)
	}
}

func TestDestroySession(t *testing.T) {
	f := start(t, handler{})
	c := f.dial(t)
	c.greet()
	for _, tt := range []struct {
		session int64
		want    uint32
	}{{c.session, idSessionNone}, {c.session + 1, idSessionNone}} {
		c.service(words(idDestroySession, tt.session))
		m := c.wait("answer", func(m got) bool { return m.constructor() == idSessionNone || m.constructor() == idSessionOK })
		if m.constructor() != tt.want || m.long(4) != tt.session {
			t.Errorf("answer %x", m.body)
		}
	}
}

func TestDestroyKey(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler())
	c := f.dial(t)
	c.greet()
	c.call(binary.LittleEndian.AppendUint32(nil, idDestroyKey))
	c.waitID("destroyed", idKeyOK)
	c.closed()
	c = c.fork()
	c.service(words(idPing, 1))
	if code := c.closed(); code != -404 {
		t.Errorf("transport error %d", code)
	}
}

func TestQuickAck(t *testing.T) {
	f := start(t, handler{})
	c := f.dial(t)
	c.greet()
	text := plaintext(c.salt, c.session, c.nextID(), c.nextSeqno(true), query(1))
	large := messageKey(&c.key.Value, clientSide, text)
	frame := sealClient(c.key, text)
	c.write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(frame))|quickAckBit), frame...))
	want := binary.LittleEndian.Uint32(large[:]) | quickAckBit
	c.wait("quick ack", func(m got) bool { return len(m.body) == 4 && m.constructor() == want })
}

func TestMessagesShareContainers(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler())
	c := f.dial(t)
	c.greet()
	_ = c.conn.Close()
	eventually(t, func() string {
		if n := f.Metrics().Conns; n != 0 {
			return fmt.Sprintf("%d connections", n)
		}
		return ""
	})
	const n = 3 * batchMessages
	for i := range int32(n) {
		h.session(c.key.IntID()).Push(update(i))
	}
	before := f.Metrics().FramesOut
	c = c.fork()
	c.service(words(idPing, 1))
	for i := range int32(n) {
		if m := c.waitID("update", idUpdate); m.int(4) != 229000+i {
			t.Fatalf("update %d says %d", i, m.int(4))
		}
	}
	if frames := f.Metrics().FramesOut - before; frames > 6 {
		t.Errorf("%d updates in %d frames", n, frames)
	}
}

func TestRefusals(t *testing.T) {
	f := start(t, handler{}, func(c *Config) { c.Limits.ConnsPerIP = 2 })
	a, b := f.dial(t), f.dial(t)
	a.alive()
	b.alive()
	if code := f.dial(t).closed(); code != -429 {
		t.Errorf("transport error %d", code)
	}
	_ = a.conn.Close()
	eventually(t, func() string {
		if n := f.Metrics().Conns; n != 1 {
			return fmt.Sprintf("%d connections", n)
		}
		return ""
	})
	f.dial(t).alive()
}

func TestExchangeRate(t *testing.T) {
	f := start(t, handler{}, func(c *Config) { c.Limits.ExchangesRate = 2 })
	req := make([]byte, 40)
	binary.LittleEndian.PutUint64(req[8:], uint64(at(0)))
	binary.LittleEndian.PutUint32(req[16:], 20)
	binary.LittleEndian.PutUint32(req[20:], 0xbe7e8ef1)
	c := f.dial(t)
	for range 3 {
		c.writeFrame(req)
	}
	for range 2 {
		head := make([]byte, 4)
		if _, err := c.conn.Read(head); err != nil {
			t.Fatal(err)
		}
		if _, err := c.conn.Read(make([]byte, head[0])); err != nil {
			t.Fatal(err)
		}
	}
	if code := c.closed(); code != -429 {
		t.Errorf("transport error %d", code)
	}
}

func TestSilentClientsHarmNobody(t *testing.T) {
	f := start(t, handler{})
	for range 20 {
		dialTCP(t, f.addr) // says nothing
		_ = dialTCP(t, f.addr).Close()
		garbage := dialTCP(t, f.addr)
		_, _ = garbage.Write([]byte("SSH-2.0-OpenSSH_9.9 and then a great deal more that is no obfuscation either\r\n"))
	}
	f.dial(t).alive()
}
