package mtproto

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/gotd/td/bin"
)

// reaction is what a server does about a message.
type reaction struct {
	code   int   // of bad_msg_notification or bad_server_salt
	closes bool  // the connection
	error  int32 // transport error before that
}

// violation is a message that breaks one rule.
type violation struct {
	name string
	send func(c *client) (id int64)
	want reaction
}

// at returns a message id that is off by the given time.
func at(off time.Duration) int64 {
	id := idAt(time.Now().Add(off))
	if uint32(id) == 0 {
		id += 4
	}
	return id
}

func sendFrame(change func(c *client, frame []byte) []byte) func(*client) int64 {
	return func(c *client) int64 {
		id := c.nextID()
		frame := sealClient(c.key, plaintext(c.salt, c.session, id, 1, query(1)))
		c.writeFrame(change(c, frame))
		return id
	}
}

// sendText sends a message whose plaintext, padding included, is changed.
func sendText(change func(text []byte) []byte) func(*client) int64 {
	return func(c *client) int64 {
		id := c.nextID()
		c.writeFrame(sealClient(c.key, change(plaintext(c.salt, c.session, id, 1, query(1)))))
		return id
	}
}

func sendID(id func() int64) func(*client) int64 {
	return func(c *client) int64 {
		v := id()
		c.sendRaw(v, 101, query(1))
		return v
	}
}

func sendSeqno(first, second int32, order int64, body []byte) func(*client) int64 {
	return func(c *client) int64 {
		id := c.nextID()
		c.lastID += 40
		c.content = 10
		c.sendRaw(id, first, query(1))
		c.result(id)
		c.sendRaw(id+order, second, body)
		return id + order
	}
}

func sendContainer(build func(c *client, id int64) []byte) func(*client) int64 {
	return func(c *client) int64 {
		id := c.nextID() + 1<<20
		c.lastID = id
		c.sendRaw(id, 100, build(c, id))
		return id
	}
}

func parts(p ...incoming) func(c *client, id int64) []byte {
	return func(_ *client, id int64) []byte {
		for i := range p {
			p[i].id += id
		}
		return packContainer(p)
	}
}

func setLength(n int32) func([]byte) []byte {
	return func(text []byte) []byte {
		binary.LittleEndian.PutUint32(text[28:], uint32(n))
		return text
	}
}

