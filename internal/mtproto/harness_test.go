package mtproto

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/crypto"

	"parley/internal/exchange"
	"parley/internal/rpc"
)

const deadline = 10 * time.Second

// memKeys is a key store in memory.
type memKeys struct {
	mu   sync.Mutex
	keys map[int64]rpc.Key
}

func (m *memKeys) LoadKey(_ context.Context, id int64) (rpc.Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.keys[id]
	if !ok {
		return rpc.Key{}, rpc.ErrNoKey
	}
	return k, nil
}

func (m *memKeys) SaveKey(_ context.Context, k rpc.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.keys[k.ID]; ok {
		return errors.New("id is taken")
	}
	if m.keys == nil {
		m.keys = map[int64]rpc.Key{}
	}
	m.keys[k.ID] = k
	return nil
}

func (m *memKeys) DeleteKey(_ context.Context, id int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.keys, id)
	return nil
}

func (m *memKeys) DeleteUnusedKeys(_ context.Context, before time.Time, inUse func(id int64) bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.keys, func(id int64, k rpc.Key) bool { return k.Created.Before(before) && !inUse(id) })
	return nil
}

func (m *memKeys) SetKeyLayer(_ context.Context, id int64, layer int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.keys[id]; ok {
		k.Layer = layer
		m.keys[id] = k
	}
	return nil
}

func (m *memKeys) layer(id int64) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keys[id].Layer
}

// handler is a Handler of functions.
type handler struct {
	handle func(ctx context.Context, s *rpc.Session, query []byte) ([]byte, error)
	forget func(s *rpc.Session)
}

func (h handler) Handle(ctx context.Context, s *rpc.Session, query []byte) ([]byte, error) {
	if h.handle == nil {
		return query, nil
	}
	return h.handle(ctx, s, query)
}

func (h handler) Forget(s *rpc.Session) {
	if h.forget != nil {
		h.forget(s)
	}
}

var testRSA = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := exchange.NewRSAKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

// fixture is a server on a port of its own.
type fixture struct {
	*Server

	addr string
	keys *memKeys
	stop func()
}

func start(t testing.TB, h handler, change ...func(*Config)) *fixture {
	t.Helper()
	keys := &memKeys{}
	cfg := Config{
		RSA: testRSA(), Keys: keys, Handler: h, PQBits: 20,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.started = s.started.Add(-time.Hour) // old messages are tested
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("Serve = %v", err)
			}
		case <-time.After(deadline):
			buf := make([]byte, 1<<20)
			t.Errorf("server does not stop:\n%s", buf[:runtime.Stack(buf, true)])
		}
	})
	t.Cleanup(stop)
	return &fixture{Server: s, addr: l.Addr().String(), keys: keys, stop: stop}
}

// freeze lets no time pass for the limits of the keys in use.
func (f *fixture) freeze() {
	f.registry.mu.Lock()
	defer f.registry.mu.Unlock()
	for _, k := range f.registry.keys {
		k.limiter.SetLimit(1e-9)
	}
}

