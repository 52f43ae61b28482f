package exchange

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/binary"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/crypto"
	"github.com/gotd/td/mt"
)

// testKey is drawn once: that takes long.
var testKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return NewRSAKey(rand.Reader) })

func serverKey(tb testing.TB) *rsa.PrivateKey {
	tb.Helper()
	k, err := testKey()
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func newExchange(tb testing.TB) *Exchange {
	tb.Helper()
	return New(Config{RSA: serverKey(tb), PQBits: 12})
}

// peer is a client that does its part without checking much. What it sends can
// be spoilt on the way.
type peer struct {
	t   testing.TB
	x   *Exchange
	old bool // the SHA-1 scheme

	inner innerData
	kind  uint32 // of the inner data

	nonce, serverNonce bin.Int128
	newNonce           bin.Int256
	pq, p, q           []byte
	ga                 *big.Int
	b                  *big.Int
	retryID            int64
	lastID             int64
	spent              time.Duration // by the server

	spoilDH    func(*mt.ReqDHParamsRequest)
	spoilInner func(*innerData)
	spoilBlock func([]byte) []byte // the RSA block, before it is encrypted
	spoilSet   func(*mt.SetClientDHParamsRequest)
	spoilGB    func(*mt.ClientDHInnerData)
	spoilHash  bool // of the Diffie-Hellman answer
}

func newPeer(tb testing.TB, x *Exchange) *peer {
	tb.Helper()
	p := &peer{t: tb, x: x, kind: mt.PQInnerDataDCTypeID, inner: innerData{dc: 2, expiresIn: 3600}}
	_, _ = rand.Read(p.nonce[:])
	_, _ = rand.Read(p.newNonce[:])
	p.newB()
	return p
}

func (p *peer) newB() { p.b = new(big.Int).SetBytes(randomBytes(256)) }

func (p *peer) step(query []byte) ([]byte, *Key, error) {
	start := time.Now()
	defer func() { p.spent += time.Since(start) }()
	return p.x.Step(query)
}

// frame wraps a query, with random bytes behind it as TDLib sends them.
func frame(m bin.Encoder) []byte {
	var body bin.Buffer
	if err := m.Encode(&body); err != nil {
		panic(err)
	}
	body.Put(randomBytes(32))
	var b bin.Buffer
	b.PutLong(0)
	b.PutLong(1 << 34)
	b.PutInt(body.Len())
	b.Put(body.Buf)
	return b.Buf
}

// open takes the envelope off a reply and checks it.
func (p *peer) open(reply []byte) *bin.Buffer {
	p.t.Helper()
	id := int64(binary.LittleEndian.Uint64(reply[8:]))
	if !bytes.Equal(reply[:8], make([]byte, 8)) || id&3 != 1 || id <= p.lastID ||
		int(binary.LittleEndian.Uint32(reply[16:])) != len(reply)-20 {
		p.t.Errorf("bad envelope %x after message %x", reply[:20], p.lastID)
	}
	p.lastID = id
	return &bin.Buffer{Buf: reply[20:]}
}

func (p *peer) requestPQ() error {
	reply, _, err := p.step(frame(&mt.ReqPqMultiRequest{Nonce: p.nonce}))
	if err != nil {
		return err
	}
	var res mt.ResPQ
	if err := res.Decode(p.open(reply)); err != nil {
		return err
	}
	if res.Nonce != p.nonce || len(res.ServerPublicKeyFingerprints) != 1 ||
		res.ServerPublicKeyFingerprints[0] != crypto.RSAFingerprint(&p.x.cfg.RSA.PublicKey) {
		p.t.Errorf("unexpected %v", res)
	}
	p.serverNonce, p.pq = res.ServerNonce, res.Pq
	small, large := factor(new(big.Int).SetBytes(res.Pq).Uint64())
	p.p, p.q = new(big.Int).SetUint64(small).Bytes(), new(big.Int).SetUint64(large).Bytes()
	return nil
}

// factor tries all odd numbers: tests use small primes.
func factor(pq uint64) (p, q uint64) {
	for p = 3; p*p < pq; p += 2 {
		if pq%p == 0 {
			return p, pq / p
		}
	}
	return 0, 0
}

func (in innerData) encode(kind uint32) []byte {
	var b bin.Buffer
	b.PutID(kind)
	b.PutBytes(in.pq)
	b.PutBytes(in.p)
	b.PutBytes(in.q)
	b.PutInt128(in.nonce)
	b.PutInt128(in.serverNonce)
	b.PutInt256(in.newNonce)
	if kind == mt.PQInnerDataDCTypeID || kind == mt.PQInnerDataTempDCTypeID {
		b.PutInt(in.dc)
	}
	if kind == innerTempID || kind == mt.PQInnerDataTempDCTypeID {
		b.PutInt(in.expiresIn)
	}
	return b.Buf
}

// seal encrypts the inner data under either scheme.
func (p *peer) seal(data []byte) []byte {
	pub := &p.x.cfg.RSA.PublicKey
	switch {
	case p.spoilBlock != nil:
		sum := sha1.Sum(data)
		block := append([]byte{0}, sum[:]...)
		block = append(block, data...)
		block = p.spoilBlock(append(block, randomBytes(256-len(block))...))
		return encryptRSA(pub, block)
	case p.old:
		sealed, err := crypto.RSAEncryptHashed(data, pub, rand.Reader)
		if err != nil {
			p.t.Fatal(err)
		}
		return sealed
	default:
		sealed, err := crypto.RSAPad(data, pub, rand.Reader)
		if err != nil {
			p.t.Fatal(err)
		}
		return sealed
	}
}

func encryptRSA(pub *rsa.PublicKey, block []byte) []byte {
	c := new(big.Int).Exp(new(big.Int).SetBytes(block), big.NewInt(int64(pub.E)), pub.N)
	return c.FillBytes(make([]byte, 256))
}

func (p *peer) dhQuery() []byte {
	in := p.inner
	in.pq, in.p, in.q, in.nonce, in.serverNonce, in.newNonce = p.pq, p.p, p.q, p.nonce, p.serverNonce, p.newNonce
	if p.spoilInner != nil {
		p.spoilInner(&in)
	}
	req := &mt.ReqDHParamsRequest{
		Nonce: p.nonce, ServerNonce: p.serverNonce, P: p.p, Q: p.q,
		PublicKeyFingerprint: Fingerprint(&p.x.cfg.RSA.PublicKey), EncryptedData: p.seal(in.encode(p.kind)),
	}
	if p.spoilDH != nil {
		p.spoilDH(req)
	}
	return frame(req)
}

func (p *peer) requestDH() error {
	reply, _, err := p.step(p.dhQuery())
	if err != nil {
		return err
	}
	var ok mt.ServerDHParamsOk
	if err = ok.Decode(p.open(reply)); err != nil {
		return err
	}
	key, iv := crypto.TempAESKeys(p.newNonce.BigInt(), p.serverNonce.BigInt())
	plain, err := crypto.DecryptExchangeAnswer(ok.EncryptedAnswer, key, iv)
	if err != nil {
		return err
	}
	var inner mt.ServerDHInnerData
	if err := inner.Decode(&bin.Buffer{Buf: plain}); err != nil {
		return err
	}
	if inner.Nonce != p.nonce || inner.ServerNonce != p.serverNonce || inner.G != 3 {
		p.t.Errorf("unexpected %v", inner)
	}
	p.ga = new(big.Int).SetBytes(inner.GA)
	return nil
}

func (p *peer) setQuery() []byte {
	inner := &mt.ClientDHInnerData{
		Nonce: p.nonce, ServerNonce: p.serverNonce, RetryID: p.retryID,
		GB: new(big.Int).Exp(big.NewInt(3), p.b, dhPrime).Bytes(),
	}
	if p.spoilGB != nil {
		p.spoilGB(inner)
	}
	var b bin.Buffer
	_ = inner.Encode(&b)
	key, iv := crypto.TempAESKeys(p.newNonce.BigInt(), p.serverNonce.BigInt())
	data, err := crypto.EncryptExchangeAnswer(rand.Reader, b.Buf, key, iv)
	if err != nil {
		p.t.Fatal(err)
	}
	if p.spoilHash {
		data[17] ^= 1
	}
	req := &mt.SetClientDHParamsRequest{Nonce: p.nonce, ServerNonce: p.serverNonce, EncryptedData: data}
	if p.spoilSet != nil {
		p.spoilSet(req)
	}
	return frame(req)
}

// key is what the client computes.
func (p *peer) key() (k crypto.Key) {
	new(big.Int).Exp(p.ga, p.b, dhPrime).FillBytes(k[:])
	return k
}

// set sends the client's half and returns the kind of the answer and the
// server's key.
func (p *peer) set() (mt.SetClientDHParamsAnswerClass, *Key, error) {
	reply, key, err := p.step(p.setQuery())
	if err != nil {
		return nil, nil, err
	}
	answer, err := mt.DecodeSetClientDHParamsAnswer(p.open(reply))
	return answer, key, err
}

// run does the whole exchange.
func (p *peer) run() (*Key, error) {
	if err := p.requestPQ(); err != nil {
		return nil, err
	}
	if err := p.requestDH(); err != nil {
		return nil, err
	}
	answer, key, err := p.set()
	if err != nil {
		return nil, err
	}
	ok, isOK := answer.(*mt.DhGenOk)
	if !isOK || key == nil {
		p.t.Fatalf("answer %T with key %v", answer, key != nil)
	}
	own := p.key()
	if ok.NewNonceHash1 != crypto.NonceHash1(p.newNonce, own) || own != key.Value ||
		own.WithID().IntID() != key.ID || crypto.ServerSalt(p.newNonce, p.serverNonce) != key.Salt {
		p.t.Error("the two sides disagree about the key")
	}
	return key, nil
}
