package exchange

import (
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/mt"
)

// inStage returns an exchange that has come as far as s, without the work.
func inStage(tb testing.TB, s stage) *Exchange {
	tb.Helper()
	x := newExchange(tb)
	x.state = state{
		stage: s, began: time.Now(), p: 2063, q: 4093,
		nonce: bin.Int128{1}, serverNonce: bin.Int128{2}, newNonce: bin.Int256{3},
		pair: pair{a: []byte{5}},
	}
	return x
}

func FuzzStep(f *testing.F) {
	p := newPeer(f, inStage(f, sentPQ))
	p.nonce, p.serverNonce, p.newNonce = p.x.nonce, p.x.serverNonce, p.x.newNonce
	p.p, p.q, p.pq = []byte{0x08, 0x0f}, []byte{0x0f, 0xfd}, big.NewInt(2063*4093).Bytes()
	f.Add(frame(&mt.ReqPqRequest{}), 0)
	f.Add(frame(&mt.ReqPqMultiRequest{}), 2)
	f.Add(p.dhQuery(), 1)
	p.old = true
	f.Add(p.dhQuery(), 1)
	f.Add(p.setQuery(), 2)
	f.Add(p.setQuery(), 3)
	f.Fuzz(func(t *testing.T, data []byte, s int) {
		x := inStage(t, stage(uint(s)%4))
		for range 2 {
			reply, key, err := x.Step(data)
			switch {
			case err == nil && len(reply) < 20:
				t.Fatalf("reply of %d bytes", len(reply))
			case err != nil && (reply != nil || key != nil):
				t.Fatal("a reply and an error")
			case err != nil && !errors.Is(err, ErrQuery) && !errors.Is(err, ErrWrongDC):
				t.Fatal(err)
			}
		}
	})
}

func FuzzOpenInner(f *testing.F) {
	for _, kind := range []uint32{mt.PQInnerDataTypeID, mt.PQInnerDataDCTypeID, innerTempID, mt.PQInnerDataTempDCTypeID} {
		data := innerData{pq: []byte{1}, p: []byte{2}, q: []byte{3}}.encode(kind)
		f.Add(append(make([]byte, 21), data...))
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var block [256]byte
		copy(block[:], data)
		openInner(block[:])
		if _, n, err := parseInner(data); err == nil && n > len(data) {
			t.Fatalf("read %d bytes of %d", n, len(data))
		}
	})
}

func FuzzParsePrivateKey(f *testing.F) {
	f.Add(MarshalPrivateKey(serverKey(f)))
	f.Add(MarshalPublicKey(&serverKey(f).PublicKey))
	f.Fuzz(func(t *testing.T, text []byte) {
		if k, err := ParsePrivateKey(text); err == nil && k.N.BitLen() != keyBits {
			t.Fatal("a key of another size")
		}
	})
}
