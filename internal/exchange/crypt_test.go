package exchange

import (
	"bytes"
	"context"
	"fmt"
	"math/big"
	"math/bits"
	"testing"
	"time"

	"github.com/gotd/td/crypto"
)

func TestGroup(t *testing.T) {
	if err := crypto.CheckDH(generator, dhPrime); err != nil {
		t.Error(err)
	}
}

func TestDecryptRSA(t *testing.T) {
	k := serverKey(t)
	for _, want := range []*big.Int{
		big.NewInt(0), big.NewInt(1), new(big.Int).Sub(k.N, big.NewInt(1)), k.Primes[0], k.Primes[1],
		new(big.Int).SetBytes(randomBytes(255)), new(big.Int).SetBytes(randomBytes(255)),
	} {
		block := want.FillBytes(make([]byte, 256))
		if got, ok := decryptRSA(k, encryptRSA(&k.PublicKey, block)); !ok || !bytes.Equal(got[:], block) {
			t.Errorf("%x became %x, %v", block, got, ok)
		}
	}
	if _, ok := decryptRSA(k, k.N.Bytes()); ok {
		t.Error("decrypted the modulus")
	}
}

func TestPair(t *testing.T) {
	p := newPair()
	b := new(big.Int).SetBytes(randomBytes(256))
	gb := new(big.Int).Exp(big.NewInt(generator), b, dhPrime)
	got := p.shared(gb.Bytes())
	want := new(big.Int).Exp(new(big.Int).SetBytes(p.ga[:]), b, dhPrime).FillBytes(make([]byte, 256))
	if !bytes.Equal(got[:], want) {
		t.Error("the two sides disagree")
	}
}

func TestNewPQ(t *testing.T) {
	seen := map[uint64]bool{}
	for _, size := range []int{8, 12, 31} {
		for range 50 {
			p, q := newPQ(size)
			_, overflow := bits.Add64(p*q, 1<<63, 0)
			if p >= q || bits.Len64(p) != size || bits.Len64(q) != size || overflow != 0 || p*q/q != p ||
				!crypto.Prime(new(big.Int).SetUint64(p)) || !crypto.Prime(new(big.Int).SetUint64(q)) {
				t.Fatalf("%d bits: %d and %d", size, p, q)
			}
			seen[p*q] = size == 31
		}
	}
	fresh := 0
	for _, large := range seen {
		if large {
			fresh++
		}
	}
	if fresh != 50 {
		t.Errorf("%d different products of 50", fresh)
	}
}

func TestPool(t *testing.T) {
	pool := StartPool(3)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for len(pool.pairs) < 3 {
		select {
		case <-ctx.Done():
			t.Fatalf("the pool has only %d pairs", len(pool.pairs))
		case <-time.After(time.Millisecond):
		}
	}
	seen := map[string]bool{}
	for range 5 { // more than there are
		p := pool.take()
		seen[string(p.a)] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d different pairs of 5", len(seen))
	}
	pool.Close()
	pool.Close() // harmless
	if len(pool.pairs) != 0 {
		t.Error("pairs are left")
	}
	if p := pool.take(); len(p.a) != 256 {
		t.Error("no pair after the end")
	}
}

func TestRSAKey(t *testing.T) {
	k := serverKey(t)
	if hex := fmt.Sprintf("%016x", uint64(Fingerprint(&k.PublicKey))); hex[0] == '0' {
		t.Errorf("fingerprint %s has a leading zero", hex)
	}
	if Fingerprint(&k.PublicKey) != crypto.RSAFingerprint(&k.PublicKey) {
		t.Error("gotd computes another fingerprint")
	}
	private := MarshalPrivateKey(k)
	again, err := ParsePrivateKey(private)
	if err != nil || !again.Equal(k) {
		t.Errorf("private key: %v", err)
	}
	public := MarshalPublicKey(&k.PublicKey)
	// Clients ship keys of exactly this length, so that one can take the place of another.
	if text := bytes.TrimSpace(public); len(text) != 425 || !bytes.HasPrefix(text, []byte("-----BEGIN RSA PUBLIC KEY-----\n")) {
		t.Errorf("public key of %d bytes: %s", len(text), text)
	}
	if keys, err := crypto.ParseRSAPublicKeys(public); err != nil || len(keys) != 1 || !keys[0].Equal(&k.PublicKey) {
		t.Errorf("gotd reads %d keys, %v", len(keys), err)
	}
	for _, text := range [][]byte{nil, []byte("no key"), public, private[:len(private)/2], bytes.Replace(private, []byte("M"), []byte("N"), 1)} {
		if _, err := ParsePrivateKey(text); err == nil {
			t.Errorf("parsed %q", text)
		}
	}
}

// BenchmarkHandshake reports the server's part; ns/op has the client's too.
func BenchmarkHandshake(b *testing.B) {
	k := serverKey(b)
	for _, tt := range []struct {
		name   string
		pooled bool
		bits   int
	}{{"pooled", true, 12}, {"alone", false, 12}} {
		b.Run(tt.name, func(b *testing.B) {
			var spent time.Duration
			for b.Loop() {
				pool := &Pool{pairs: make(chan pair, 1)}
				if tt.pooled {
					pool.pairs <- newPair()
				}
				p := newPeer(b, New(Config{RSA: k, Pool: pool, PQBits: tt.bits}))
				if _, err := p.run(); err != nil {
					b.Fatal(err)
				}
				spent += p.spent
			}
			b.ReportMetric(float64(spent.Microseconds())/float64(b.N), "server-µs/op")
		})
	}
}

func BenchmarkNewPQ(b *testing.B) {
	for b.Loop() {
		newPQ(31)
	}
}