func violations() []violation {
	closed := reaction{closes: true}
	code := func(n int) reaction { return reaction{code: n} }
	nested := packContainer([]incoming{{id: 4, seqno: 1, body: query(1)}})
	return []violation{
		{"unknown key", sendFrame(func(_ *client, b []byte) []byte { b[0]++; return b }), reaction{closes: true, error: -404}},
		{"short frame", sendFrame(func(_ *client, b []byte) []byte { return b[:56] }), closed},
		{"frame below a key id", sendFrame(func(_ *client, b []byte) []byte { return b[:4] }), closed},
		{"partial block", sendFrame(func(_ *client, b []byte) []byte { return b[:len(b)-4] }), closed},
		{"wrong msg_key", sendFrame(func(_ *client, b []byte) []byte { b[9]++; return b }), closed},
		{"changed ciphertext", sendFrame(func(_ *client, b []byte) []byte { b[len(b)-1]++; return b }), closed},
		{"key of another client", func(c *client) int64 {
			other := randomKey()
			other.ID = c.key.ID
			c.writeFrame(sealClient(other, plaintext(c.salt, c.session, c.nextID(), 1, query(1))))
			return 0
		}, closed},
		{"negative length", sendText(setLength(-4)), closed},
		{"odd length", sendText(setLength(7)), closed},
		{"length beyond the end", sendText(setLength(4096)), closed},
		{"padding below 12", sendText(func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[28:], uint32(len(b)-innerHeader-8))
			return b
		}), closed},
		{"padding above 1024", sendText(func(b []byte) []byte { return append(b, make([]byte, 1040)...) }), closed},
		{"session 0", sendText(func(b []byte) []byte { clear(b[8:16]); return b }), closed},
		{"salt 0", sendText(func(b []byte) []byte { clear(b[:8]); return b }), code(codeSalt)},
		{"salt of the next slot", func(c *client) int64 {
			c.salt = saltOf(&c.key.Value, saltSlot(time.Now())+1)
			return c.call(query(1))
		}, code(codeSalt)},
		{"salt before the previous", func(c *client) int64 {
			c.salt = saltOf(&c.key.Value, saltSlot(time.Now())-2)
			return c.call(query(1))
		}, code(codeSalt)},
		{"id of the past", sendID(func() int64 { return at(-tooOld - 2*time.Second) }), code(codeIDLow)},
		{"id of the future", sendID(func() int64 { return at(tooNew + 2*time.Second) }), code(codeIDHigh)},
		{"id without fraction", sendID(func() int64 { return time.Now().Unix() << 32 }), code(codeIDLow)},
		{"id of an answer", sendID(func() int64 { return at(0) | 1 }), code(codeIDBits)},
		{"id not divisible by 4", sendID(func() int64 { return at(0) | 2 }), code(codeIDBits)},
		{"seqno of a lower message", sendSeqno(11, 9, 8, query(1)), code(codeSeqnoLow)},
		{"seqno again", sendSeqno(11, 11, 8, query(1)), code(codeSeqnoLow)},
		{"seqno above a later message", sendSeqno(11, 13, -8, query(1)), code(codeSeqnoHigh)},
		{"query with even seqno", sendSeqno(11, 12, 8, query(1)), code(codeSeqnoEven)},
		{"empty message", sendSeqno(11, 13, 8, nil), code(codeBadContainer)},
		{"malformed service message", sendSeqno(11, 12, 8, appendInt(words(idMsgsAck), 5)), closed},
		{"container with odd seqno", func(c *client) int64 {
			id := c.nextID() + 64
			c.sendRaw(id, 101, packContainer([]incoming{{id: id - 4, seqno: 1, body: query(1)}}))
			return id
		}, code(codeSeqnoOdd)},
		{"empty container", sendContainer(parts()), code(codeBadContainer)},
		{"container bomb", sendContainer(func(_ *client, id int64) []byte {
			return packContainer(pings(id, maxContainer+1))
		}), code(codeBadContainer)},
		{"announced container bomb", sendContainer(func(*client, int64) []byte {
			return appendInt(words(idContainer), 1<<30)
		}), code(codeBadContainer)},
		{"nested container", sendContainer(parts(incoming{id: -8, seqno: 1, body: nested})), code(codeBadContainer)},
		{"inner id above the container's", sendContainer(parts(incoming{id: 4, seqno: 1, body: query(1)})), code(codeBadContainer)},
		{"inner seqno above the container's", sendContainer(parts(incoming{id: -8, seqno: 103, body: query(1)})), code(codeBadContainer)},
		{"inner id of a server", sendContainer(parts(incoming{id: -7, seqno: 1, body: query(1)})), code(codeBadContainer)},
		{"inner query with even seqno", sendContainer(parts(
			incoming{id: -12, seqno: 1, body: query(99)}, incoming{id: -8, seqno: 2, body: query(1)},
		)), code(codeBadContainer)},
		{"inner length beyond the end", sendContainer(func(_ *client, id int64) []byte {
			b := packContainer([]incoming{{id: id - 8, seqno: 1, body: query(1)}})
			return b[:len(b)-4]
		}), code(codeBadContainer)},
		{"bytes behind a container", sendContainer(func(_ *client, id int64) []byte {
			return append(packContainer([]incoming{{id: id - 8, seqno: 1, body: query(1)}}), 0, 0, 0, 0)
		}), code(codeBadContainer)},
	}
}

// pings returns n ping messages with ids below that of their container.
func pings(container int64, n int) []incoming {
	all := make([]incoming, n)
	for i := range all {
		all[i] = incoming{id: container - 4*int64(n-i), seqno: 2, body: words(idPing, int64(i))}
	}
	return all
}

func TestViolations(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler())
	for _, v := range violations() {
		t.Run(v.name, func(t *testing.T) {
			c := f.dial(t)
			c.greet()
			id := v.send(c)
			if v.want.closes {
				if got := c.closed(); got != v.want.error {
					t.Errorf("transport error %d, want %d", got, v.want.error)
				}
				return
			}
			m := c.wait("notification", func(m got) bool {
				return (m.constructor() == idBadMsg || m.constructor() == idBadSalt) && m.long(4) == id
			})
			if got := m.int(16); got != int32(v.want.code) {
				t.Errorf("code %d, want %d", got, v.want.code)
			}
			if m.id&3 != kindAnswer || m.seqno&1 != 0 {
				t.Errorf("notification has id %d, seqno %d", m.id, m.seqno)
			}
			if off := time.Since(idTime(m.id)); off > 5*time.Second || off < -5*time.Second {
				t.Errorf("notification tells a time that is off by %v", off)
			}
			if m.constructor() == idBadSalt {
				c.salt = m.long(20)
			}
			c.alive()
			if h.count(99) != 0 {
				t.Error("part of a refused container was processed")
			}
		})
	}
}

func TestSalts(t *testing.T) {
	f := start(t, handler{})
	c := f.dial(t)
	now := saltSlot(time.Now())
	for name, salt := range map[string]int64{
		"current": saltOf(&c.key.Value, now), "previous": saltOf(&c.key.Value, now-1), "of the exchange": 42,
	} {
		c.salt = salt
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.alive()
		})
	}
}

func TestBadSaltNamesTheRightOne(t *testing.T) {
	f := start(t, handler{})
	c := f.dial(t)
	c.salt = 0 // what GramJS, Telethon and Pyrogram begin with
	c.call(withLayer(200, query(1)))
	m := c.waitID("bad salt", idBadSalt)
	c.salt = m.long(20)
	c.result(c.call(withLayer(200, query(1))))
	if n := f.Metrics().BadSalts; n != 1 {
		t.Errorf("%d bad salts counted", n)
	}
}

