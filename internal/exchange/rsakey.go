package exchange

import (
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/gotd/td/bin"
)

// Fingerprint returns the id by which clients choose among server keys: the
// low 64 bits of SHA-1 of the bare rsa_public_key n:string e:string.
func Fingerprint(k *rsa.PublicKey) int64 {
	var b bin.Buffer
	b.PutBytes(k.N.Bytes())
	b.PutBytes(big.NewInt(int64(k.E)).Bytes())
	sum := sha1.Sum(b.Buf)
	return int64(binary.LittleEndian.Uint64(sum[12:]))
}

// keyBits is the only size that fits the protocol.
const keyBits = 2048

// NewRSAKey draws a server key whose fingerprint has no leading zero in
// hexadecimal: mtcute compares fingerprints as text without such zeros.
func NewRSAKey(rand io.Reader) (*rsa.PrivateKey, error) {
	for {
		k, err := rsa.GenerateKey(rand, keyBits)
		if err != nil {
			return nil, fmt.Errorf("generate server key: %w", err)
		}
		if uint64(Fingerprint(&k.PublicKey))>>60 != 0 {
			return k, nil
		}
	}
}

const (
	privateType = "RSA PRIVATE KEY"
	publicType  = "RSA PUBLIC KEY"
)

// MarshalPrivateKey returns k as PKCS#1 in PEM.
func MarshalPrivateKey(k *rsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: privateType, Bytes: x509.MarshalPKCS1PrivateKey(k)})
}

// MarshalPublicKey returns k as PKCS#1 in PEM, the form that clients take.
func MarshalPublicKey(k *rsa.PublicKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: publicType, Bytes: x509.MarshalPKCS1PublicKey(k)})
}

// ParsePrivateKey reads what MarshalPrivateKey wrote.
func ParsePrivateKey(text []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != privateType {
		return nil, errors.New("parse server key: no " + privateType + " in PEM")
	}
	k, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse server key: %w", err)
	}
	if k.N.BitLen() != keyBits || len(k.Primes) != 2 {
		return nil, fmt.Errorf("parse server key: %d bits and %d primes, not %d and 2", k.N.BitLen(), len(k.Primes), keyBits)
	}
	return k, nil
}
