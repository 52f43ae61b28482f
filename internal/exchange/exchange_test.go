package exchange

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotd/td/bin"
	gotd "github.com/gotd/td/exchange"
	"github.com/gotd/td/mt"
)

// wire is a gotd transport whose other end is x.
type wire struct {
	t       *testing.T
	x       *Exchange
	replies [][]byte
	key     *Key
}

func (w *wire) Send(_ context.Context, b *bin.Buffer) error {
	reply, key, err := w.x.Step(b.Copy())
	if key != nil {
		w.key = key
	}
	w.replies = append(w.replies, reply)
	return err
}

func (w *wire) Recv(_ context.Context, b *bin.Buffer) error {
	if len(w.replies) == 0 {
		w.t.Fatal("the client waits for nothing")
	}
	b.ResetTo(w.replies[0])
	w.replies = w.replies[1:]
	return nil
}

func (w *wire) Close() error { return nil }

func TestGotdClient(t *testing.T) {
	pool := StartPool(2)
	defer pool.Close()
	x := New(Config{RSA: serverKey(t), Pool: pool, PQBits: 20})
	keys := []gotd.PublicKey{{RSA: &serverKey(t).PublicKey}}
	for _, temp := range []bool{false, true} { // on one connection, as with perfect forward secrecy
		w := &wire{t: t, x: x}
		e := gotd.NewExchanger(w, 10_002)
		if temp {
			e = e.WithTempMode(86_400)
		}
		got, err := e.Client(keys).Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		k := w.key
		if k == nil || k.ID != got.AuthKey.IntID() || k.Value != got.AuthKey.Value || k.Salt != got.ServerSalt ||
			k.DC != 2 || k.Temp != temp {
			t.Fatalf("temp %v: keys differ", temp)
		}
		if temp != (time.Until(k.ExpiresAt).Round(time.Hour) == 24*time.Hour) {
			t.Errorf("temp %v: expires at %v", temp, k.ExpiresAt)
		}
	}
}

func TestInnerData(t *testing.T) {
	x := newExchange(t)
	for _, old := range []bool{false, true} {
		for _, tt := range []struct {
			kind     uint32
			dc, want int
			temp     bool
		}{
			{mt.PQInnerDataTypeID, 0, 0, false},
			{mt.PQInnerDataDCTypeID, 1, 1, false},
			{mt.PQInnerDataDCTypeID, -5, 5, false},
			{mt.PQInnerDataDCTypeID, 10_003, 3, false},
			{mt.PQInnerDataDCTypeID, -10_004, 4, false},
			{innerTempID, 0, 0, true},
			{mt.PQInnerDataTempDCTypeID, 2, 2, true},
		} {
			p := newPeer(t, x)
			p.old, p.kind, p.inner.dc = old, tt.kind, tt.dc
			key, err := p.run()
			if err != nil {
				t.Fatalf("%08x old %v: %v", tt.kind, old, err)
			}
			if key.DC != tt.want || key.Temp != tt.temp || key.ExpiresAt.IsZero() == tt.temp {
				t.Errorf("%08x old %v: dc %d, temp %v until %v", tt.kind, old, key.DC, key.Temp, key.ExpiresAt)
			}
		}
	}
}

// An old client may send p and q with leading zeros.
func TestLeadingZeros(t *testing.T) {
	p := newPeer(t, newExchange(t))
	p.spoilDH = func(r *mt.ReqDHParamsRequest) { r.P = append([]byte{0, 0}, r.P...) }
	p.spoilInner = func(in *innerData) { in.q = append([]byte{0}, in.q...) }
	if _, err := p.run(); err != nil {
		t.Error(err)
	}
}

func TestReqPQOld(t *testing.T) {
	x := newExchange(t)
	reply, _, err := x.Step(frame(&mt.ReqPqRequest{Nonce: bin.Int128{1}}))
	var res mt.ResPQ
	if err != nil || res.Decode(&bin.Buffer{Buf: reply[20:]}) != nil || res.Nonce != (bin.Int128{1}) {
		t.Errorf("%v, %v", res, err)
	}
}

