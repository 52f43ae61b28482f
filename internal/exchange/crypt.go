package exchange

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"math/big"

	"filippo.io/bigmod"
	"github.com/gotd/ige"
)

// decryptRSA raises sealed to the private exponent, by the Chinese remainder
// theorem and in constant time.
func decryptRSA(k *rsa.PrivateKey, sealed []byte) (plain [256]byte, ok bool) {
	if len(sealed) != len(plain) {
		return plain, false
	}
	n, errN := bigmod.NewModulus(k.N.Bytes())
	p, errP := bigmod.NewModulus(k.Primes[0].Bytes())
	q, errQ := bigmod.NewModulus(k.Primes[1].Bytes())
	if errN != nil || errP != nil || errQ != nil {
		return plain, false
	}
	c, err := bigmod.NewNat().SetBytes(sealed, n)
	if err != nil {
		return plain, false // not below n
	}
	inverse, err := bigmod.NewNat().SetBytes(k.Precomputed.Qinv.Bytes(), p)
	if err != nil {
		return plain, false
	}
	mp := bigmod.NewNat().Exp(bigmod.NewNat().Mod(c, p), exponent(k.Precomputed.Dp, p), p)
	mq := bigmod.NewNat().Exp(bigmod.NewNat().Mod(c, q), exponent(k.Precomputed.Dq, q), q)

	// m = mq + q * ((mp - mq) / q mod p)
	m := mp.Sub(bigmod.NewNat().Mod(mq, p), p).Mul(inverse, p)
	m = m.ExpandFor(n).Mul(q.Nat().ExpandFor(n), n).Add(mq.ExpandFor(n), n)

	// A miscalculation would give the private key away.
	if bigmod.NewNat().ExpShortVarTime(m, uint(k.E), n).Equal(c) != 1 {
		return plain, false
	}
	copy(plain[:], m.Bytes(n))
	return plain, true
}

// exponent returns e at the length of m, which is no secret.
func exponent(e *big.Int, m *bigmod.Modulus) []byte { return e.FillBytes(make([]byte, m.Size())) }

func cipherOf(key [32]byte) cipher.Block {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	return block
}

func decryptIGE(key, iv [32]byte, dst, src []byte) { ige.DecryptBlocks(cipherOf(key), iv[:], dst, src) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// newPQ draws two different primes of the given size, p below q: the work that
// a client has to do.
func newPQ(bits int) (p, q uint64) {
	p, q = newPrime(bits), newPrime(bits)
	for p == q {
		q = newPrime(bits)
	}
	return min(p, q), max(p, q)
}

func newPrime(bits int) uint64 {
	n := new(big.Int)
	for {
		candidate := binary.LittleEndian.Uint64(randomBytes(8))
		candidate >>= 64 - bits
		candidate |= 1<<(bits-1) | 1
		if n.SetUint64(candidate).ProbablyPrime(0) { // exact below 2^64
			return candidate
		}
	}
}