// newKey puts a key into the store.
func (f *fixture) newKey(t testing.TB) crypto.AuthKey {
	t.Helper()
	k := randomKey()
	err := f.keys.SaveKey(t.Context(), rpc.Key{ID: k.IntID(), Value: k.Value, Salt: 42, Created: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func randomKey() crypto.AuthKey {
	var key crypto.Key
	_, _ = rand.Read(key[:])
	return key.WithID()
}

// client is a client that can break every rule.
type client struct {
	t       testing.TB
	conn    net.Conn
	key     crypto.AuthKey
	salt    int64
	session int64
	lastID  int64
	content int32
	inbox   []got // received and not yet waited for
}

// got is a message from the server.
type got struct {
	id    int64
	seqno int32
	body  []byte
}

func (g got) constructor() uint32 { return constructor(g.body) }

func (g got) long(at int) int64 { return int64(binary.LittleEndian.Uint64(g.body[at:])) }
func (g got) int(at int) int32  { return int32(binary.LittleEndian.Uint32(g.body[at:])) }

// dial connects a client with a key of its own.
func (f *fixture) dial(t testing.TB) *client {
	t.Helper()
	return f.dialKey(t, f.newKey(t))
}

func (f *fixture) dialKey(t testing.TB, key crypto.AuthKey) *client {
	t.Helper()
	c := &client{t: t, key: key, salt: saltOf(&key.Value, saltSlot(time.Now()))}
	var id [8]byte
	_, _ = rand.Read(id[:])
	c.session = int64(binary.LittleEndian.Uint64(id[:]) | 1)
	c.connect(f.addr)
	return c
}

func (c *client) connect(addr string) {
	c.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(c.t.Context(), "tcp", addr)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	c.conn = conn
	c.write([]byte{0xee, 0xee, 0xee, 0xee})
}

// fork returns a second connection of the same session.
func (c *client) fork() *client {
	c.t.Helper()
	d := *c
	d.inbox = nil
	d.connect(c.conn.RemoteAddr().String())
	return &d
}

func (c *client) write(b []byte) {
	c.t.Helper()
	_ = c.conn.SetWriteDeadline(time.Now().Add(deadline))
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) writeFrame(b []byte) {
	c.t.Helper()
	c.write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...))
}

func (c *client) nextID() int64 {
	c.lastID = max(c.lastID+4, idAt(time.Now()))
	if uint32(c.lastID) == 0 {
		c.lastID += 4
	}
	return c.lastID
}

func (c *client) nextSeqno(content bool) int32 {
	n := 2 * c.content
	if content {
		c.content++
		n++
	}
	return n
}

// sealClient encrypts a whole plaintext with padding as a client does.
func sealClient(key crypto.AuthKey, text []byte) []byte {
	large := messageKey(&key.Value, clientSide, text)
	var msgKey bin.Int128
	copy(msgKey[:], large[8:24])
	aesKey, iv := crypto.Keys(key.Value, msgKey, crypto.Client)
	frame := append(key.ID[:], msgKey[:]...)
	return append(frame, encryptIGE(aesKey, iv, text)...)
}

// plaintext lays out a message with the smallest allowed padding.
func plaintext(salt, session, id int64, seqno int32, body []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(salt))
	b = binary.LittleEndian.AppendUint64(b, uint64(session))
	b = binary.LittleEndian.AppendUint64(b, uint64(id))
	b = binary.LittleEndian.AppendUint32(b, uint32(seqno))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	b = append(b, body...)
	padding := minPadding
	for (len(b)+padding)%16 != 0 {
		padding++
	}
	return append(b, make([]byte, padding)...)
}

// sendRaw sends a message with everything given.
func (c *client) sendRaw(id int64, seqno int32, body []byte) {
	c.t.Helper()
	c.writeFrame(sealClient(c.key, plaintext(c.salt, c.session, id, seqno, body)))
}

// call sends a query and returns its id.
func (c *client) call(body []byte) int64 {
	c.t.Helper()
	id := c.nextID()
	c.sendRaw(id, c.nextSeqno(true), body)
	return id
}

// service sends a service message and returns its id.
func (c *client) service(body []byte) int64 {
	c.t.Helper()
	id := c.nextID()
	c.sendRaw(id, c.nextSeqno(false), body)
	return id
}

// container sends messages in one container and returns their ids.
func (c *client) container(parts ...incoming) int64 {
	c.t.Helper()
	id := c.nextID()
	c.sendRaw(id, c.nextSeqno(false), packContainer(parts))
	return id
}

func packContainer(parts []incoming) []byte {
	b := appendInt(binary.LittleEndian.AppendUint32(nil, idContainer), int32(len(parts)))
	for _, p := range parts {
		b = binary.LittleEndian.AppendUint64(b, uint64(p.id))
		b = appendInt(b, p.seqno)
		b = appendInt(b, int32(len(p.body)))
		b = append(b, p.body...)
	}
	return b
}

// transportError is a transport error.
type transportError int32

func (e transportError) Error() string { return "transport error" }

// read reads one frame.
func (c *client) read() error {
	_ = c.conn.SetReadDeadline(time.Now().Add(deadline))
	var head [4]byte
	if _, err := io.ReadFull(c.conn, head[:]); err != nil {
		return err
	}
	frame := make([]byte, binary.LittleEndian.Uint32(head[:])&^quickAckBit)
	if head[3]&0x80 != 0 { // a quick ack is nothing but a token
		c.inbox = append(c.inbox, got{body: head[:]})
		return nil
	}
	if _, err := io.ReadFull(c.conn, frame); err != nil {
		return err
	}
	if len(frame) == 4 {
		return transportError(binary.LittleEndian.Uint32(frame))
	}
	c.open(frame)
	return nil
}