func TestFrames(t *testing.T) {
	good := frame(&mt.ReqPqMultiRequest{})
	encrypted, long, huge := bytes.Clone(good), bytes.Clone(good), bytes.Clone(good)
	encrypted[0] = 1
	binary.LittleEndian.PutUint32(long[16:], uint32(len(good)-19))
	binary.LittleEndian.PutUint32(huge[16:], 1<<32-1)
	for name, f := range map[string][]byte{
		"nothing": nil, "short": good[:19], "no body": append(bytes.Clone(good[:16]), 0, 0, 0, 0), "encrypted": encrypted,
		"length": long, "huge length": huge, "cut": good[:30], "other": frame(&mt.PingRequest{}),
		"large": append(append(bytes.Clone(good[:16]), 1, 8, 0, 0), make([]byte, 4000)...),
	} {
		if _, _, err := newExchange(t).Step(f); !errors.Is(err, ErrQuery) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := newExchange(t).Step(append(good, 1, 2, 3)); err != nil {
		t.Errorf("padded: %v", err)
	}
}

func TestOrder(t *testing.T) {
	p := newPeer(t, newExchange(t))
	if _, _, err := p.x.Step(p.dhQuery()); !errors.Is(err, ErrQuery) {
		t.Errorf("req_DH_params first: %v", err)
	}
	if err := p.requestPQ(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.x.Step(p.setQuery()); !errors.Is(err, ErrQuery) {
		t.Errorf("set_client_DH_params second: %v", err)
	}
}

// body is a reply without what changes from one message to the next.
func body(reply []byte) []byte { return reply[20:] }

func TestRepetition(t *testing.T) {
	p := newPeer(t, newExchange(t))
	ask := frame(&mt.ReqPqMultiRequest{Nonce: p.nonce})
	queries := [][]byte{ask}
	if err := p.requestPQ(); err != nil {
		t.Fatal(err)
	}
	queries = append(queries, p.dhQuery())
	var replies [][]byte
	step := func(query []byte) []byte {
		reply, _, err := p.x.Step(query)
		if err != nil {
			t.Fatal(err)
		}
		p.open(reply)
		return body(reply)
	}
	replies = append(replies, step(ask), step(queries[1]))
	queries = append(queries, p.setQuery())
	reply, key, err := p.x.Step(queries[2])
	if err != nil || key == nil {
		t.Fatalf("no key, %v", err)
	}
	replies = append(replies, body(reply))
	for i := range queries {
		if !bytes.Equal(step(queries[i]), replies[i]) {
			t.Errorf("query %d is answered otherwise", i)
		}
	}
	if _, again, err := p.x.Step(queries[2]); again != nil || err != nil {
		t.Errorf("the key came twice, %v", err)
	}
	// A new nonce is a new exchange, and the old one is gone.
	if _, _, err := p.x.Step(frame(&mt.ReqPqMultiRequest{Nonce: bin.Int128{7}})); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.x.Step(queries[1]); !errors.Is(err, ErrQuery) {
		t.Errorf("an old query: %v", err)
	}
}

func TestTakenID(t *testing.T) {
	var refused []int64
	taken := 2
	x := New(Config{RSA: serverKey(t), PQBits: 12, Taken: func(id int64) bool {
		refused = append(refused, id)
		return len(refused) <= taken
	}})
	p := newPeer(t, x)
	if err := errors.Join(p.requestPQ(), p.requestDH()); err != nil {
		t.Fatal(err)
	}
	for range taken {
		answer, key, err := p.set()
		retry, ok := answer.(*mt.DhGenRetry)
		if !ok || key != nil || err != nil {
			t.Fatalf("%T, %v", answer, err)
		}
		k := p.key()
		if aux := k.AuxHash(); retry.NewNonceHash2 != nonceHash(p.newNonce, 2, aux) {
			t.Error("wrong new_nonce_hash2")
		} else {
			p.retryID = int64(binary.LittleEndian.Uint64(aux[:]))
		}
		p.newB()
	}
	if answer, key, err := p.set(); err != nil || key == nil || key.ID != refused[taken] {
		t.Errorf("%T, %v", answer, err)
	}
}

func nonceHash(newNonce bin.Int256, kind byte, aux [8]byte) (h bin.Int128) {
	sum := sha1.Sum(append(append(newNonce[:], kind), aux[:]...))
	copy(h[:], sum[4:])
	return h
}

func TestRetryMustNameTheKey(t *testing.T) {
	p := newPeer(t, New(Config{RSA: serverKey(t), PQBits: 12, Taken: func(int64) bool { return true }}))
	if err := errors.Join(p.requestPQ(), p.requestDH()); err != nil {
		t.Fatal(err)
	}
	if answer, _, err := p.set(); err != nil {
		t.Fatalf("%T, %v", answer, err)
	}
	p.newB()
	if _, _, err := p.set(); !errors.Is(err, ErrQuery) { // retry_id is still 0
		t.Errorf("%v", err)
	}
}

func TestAlwaysTaken(t *testing.T) {
	p := newPeer(t, New(Config{RSA: serverKey(t), PQBits: 12, Taken: func(int64) bool { return true }}))
	if err := errors.Join(p.requestPQ(), p.requestDH()); err != nil {
		t.Fatal(err)
	}
	for range maxRetries {
		if answer, _, err := p.set(); err != nil {
			t.Fatalf("%T, %v", answer, err)
		}
		k := p.key()
		aux := k.AuxHash()
		p.retryID = int64(binary.LittleEndian.Uint64(aux[:]))
		p.newB()
	}
	answer, key, err := p.set()
	fail, ok := answer.(*mt.DhGenFail)
	k := p.key()
	if !ok || key != nil || err != nil || fail.NewNonceHash3 != nonceHash(p.newNonce, 3, k.AuxHash()) {
		t.Errorf("%T, %v", answer, err)
	}
	assertErased(t, p.x)
}

func TestExpiry(t *testing.T) {
	serverKey(t) // outside the bubble
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, newExchange(t))
		if err := p.requestPQ(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(Lifetime)
		if err := p.requestDH(); err != nil {
			t.Fatalf("in time: %v", err)
		}
		time.Sleep(time.Second)
		if _, _, err := p.set(); !errors.Is(err, ErrQuery) {
			t.Errorf("too late: %v", err)
		}
		assertErased(t, p.x)
		if _, err := newPeer(t, p.x).run(); err != nil {
			t.Errorf("a new beginning: %v", err)
		}
	})
}

func assertErased(t *testing.T, x *Exchange) {
	t.Helper()
	if x.pair.a != nil || x.newNonce != (bin.Int256{}) || x.about.newNonce != (bin.Int256{}) {
		t.Error("secrets are left")
	}
}

func TestSecretsErased(t *testing.T) {
	p := newPeer(t, newExchange(t))
	if err := errors.Join(p.requestPQ(), p.requestDH()); err != nil {
		t.Fatal(err)
	}
	a := p.x.pair.a
	if _, _, err := p.set(); err != nil {
		t.Fatal(err)
	}
	assertErased(t, p.x)
	if !bytes.Equal(a, make([]byte, 256)) {
		t.Error("a is left in memory")
	}

	p = newPeer(t, p.x)
	if err := errors.Join(p.requestPQ(), p.requestDH()); err != nil {
		t.Fatal(err)
	}
	a = p.x.pair.a
	p.x.Close()
	assertErased(t, p.x)
	if !bytes.Equal(a, make([]byte, 256)) {
		t.Error("a is left in memory")
	}
}
