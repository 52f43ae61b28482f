package transport

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"fmt"
	"slices"
)

// Tags of the framings, as sent in the clear or inside an obfuscation header.
const (
	tagAbridged     = 0xef
	tagAbridgedLong = 0xefefefef
	tagIntermediate = 0xeeeeeeee
	tagPadded       = 0xdddddddd
)

// obfuscationHeader is the length of what an obfuscating client sends first:
// 8 random bytes, key and initial vector in 48, then, already enciphered, the
// framing's tag, a data center and 2 random bytes. The data center means
// something to proxies only; clients that speak to none put anything there.
const obfuscationHeader = 64

// cleanSecret returns the 16 bytes that take part in the keys. A leading 0xdd
// only tells clients to pad.
func cleanSecret(secret []byte) ([]byte, error) {
	switch {
	case len(secret) == 0 || len(secret) == 16:
		return secret, nil
	case len(secret) == 17 && secret[0] == 0xdd:
		return secret[1:], nil
	default:
		return nil, fmt.Errorf("transport: unusable secret of %d bytes", len(secret))
	}
}

// obfuscation is the pair of key streams of one connection.
type obfuscation struct {
	in, out cipher.Stream
	tag     uint32
}

// deobfuscate derives the key streams from a client's header. Whether secret
// was the right one shows in the tag.
func deobfuscate(header, secret []byte) obfuscation {
	seed := header[8:56]
	reversed := slices.Clone(seed)
	slices.Reverse(reversed)

	o := obfuscation{in: keyStream(seed, secret), out: keyStream(reversed, secret)}
	var plain [obfuscationHeader]byte
	o.in.XORKeyStream(plain[:], header)
	o.tag = tagOf(plain[56:])
	return o
}

// keyStream returns AES-256-CTR keyed by the first 32 bytes of seed, hashed
// with the secret if there is one, from the initial vector in the last 16.
func keyStream(seed, secret []byte) cipher.Stream {
	key, iv := seed[:32], seed[32:48]
	if len(secret) > 0 {
		sum := sha256.Sum256(slices.Concat(key, secret))
		key = sum[:]
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	return cipher.NewCTR(block, iv)
}
