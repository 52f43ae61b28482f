// Package srtp protects and opens RTP and RTCP packets: AES-GCM by itself
// (RFC 7714), without allocation and in place, where the processor can with
// vectors; AES-CM with HMAC-SHA1 through pion (RFC 3711), for clients that have
// nothing better.
//
// A Context serves one direction of one connection and one goroutine. Which
// index a packet has is its user's business: Window estimates it on the way
// in, whoever numbers packets knows it on the way out.
package srtp

import (
	"crypto/aes"
	"errors"
	"fmt"
)

// Profile is a DTLS-SRTP protection profile (RFC 5764 4.1.2, RFC 7714 14.2).
type Profile uint16

// The profiles served.
const (
	CMSHA1 Profile = 0x0001 // SRTP_AES128_CM_HMAC_SHA1_80
	GCM128 Profile = 0x0007 // SRTP_AEAD_AES_128_GCM
	GCM256 Profile = 0x0008 // SRTP_AEAD_AES_256_GCM
)

// Overhead is the most bytes protection adds to a packet: tag and SRTCP index.
const Overhead = 20

// Label is the exporter label of DTLS-SRTP.
const Label = "EXTRACTOR-dtls_srtp"

var (
	errProfile = errors.New("srtp: unknown profile")
	errKeys    = errors.New("srtp: wrong length of keying material")
	// ErrAuth is returned for a packet that was not made with the key, is cut
	// short, or came before.
	ErrAuth = errors.New("srtp: packet refused")
)

// A Context protects or opens packets with one master key.
type Context interface {
	// SealRTP makes a packet that begins with a header whole: with the payload,
	// encrypted. index is rollover counter << 16 | sequence number. It returns
	// the length; there is room for Overhead more bytes than both.
	SealRTP(packet []byte, header int, payload []byte, index uint64) (int, error)
	// OpenRTP decrypts a packet in place and returns it without its tag.
	OpenRTP(packet []byte, header int, index uint64) ([]byte, error)
	// SealRTCP writes the protected packet to dst and returns its length.
	SealRTCP(dst, packet []byte) (int, error)
	// OpenRTCP decrypts a packet in place and refuses one that came before.
	OpenRTCP(packet []byte) ([]byte, error)
}

// lengths returns the sizes of master key and salt.
func (p Profile) lengths() (key, salt int) {
	switch p {
	case CMSHA1:
		return 16, 14
	case GCM128:
		return 16, 12
	case GCM256:
		return 32, 12
	}
	return 0, 0
}

// Material returns how many bytes the exporter has to give.
func (p Profile) Material() int {
	key, salt := p.lengths()
	return 2 * (key + salt)
}

// Pair makes the contexts of both directions from exported keying material;
// client tells whether we were the DTLS client.
func Pair(p Profile, material []byte, client bool) (in, out Context, err error) {
	switch p.Material() {
	case 0:
		return nil, nil, fmt.Errorf("%w: %#x", errProfile, uint16(p))
	case len(material):
	default:
		return nil, nil, errKeys
	}
	k, s := p.lengths()
	theirs, ours := 0, 1 // client write key, server write key
	if client {
		theirs, ours = 1, 0
	}
	make1 := func(side int) (Context, error) {
		key, salt := material[side*k:(side+1)*k], material[2*k+side*s:2*k+(side+1)*s]
		if p == CMSHA1 {
			return newCM(key, salt)
		}
		return newGCM(key, salt, side == ours)
	}
	if in, err = make1(theirs); err != nil {
		return nil, nil, err
	}
	out, err = make1(ours)
	return in, out, err
}

// derive is the key derivation of RFC 3711 4.3 with a rate of zero.
func derive(key, salt []byte, label byte, n int) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("derive srtp key: %w", err)
	}
	var in [aes.BlockSize]byte
	copy(in[:14], salt)
	in[7] ^= label
	var out []byte
	for i := byte(0); len(out) < n; i++ {
		var b [aes.BlockSize]byte
		in[15] = i
		block.Encrypt(b[:], in[:])
		out = append(out, b[:]...)
	}
	return out[:n], nil
}