func TestFutureSalts(t *testing.T) {
	f := start(t, handler{})
	c := f.dial(t)
	id := c.service(appendInt(words(idGetSalts), 1000))
	m := c.waitID("salts", idFutureSalts)
	b := bin.Buffer{Buf: m.body[4:]}
	request, _ := b.Long()
	now, _ := b.Int()
	n, _ := b.Int()
	if request != id || n != maxFutureSalts || len(b.Buf) != 16*n {
		t.Fatalf("request %d, %d salts in %d bytes", request, n, len(b.Buf))
	}
	for i := range n {
		since, _ := b.Int()
		until, _ := b.Int()
		salt, _ := b.Long()
		if i == 0 && (salt != c.salt || since > now || until <= now) {
			t.Errorf("first salt %d from %d to %d at %d", salt, since, until, now)
		}
		if until-since != 3600 {
			t.Errorf("salt lives %d s", until-since)
		}
	}
}

func TestSaltRotates(t *testing.T) {
	key := randomKey()
	s := salts{key: &key.Value, first: 7, until: time.Unix(10_000_000, 0)}
	now := time.Unix(9_999_000, 0)
	current := s.current(now)
	if !s.valid(current, now) || !s.valid(current, now.Add(saltTime)) || s.valid(current, now.Add(2*saltTime)) {
		t.Error("a salt is to be valid for its slot and the next")
	}
	if s.valid(current, now.Add(-saltTime)) {
		t.Error("a future salt is valid")
	}
	if !s.valid(7, now) || s.valid(7, time.Unix(10_000_000, 0)) {
		t.Error("the salt of the exchange is to be valid for its time")
	}
	if got := s.future(now, 3); got[1].salt != s.current(now.Add(saltTime)) {
		t.Error("an announced salt is not the later one")
	}
}

func TestFreshClientMayUseAnySeqno(t *testing.T) {
	f := start(t, handler{})
	c := f.dial(t)
	c.greet()
	c.content = 5000
	c.result(c.call(query(1)))
	ack := msgsAck([]int64{c.lastID + 1})
	c.sendRaw(c.nextID(), 2*c.content+1, ack) // mtcute's acknowledgments are odd
	c.result(c.call(query(2)))
}

func TestForgottenMessage(t *testing.T) {
	f := start(t, handler{})
	c := f.dial(t)
	c.greet()
	old := c.nextID()
	c.lastID += 1 << 20
	for range 2 {
		id := c.nextID() + 1<<16
		c.lastID = id
		c.sendRaw(id, c.nextSeqno(false), packContainer(pings(id, maxContainer)))
	}
	c.alive()
	c.sendRaw(old, 1, query(1))
	if m := c.waitID("notification", idBadMsg); m.long(4) != old || m.int(16) != codeIDForgotten {
		t.Errorf("message %d gets code %d", m.long(4), m.int(16))
	}
	c.alive()
}

func TestGzip(t *testing.T) {
	f := start(t, handler{})
	c := f.dial(t)
	c.greet()
	zeros := append(query(3), make([]byte, maxInflated)...)
	for _, tt := range []struct {
		name string
		body []byte
		ok   bool
	}{
		{"around the query", packGzip(query(3)), true},
		{"inside a wrapper", withLayer(150, packGzip(query(3))), true},
		{"around a wrapper", packGzip(withLayer(150, query(3))), true},
		{"packed by zlib", pack(query(3), zlibWriter), true},
		{"zlib bomb", pack(zeros, zlibWriter), false},
		{"twice", packGzip(packGzip(query(3))), false},
		{"bomb", packGzip(zeros), false},
		{"nested bomb", packGzip(packGzip(zeros)), false},
		{"no gzip", append(packGzip(query(3))[:8], make([]byte, 64)...), false},
		{"cut short", packGzip(query(3))[:16], false},
		{"not whole words", packGzip(query(3)[:7]), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.t = t
			id := c.call(tt.body)
			if !tt.ok {
				if got := c.fails(id); got != "INPUT_METHOD_INVALID" {
					t.Errorf("error = %s", got)
				}
			} else if got := c.result(id); !bytes.Equal(got, query(3)) {
				t.Errorf("result = %x", got)
			}
		})
	}
	t.Run("large results", func(t *testing.T) {
		c.t = t
		id := c.call(query(4, make([]byte, 4096)...))
		b := &bin.Buffer{Buf: c.result(id)}
		if err := b.ConsumeID(idGzipped); err != nil {
			t.Fatal(err)
		}
		plain, err := inflate(b)
		if err != nil || !bytes.Equal(plain, query(4, make([]byte, 4096)...)) {
			t.Errorf("inflated to %d bytes, %v", len(plain), err)
		}
	})
}
