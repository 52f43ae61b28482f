package mtproto

import (
	"bytes"
	"crypto/rand"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gotd/td/bin"
	"github.com/gotd/td/crypto"
	gotd "github.com/gotd/td/exchange"
	"github.com/gotd/td/mt"
	"github.com/gotd/td/mtproxy"
	"github.com/gotd/td/mtproxy/obfuscated2"
	"github.com/gotd/td/proto"
	"github.com/gotd/td/transport"
)

// gotdClient speaks through gotd's transports, key exchange and cipher.
type gotdClient struct {
	t       *testing.T
	conn    transport.Conn
	key     crypto.AuthKey
	salt    int64
	session int64
	ids     *proto.MessageIDGen
	content int
}

// gotdOver exchanges keys on conn. expires is 0 for a permanent key.
func gotdOver(t *testing.T, conn transport.Conn, expires int) *gotdClient {
	t.Helper()
	x := gotd.NewExchanger(conn, 2)
	if expires != 0 {
		x = x.WithTempMode(expires)
	}
	key, err := x.Client([]gotd.PublicKey{{RSA: &testRSA().PublicKey}}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &gotdClient{
		t: t, conn: conn, key: key.AuthKey, salt: key.ServerSalt, session: key.SessionID,
		ids: proto.NewMessageIDGen(time.Now),
	}
}

func (g *gotdClient) send(id int64, body []byte) {
	g.t.Helper()
	var b bin.Buffer
	g.content++
	err := crypto.NewClientCipher(rand.Reader).Encrypt(g.key, crypto.EncryptedMessageData{
		Salt: g.salt, SessionID: g.session, MessageID: id, SeqNo: int32(2*g.content - 1),
		MessageDataLen: int32(len(body)), MessageDataWithPadding: body,
	}, &b)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.conn.Send(g.t.Context(), &b); err != nil {
		g.t.Fatal(err)
	}
}

// result sends a query and returns what is answered.
func (g *gotdClient) result(body []byte) []byte {
	g.t.Helper()
	return g.resultOf(g.ids.New(proto.MessageFromClient), body)
}

func (g *gotdClient) resultOf(id int64, body []byte) []byte {
	g.t.Helper()
	g.send(id, body)
	for range 100 {
		var b bin.Buffer
		if err := g.conn.Recv(g.t.Context(), &b); err != nil {
			g.t.Fatal(err)
		}
		data, err := crypto.NewClientCipher(rand.Reader).DecryptFromBuffer(g.key, &b)
		if err != nil {
			g.t.Fatal(err)
		}
		if r := g.find(id, data.Data()); r != nil {
			return r
		}
	}
	g.t.Fatal("no result")
	return nil
}

// find returns the result for id if body is it or a container with it.
func (g *gotdClient) find(id int64, body []byte) []byte {
	b := &bin.Buffer{Buf: body}
	switch constructor(body) {
	case proto.MessageContainerTypeID:
		var c proto.MessageContainer
		if err := c.Decode(b); err != nil {
			g.t.Fatal(err)
		}
		for _, m := range c.Messages {
			if r := g.find(id, m.Body); r != nil {
				return r
			}
		}
	case proto.ResultTypeID:
		var r proto.Result
		if err := r.Decode(b); err != nil {
			g.t.Fatal(err)
		}
		if r.RequestMessageID == id {
			return r.Result
		}
	case mt.BadMsgNotificationTypeID, mt.BadServerSaltTypeID:
		g.t.Fatalf("server refuses %x", body)
	}
	return nil
}

func dialTCP(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// obfuscatedConn reads and writes through obfuscation.
type obfuscatedConn struct {
	net.Conn

	inner *obfuscated2.Obfuscated2
}

func (c obfuscatedConn) Read(p []byte) (int, error)  { return c.inner.Read(p) }
func (c obfuscatedConn) Write(p []byte) (int, error) { return c.inner.Write(p) }

func obfuscate(t *testing.T, conn net.Conn, secret []byte) transport.Conn {
	t.Helper()
	o := obfuscated2.NewObfuscated2(rand.Reader, conn)
	if err := o.Handshake([4]byte{0xee, 0xee, 0xee, 0xee}, 2, mtproxy.Secret{Secret: secret}); err != nil {
		t.Fatal(err)
	}
	c, err := transport.NewProtocol(func() transport.Codec { return transport.Intermediate.CodecNoHeader() }).
		Handshake(obfuscatedConn{conn, o})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGotdTransports(t *testing.T) {
	secret := []byte("0123456789abcdef")
	var web *fixture
	mux := http.NewServeMux()
	mux.HandleFunc("/apiws_premium", func(w http.ResponseWriter, r *http.Request) { web.WebSocket().ServeHTTP(w, r) })
	f := start(t, handler{}, func(c *Config) { c.Secret, c.HTTP = secret, mux })
	web = f
	plain := func(p transport.Protocol) func(*testing.T) transport.Conn {
		return func(t *testing.T) transport.Conn {
			conn, err := p.Handshake(dialTCP(t, f.addr))
			if err != nil {
				t.Fatal(err)
			}
			return conn
		}
	}
	var g *gotdClient // an exchange takes gotd a second
	for _, tt := range []struct {
		name string
		dial func(*testing.T) transport.Conn
	}{
		{"abridged", plain(transport.Abridged)},
		{"intermediate", plain(transport.Intermediate)},
		{"padded", plain(transport.PaddedIntermediate)},
		{"full", plain(transport.Full)},
		{"obfuscated", func(t *testing.T) transport.Conn { return obfuscate(t, dialTCP(t, f.addr), nil) }},
		{"secret", func(t *testing.T) transport.Conn { return obfuscate(t, dialTCP(t, f.addr), secret) }},
		{"websocket", func(t *testing.T) transport.Conn {
			ws, _, err := websocket.Dial(t.Context(), "ws://"+f.addr+"/apiws_premium", &websocket.DialOptions{
				Subprotocols: []string{"binary"}, HTTPHeader: http.Header{"Origin": {"https://web.example"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if ws.Subprotocol() != "binary" {
				t.Errorf("subprotocol %q", ws.Subprotocol())
			}
			return obfuscate(t, websocket.NetConn(t.Context(), ws, websocket.MessageBinary), nil)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn := tt.dial(t)
			if g == nil || tt.name == "websocket" {
				g = gotdOver(t, conn, 0)
			}
			g.t, g.conn = t, conn
			for n := range int32(3) {
				if got := g.result(withLayer(229, query(n))); !bytes.Equal(got, query(n)) {
					t.Errorf("result = %x", got)
				}
			}
			if _, err := f.keys.LoadKey(t.Context(), g.key.IntID()); err != nil {
				t.Error(err)
			}
		})
	}
	if n := f.Metrics().Exchanged; n != 2 {
		t.Errorf("%d keys exchanged", n)
	}
}

func gotdTCP(t *testing.T, f *fixture, expires int) *gotdClient {
	t.Helper()
	conn, err := transport.Intermediate.Handshake(dialTCP(t, f.addr))
	if err != nil {
		t.Fatal(err)
	}
	return gotdOver(t, conn, expires)
}

// bindQuery returns auth.bindTempAuthKey as gotd's client makes it.
func (g *gotdClient) bindQuery(perm crypto.AuthKey, id int64, change func(*crypto.BindAuthKeyInner)) []byte {
	g.t.Helper()
	inner := &crypto.BindAuthKeyInner{
		Nonce: 77, TempAuthKeyID: g.key.IntID(), PermAuthKeyID: perm.IntID(), TempSessionID: g.session,
		ExpiresAt: int(time.Now().Unix()) + 3600,
	}
	nonce, permID, expires := inner.Nonce, inner.PermAuthKeyID, inner.ExpiresAt
	if change != nil {
		change(inner)
	}
	message, err := crypto.EncryptBindMessage(rand.Reader, perm, id, inner)
	if err != nil {
		g.t.Fatal(err)
	}
	var b bin.Buffer
	b.PutID(idBindTempKey)
	b.PutLong(permID)
	b.PutLong(nonce)
	b.PutInt(expires)
	b.PutBytes(message)
	return b.Buf
}

func errorName(t *testing.T, result []byte) string {
	t.Helper()
	var e mt.RPCError
	if err := e.Decode(&bin.Buffer{Buf: result}); err != nil {
		t.Fatalf("no error: %v", err)
	}
	return e.ErrorMessage
}

func TestBindTempKey(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler())
	perm := gotdTCP(t, f, 0)
	temp := gotdTCP(t, f, 3600)
	if _, err := f.keys.LoadKey(t.Context(), temp.key.IntID()); err == nil {
		t.Fatal("a temporary key is stored")
	}
	if got := errorName(t, temp.result(withLayer(200, query(1)))); got != "AUTH_KEY_PERM_EMPTY" {
		t.Errorf("unbound: %s", got)
	}
	temp.result(withLayer(200, appendInt(appendInt(nil, -0x3B06E695), 1))) // help.getConfig and a number

	for name, change := range map[string]func(*crypto.BindAuthKeyInner){
		"nonce":   func(b *crypto.BindAuthKeyInner) { b.Nonce++ },
		"perm":    func(b *crypto.BindAuthKeyInner) { b.PermAuthKeyID++ },
		"temp":    func(b *crypto.BindAuthKeyInner) { b.TempAuthKeyID++ },
		"session": func(b *crypto.BindAuthKeyInner) { b.TempSessionID++ },
		"expires": func(b *crypto.BindAuthKeyInner) { b.ExpiresAt++ },
	} {
		id := temp.ids.New(proto.MessageFromClient)
		if got := errorName(t, temp.resultOf(id, temp.bindQuery(perm.key, id, change))); got != "ENCRYPTED_MESSAGE_INVALID" {
			t.Errorf("wrong %s: %s", name, got)
		}
	}
	id := temp.ids.New(proto.MessageFromClient)
	if got := errorName(t, temp.resultOf(id, temp.bindQuery(perm.key, id-4, nil))); got != "ENCRYPTED_MESSAGE_INVALID" {
		t.Errorf("message of another id: %s", got)
	}
	id = perm.ids.New(proto.MessageFromClient)
	if got := errorName(t, perm.resultOf(id, perm.bindQuery(perm.key, id, nil))); got != "TEMP_AUTH_KEY_EMPTY" {
		t.Errorf("permanent key: %s", got)
	}

	temp.bindTo(perm.key)
	if got := temp.result(query(2)); !bytes.Equal(got, query(2)) {
		t.Errorf("bound: %x", got)
	}
	if h.session(perm.key.IntID()) == nil {
		t.Error("the session's key is not the permanent one")
	}
	other := gotdTCP(t, f, 0)
	id = temp.ids.New(proto.MessageFromClient)
	if got := errorName(t, temp.resultOf(id, temp.bindQuery(other.key, id, nil))); got != "TEMP_AUTH_KEY_ALREADY_BOUND" {
		t.Errorf("bound again: %s", got)
	}

	second := gotdTCP(t, f, 3600)
	second.bindTo(perm.key)
	second.result(withLayer(200, query(3)))
	if got := temp.result(query(4)); !bytes.Equal(got, query(4)) {
		t.Errorf("beside another temporary key: %x", got)
	}
	f.DropKey(perm.key.IntID())
	eventually(t, func() string {
		if f.registry.knows(temp.key.IntID()) || f.registry.knows(second.key.IntID()) {
			return "the temporary key of a dropped key lives"
		}
		return ""
	})
}

func TestTempKeysReplaceEachOther(t *testing.T) {
	limits := Limits{BoundKeys: 2, TempKeys: 3}.withDefaults()
	r := newRegistry(limits)
	perm := r.adopt(newAuthKey(100, randomKey().Value, 0, limits))
	temps := make([]*authKey, 5)
	add := func(id int64) bool {
		k := newAuthKey(id, randomKey().Value, 0, limits)
		k.temp, k.expires = true, time.Now().Add(time.Hour)
		temps[id] = k
		return r.addTemp(k)
	}
	for id := range int64(3) {
		if !add(id) || r.acquire(id) == nil {
			t.Fatalf("no temporary key %d", id)
		}
		r.acquire(perm.id)
		if _, ok := r.bind(temps[id], perm); !ok {
			t.Fatalf("temporary key %d not bound", id)
		}
	}
	if r.knows(0) || !r.knows(1) || !r.knows(2) {
		t.Error("a third key bound does not replace the first")
	}
	if !add(3) || r.acquire(3) == nil || add(4) { // all are in use
		t.Error("the number of temporary keys is not limited")
	}
	r.release(temps[1])
	if !add(4) || r.temps != 3 || r.knows(1) || !r.knows(2) {
		t.Errorf("of %d temporary keys the one in no use does not give way", r.temps)
	}
}

func (g *gotdClient) bindTo(perm crypto.AuthKey) {
	g.t.Helper()
	id := g.ids.New(proto.MessageFromClient)
	if got := g.resultOf(id, g.bindQuery(perm, id, nil)); constructor(got) != idBoolTrue {
		g.t.Fatalf("binding answered with %x", got)
	}
}

func TestTempKeyExpires(t *testing.T) {
	f := start(t, handler{})
	temp := gotdTCP(t, f, 600)
	f.sweepOnce(time.Now().Add(9 * time.Minute))
	if !f.registry.knows(temp.key.IntID()) {
		t.Fatal("key dropped too early")
	}
	f.sweepOnce(time.Now().Add(11 * time.Minute))
	if f.registry.knows(temp.key.IntID()) {
		t.Error("key outlives its time")
	}
	temp.send(temp.ids.New(proto.MessageFromClient), query(1))
	if err := temp.conn.Recv(t.Context(), &bin.Buffer{}); err == nil || !strings.Contains(err.Error(), "key not found") {
		t.Errorf("an expired key gets %v", err)
	}
}

// TestKnownKeyDuringExchange mixes both on one connection, as Telegram Desktop does.
func TestKnownKeyDuringExchange(t *testing.T) {
	f := start(t, handler{})
	c := f.dial(t)
	var b bin.Buffer
	if err := (&mt.ReqPqMultiRequest{Nonce: bin.Int128{1}}).Encode(&b); err != nil {
		t.Fatal(err)
	}
	frame := bin.Buffer{}
	_ = proto.UnencryptedMessage{MessageID: c.nextID(), MessageData: b.Buf}.Encode(&frame)
	c.writeFrame(frame.Buf)
	head := make([]byte, 4)
	_, _ = c.conn.Read(head)
	_, _ = c.conn.Read(make([]byte, head[0]))
	c.alive()
	c.result(c.call(withLayer(200, query(1))))
}

func TestWebSocketNeedsUpgrade(t *testing.T) {
	f := start(t, handler{})
	w := httptest.NewRecorder()
	f.WebSocket().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/apiws", nil))
	if w.Code < 400 {
		t.Errorf("status %d", w.Code)
	}
}
