// Package record reads and writes the records of a DTLS 1.2 connection whose
// handshake is done (RFC 6347 4.1, RFC 5288): a few hundred bytes of state in
// place of a connection with buffers and goroutines. The suites are those with
// AES-128-GCM and SHA-256, which every WebRTC client has (RFC 8827 6.5).
package record

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/pion/dtls/v3/pkg/crypto/prf"
)

// Kind is what a record holds.
type Kind byte

// The kinds that are told; of the others nothing is expected any more.
const (
	None      Kind = 0
	Alert     Kind = 21
	Handshake Kind = 22 // without a cipher, so maybe of anybody
	Data      Kind = 23
)

const (
	headerSize = 13
	nonceSize  = 8 // of it, in each record
	tagSize    = 16
	keySize    = 16
	saltSize   = 4
	// Overhead is how much longer a record is than what it holds.
	Overhead = headerSize + nonceSize + tagSize

	epoch   = 1      // of everything after a first handshake
	version = 0xfefd // DTLS 1.2
)

// half is one direction.
type half struct {
	aead cipher.AEAD
	salt [saltSize]byte
}

// Layer is one connection's records. It belongs to one goroutine.
type Layer struct {
	in, out half
	next    uint64
	top     uint64 // greatest number that came
	came    uint64 // bit i: number top-i came
	nonce   [saltSize + nonceSize]byte
	added   [headerSize]byte
}

// New goes on where a handshake ended, in which we were the client or the server.
func New(s *Secrets, client bool) (*Layer, error) {
	keys, err := prf.GenerateEncryptionKeys(s.Master, s.Client[:], s.Server[:], 0, keySize, saltSize, sha256.New)
	if err != nil {
		return nil, fmt.Errorf("derive record keys: %w", err)
	}
	l := &Layer{next: s.Next}
	mine, theirs := &l.out, &l.in
	if !client {
		mine, theirs = theirs, mine
	}
	if err = mine.init(keys.ClientWriteKey, keys.ClientWriteIV); err == nil {
		err = theirs.init(keys.ServerWriteKey, keys.ServerWriteIV)
	}
	if err != nil {
		return nil, fmt.Errorf("make record ciphers: %w", err)
	}
	return l, nil
}

func (h *half) init(key, salt []byte) error {
	block, err := aes.NewCipher(key)
	if err != nil {
		return err //nolint:wrapcheck // New does
	}
	copy(h.salt[:], salt)
	h.aead, err = cipher.NewGCM(block)
	return err //nolint:wrapcheck // New does
}

// Open reads the first record of a datagram, in place, and returns what comes
// after it. A record that is wrong, came before, or does not matter is None.
func (l *Layer) Open(b []byte) (kind Kind, plain, rest []byte) {
	if len(b) < headerSize {
		return None, nil, nil
	}
	body, rest := cut(b)
	if body == nil {
		return None, nil, nil
	}
	size := headerSize + len(body)
	b, kind = b[:size], Kind(b[0])
	switch at := binary.BigEndian.Uint16(b[3:]); {
	case at == 0 && kind == Handshake:
		return Handshake, nil, rest
	case at != epoch || size < Overhead || kind != Alert && kind != Data:
		return None, nil, rest
	}
	number := binary.BigEndian.Uint64(b[3:]) & (1<<48 - 1)
	if !l.fresh(number) {
		return None, nil, rest
	}
	l.prepare(&l.in, body, b, size-Overhead)
	body = body[nonceSize:]
	plain, err := l.in.aead.Open(body[:0], l.nonce[:], body, l.added[:])
	if err != nil {
		return None, nil, rest
	}
	l.note(number)
	return kind, plain, rest
}

// Seal appends a record to dst.
func (l *Layer) Seal(dst []byte, kind Kind, plain []byte) []byte {
	start := len(dst)
	dst = append(dst, byte(kind))
	dst = binary.BigEndian.AppendUint16(dst, version)
	dst = binary.BigEndian.AppendUint64(dst, epoch<<48|l.next)
	dst = binary.BigEndian.AppendUint16(dst, uint16(nonceSize+len(plain)+tagSize))
	dst = binary.BigEndian.AppendUint64(dst, epoch<<48|l.next)
	l.next++
	l.prepare(&l.out, dst[start+headerSize:], dst[start:], len(plain))
	return l.out.aead.Seal(dst, l.nonce[:], plain, l.added[:])
}

// prepare sets the nonce, and what is authenticated: a record's number and
// header with the size of what it holds.
func (l *Layer) prepare(h *half, nonce, header []byte, size int) {
	copy(l.nonce[:], h.salt[:])
	copy(l.nonce[saltSize:], nonce)
	copy(l.added[:], header[3:11])
	copy(l.added[8:], header[:3])
	binary.BigEndian.PutUint16(l.added[11:], uint16(size))
}

// fresh tells whether a number is new and not too old to know.
func (l *Layer) fresh(number uint64) bool {
	return number > l.top || l.top-number < 64 && l.came>>(l.top-number)&1 == 0
}

// note remembers the number of a record that proved right.
func (l *Layer) note(number uint64) {
	if number > l.top {
		l.came, l.top = l.came<<(number-l.top), number // a shift by 64 or more leaves nothing
	}
	l.came |= 1 << (l.top - number)
}