// open decrypts a frame into the inbox.
func (c *client) open(frame []byte) {
	c.t.Helper()
	data, err := crypto.NewClientCipher(rand.Reader).DecryptFromBuffer(c.key, &bin.Buffer{Buf: frame})
	if err != nil {
		c.t.Fatalf("decrypt: %v", err)
	}
	if data.SessionID != c.session {
		c.t.Fatalf("message of session %d in session %d", data.SessionID, c.session)
	}
	body := data.Data()
	if padding := len(data.MessageDataWithPadding) - len(body); padding < 12 {
		c.t.Fatalf("padding of %d bytes", padding)
	}
	if constructor(body) != idContainer {
		c.inbox = append(c.inbox, got{id: data.MessageID, seqno: data.SeqNo, body: body})
		return
	}
	b := body[8:]
	for range binary.LittleEndian.Uint32(body[4:]) {
		n := binary.LittleEndian.Uint32(b[12:])
		m := got{id: int64(binary.LittleEndian.Uint64(b)), seqno: int32(binary.LittleEndian.Uint32(b[8:])), body: b[16 : 16+n]}
		if m.id >= data.MessageID {
			c.t.Fatalf("message %d in container %d", m.id, data.MessageID)
		}
		c.inbox = append(c.inbox, m)
		b = b[16+n:]
	}
}

// wait returns the next message that match accepts; others are lost.
func (c *client) wait(what string, match func(got) bool) got {
	c.t.Helper()
	for range 10000 {
		for i, m := range c.inbox {
			if match(m) {
				c.inbox = c.inbox[i+1:]
				return m
			}
		}
		c.inbox = nil
		if err := c.read(); err != nil {
			c.t.Fatalf("wait for %s: %v", what, err)
		}
	}
	c.t.Fatalf("no %s", what)
	return got{}
}

// waitID waits for a message with the given constructor.
func (c *client) waitID(what string, id uint32) got {
	c.t.Helper()
	return c.wait(what, func(m got) bool { return m.constructor() == id })
}

// result waits for the answer to the query id and returns its result.
func (c *client) result(id int64) []byte {
	c.t.Helper()
	m := c.wait("result", func(m got) bool { return m.constructor() == idRPCResult && m.long(4) == id })
	return m.body[12:]
}

// fails waits for the answer to the query id, which is an error, and returns its name.
func (c *client) fails(id int64) string {
	c.t.Helper()
	b := bin.Buffer{Buf: c.result(id)}
	if err := b.ConsumeID(idRPCError); err != nil {
		c.t.Fatalf("no error: %v", err)
	}
	_, _ = b.Int()
	name, _ := b.String()
	return name
}

// closed waits for the end of the connection and returns the transport error
// that came before it, 0 if none.
func (c *client) closed() (code int32) {
	c.t.Helper()
	for range 1000 {
		err := c.read()
		var e transportError
		switch {
		case err == nil:
		case errors.As(err, &e):
			code = int32(e)
		case errors.Is(err, io.EOF) || strings.Contains(err.Error(), "reset by peer"):
			return code
		default:
			c.t.Fatalf("connection is not closed: %v", err)
		}
	}
	c.t.Fatal("connection is not closed")
	return 0
}

// alive checks that the connection still answers.
func (c *client) alive() {
	c.t.Helper()
	id := c.service(words(idPing, 77))
	c.wait("pong", func(m got) bool { return m.constructor() == idPong && m.long(4) == id && m.long(12) == 77 })
}

// greet declares a layer, as clients do first.
func (c *client) greet() {
	c.t.Helper()
	c.result(c.call(withLayer(229, query(0))))
}

const idQuery = 0x11111111

// query is a query that is echoed.
func query(n int32, filler ...byte) []byte {
	b := appendInt(binary.LittleEndian.AppendUint32(nil, idQuery), n)
	return append(b, filler...)
}

func withLayer(layer int32, q []byte) []byte {
	b := appendInt(binary.LittleEndian.AppendUint32(nil, idWithLayer), layer)
	var init bin.Buffer
	init.PutID(idInitConnection)
	init.PutInt(3) // flags
	init.PutInt(4) // api_id
	for range 6 {
		init.PutString("test")
	}
	init.PutID(idClientProxy)
	init.PutString("127.0.0.1")
	init.PutInt(1080)
	init.PutID(idJSONObject)
	init.PutVectorHeader(1)
	init.PutID(idJSONObjectValue)
	init.PutString("tz_offset")
	init.PutID(idJSONNumber)
	init.PutDouble(3600)
	return append(append(b, init.Buf...), q...)
}

func packGzip(plain []byte) []byte { return pack(plain, gzipWriter) }

func pack(plain []byte, by func(io.Writer) io.WriteCloser) []byte {
	var packed bytes.Buffer
	w := by(&packed)
	_, _ = w.Write(plain)
	_ = w.Close()
	var b bin.Buffer
	b.PutID(idGzipped)
	b.PutBytes(packed.Bytes())
	return b.Buf
}

// eventually waits until why returns "".
func eventually(t testing.TB, why func() string) {
	t.Helper()
	end := time.Now().Add(deadline)
	for {
		reason := why()
		if reason == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatal(reason)
		}
		runtime.Gosched()
	}
}
