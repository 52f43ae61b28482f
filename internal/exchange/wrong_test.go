package exchange

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"math/big"
	"testing"

	"github.com/gotd/td/mt"
)

func TestWrongFields(t *testing.T) {
	for name, tt := range wrongFields() {
		p := newPeer(t, newExchange(t))
		tt.spoil(p)
		want := tt.want
		if want == nil {
			want = ErrQuery
		}
		_, err := p.run()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if code := Code(err); (code == -444) != errors.Is(want, ErrWrongDC) || code != -444 && code != -404 {
			t.Errorf("%s: code %d", name, code)
		}
		// What was right before is wrong now: the exchange is over.
		p.spoilDH, p.spoilInner, p.spoilBlock, p.spoilSet, p.spoilGB, p.spoilHash = nil, nil, nil, nil, nil, false
		for _, query := range [][]byte{p.dhQuery(), p.setQuery()} {
			if _, _, err := p.x.Step(query); !errors.Is(err, ErrQuery) {
				t.Errorf("%s: the exchange goes on: %v", name, err)
			}
		}
		assertErased(t, p.x)
	}
}

type wrongField struct {
	spoil func(*peer)
	want  error // ErrQuery if nil
}

func wrongFields() map[string]wrongField {
	inner := func(f func(*innerData)) wrongField {
		return wrongField{spoil: func(p *peer) { p.spoilInner = f }}
	}
	dh := func(f func(*mt.ReqDHParamsRequest)) wrongField {
		return wrongField{spoil: func(p *peer) { p.spoilDH = f }}
	}
	block := func(f func([]byte) []byte) wrongField {
		return wrongField{spoil: func(p *peer) { p.spoilBlock = f }}
	}
	gb := func(f func(*mt.ClientDHInnerData)) wrongField {
		return wrongField{spoil: func(p *peer) { p.spoilGB = f }}
	}
	public := func(n *big.Int) wrongField {
		return gb(func(c *mt.ClientDHInnerData) { c.GB = n.Bytes() })
	}
	set := func(f func(*mt.SetClientDHParamsRequest)) wrongField {
		return wrongField{spoil: func(p *peer) { p.spoilSet = f }}
	}
	wrongDC := func(dc int) wrongField {
		return wrongField{spoil: func(p *peer) { p.inner.dc = dc }, want: ErrWrongDC}
	}
	expires := func(seconds int) wrongField {
		return wrongField{spoil: func(p *peer) { p.kind, p.inner.expiresIn = mt.PQInnerDataTempDCTypeID, seconds }}
	}
	one := big.NewInt(1)
	return map[string]wrongField{
		"nonce":        dh(func(r *mt.ReqDHParamsRequest) { r.Nonce[0] ^= 1 }),
		"server nonce": dh(func(r *mt.ReqDHParamsRequest) { r.ServerNonce[15] ^= 1 }),
		"p":            dh(func(r *mt.ReqDHParamsRequest) { r.P[0] ^= 1 }),
		"q":            dh(func(r *mt.ReqDHParamsRequest) { r.Q[1] ^= 2 }),
		"q empty":      dh(func(r *mt.ReqDHParamsRequest) { r.Q = nil }),
		"q long":       dh(func(r *mt.ReqDHParamsRequest) { r.Q = append(make([]byte, 7), r.Q...) }),
		"p and q":      dh(func(r *mt.ReqDHParamsRequest) { r.P, r.Q = r.Q, r.P }),
		"fingerprint":  dh(func(r *mt.ReqDHParamsRequest) { r.PublicKeyFingerprint++ }),
		"block cut":    dh(func(r *mt.ReqDHParamsRequest) { r.EncryptedData = r.EncryptedData[1:] }),
		"block long":   dh(func(r *mt.ReqDHParamsRequest) { r.EncryptedData = append([]byte{0}, r.EncryptedData...) }),
		"block spoilt": dh(func(r *mt.ReqDHParamsRequest) { r.EncryptedData[200] ^= 1 }),
		"block above n": dh(func(r *mt.ReqDHParamsRequest) {
			r.EncryptedData = bytes.Repeat([]byte{255}, 256)
		}),
		"block 0": dh(func(r *mt.ReqDHParamsRequest) { r.EncryptedData = make([]byte, 256) }),
		"block 1": dh(func(r *mt.ReqDHParamsRequest) { r.EncryptedData = one.FillBytes(make([]byte, 256)) }),

		"inner pq":           inner(func(in *innerData) { in.pq = append([]byte{1}, in.pq...) }),
		"inner pq long":      inner(func(in *innerData) { in.pq = make([]byte, 9) }),
		"inner p":            inner(func(in *innerData) { in.p = []byte{3} }),
		"inner q":            inner(func(in *innerData) { in.q = in.p }),
		"inner nonce":        inner(func(in *innerData) { in.nonce[3] ^= 1 }),
		"inner server nonce": inner(func(in *innerData) { in.serverNonce[3] ^= 1 }),
		"inner kind":         {spoil: func(p *peer) { p.kind = mt.ResPQTypeID }},
		"expired":            expires(0),
		"expired long ago":   expires(-1),

		"dc 0": wrongDC(0), "dc 6": wrongDC(6), "dc 10000": wrongDC(10_000), "dc 10006": wrongDC(10_006),
		"dc 20002": wrongDC(20_002), "dc smallest": wrongDC(-1 << 31),

		"old hash":       block(func(b []byte) []byte { b[1] ^= 1; return b }),
		"old data":       block(func(b []byte) []byte { b[60] ^= 1; return b }),
		"old first byte": block(func(b []byte) []byte { b[0] = 1; return b }),
		"old kind":       block(func(b []byte) []byte { b[21] ^= 1; return b }),
		"old truncated": block(func(b []byte) []byte {
			sum := sha1.Sum(b[21:100])
			return append(append([]byte{0}, sum[:]...), b[21:]...)
		}),

		"set nonce":        set(func(r *mt.SetClientDHParamsRequest) { r.Nonce[0] ^= 1 }),
		"set server nonce": set(func(r *mt.SetClientDHParamsRequest) { r.ServerNonce[0] ^= 1 }),
		"set empty":        set(func(r *mt.SetClientDHParamsRequest) { r.EncryptedData = nil }),
		"set short":        set(func(r *mt.SetClientDHParamsRequest) { r.EncryptedData = r.EncryptedData[:16] }),
		"set cut":          set(func(r *mt.SetClientDHParamsRequest) { r.EncryptedData = r.EncryptedData[:64] }),
		"set uneven":       set(func(r *mt.SetClientDHParamsRequest) { r.EncryptedData = r.EncryptedData[1:] }),
		"set hash":         {spoil: func(p *peer) { p.spoilHash = true }},

		"set inner nonce":        gb(func(c *mt.ClientDHInnerData) { c.Nonce[0] ^= 1 }),
		"set inner server nonce": gb(func(c *mt.ClientDHInnerData) { c.ServerNonce[0] ^= 1 }),
		"retry id":               gb(func(c *mt.ClientDHInnerData) { c.RetryID = 1 }),

		"g_b 0":          public(new(big.Int)),
		"g_b 1":          public(one),
		"g_b lowest":     public(dhLowest),
		"g_b highest":    public(dhHighest),
		"g_b p-1":        public(new(big.Int).Sub(dhPrime, one)),
		"g_b p":          public(dhPrime),
		"g_b above p":    public(new(big.Int).Add(dhPrime, dhLowest)),
		"g_b too long":   public(new(big.Int).Lsh(one, 2050)),
		"g_b padded out": gb(func(c *mt.ClientDHInnerData) { c.GB = append(make([]byte, 100), c.GB...) }),
	}
}
