// Package stun is the server's half of ICE-lite: it reads Binding requests and
// writes the answers (RFC 8489, RFC 8445, media.md 3.1).
//
// It has no opinion about roles: a request of a controlled client is answered
// like any other, since native engines are always controlled.
package stun

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // MESSAGE-INTEGRITY is HMAC-SHA1
	"encoding/binary"
	"hash"
	"hash/crc32"
	"net/netip"
)

const (
	headerSize = 20
	cookie     = 0x2112A442
	crcXOR     = 0x5354554e
	maxMessage = 1280

	bindingRequest = 0x0001
	bindingSuccess = 0x0101

	attrUsername     = 0x0006
	attrIntegrity    = 0x0008
	attrMapped       = 0x0020 // XOR-MAPPED-ADDRESS
	attrUseCandidate = 0x0025
	attrFingerprint  = 0x8028
	attrControlling  = 0x802a

	integritySize   = 24 // attributes with their headers
	fingerprintSize = 8

	// ResponseSize is the greatest size of a response.
	ResponseSize = headerSize + 24 + integritySize + fingerprintSize
)

// Is tells whether a datagram claims to be STUN (RFC 7983, RFC 8489 5).
func Is(b []byte) bool {
	return len(b) >= headerSize && b[0] < 4 && binary.BigEndian.Uint32(b[4:]) == cookie
}

// Request is a Binding request; it refers to the bytes it was read from.
type Request struct {
	raw       []byte
	integrity int // where MESSAGE-INTEGRITY starts

	Local, Remote []byte // halves of USERNAME: our ufrag and the client's
	Controlling   bool
	UseCandidate  bool
}

// Parse reads a Binding request that carries a user name and an integrity
// attribute, and whose fingerprint, if any, is right. All else is not for us.
func (r *Request) Parse(b []byte) bool {
	*r = Request{raw: b}
	if !Is(b) || len(b) > maxMessage || binary.BigEndian.Uint16(b) != bindingRequest ||
		int(binary.BigEndian.Uint16(b[2:])) != len(b)-headerSize || len(b)%4 != 0 {
		return false
	}
	for at := headerSize; at < len(b); {
		if at+4 > len(b) {
			return false
		}
		kind, n := binary.BigEndian.Uint16(b[at:]), int(binary.BigEndian.Uint16(b[at+2:]))
		end := at + 4 + (n+3)&^3
		if end > len(b) {
			return false
		}
		if kind == attrFingerprint {
			return n == 4 && end == len(b) && r.integrity != 0 && len(r.Local) > 0 &&
				binary.BigEndian.Uint32(b[at+4:]) == crc32.ChecksumIEEE(b[:at])^crcXOR
		}
		if r.integrity == 0 && !r.attribute(kind, b[at+4:at+4+n], at) {
			return false
		}
		at = end
	}
	return r.integrity != 0 && len(r.Local) > 0
}

// attribute notes one attribute that the integrity covers.
func (r *Request) attribute(kind uint16, v []byte, at int) bool {
	switch kind {
	case attrUsername:
		local, remote, ok := bytes.Cut(v, []byte{':'})
		if !ok {
			return false
		}
		r.Local, r.Remote = local, remote
	case attrUseCandidate:
		r.UseCandidate = true
	case attrControlling:
		r.Controlling = true
	case attrIntegrity:
		if len(v) != sha1.Size {
			return false
		}
		r.integrity = at
	}
	return true
}

// Auth knows a password and keeps its hash state. It is not safe for
// concurrent use.
type Auth struct {
	mac hash.Hash
	sum [sha1.Size]byte
	two [2]byte
}

// NewAuth returns the Auth of a password.
func NewAuth(pwd string) *Auth { return &Auth{mac: hmac.New(sha1.New, []byte(pwd))} }

// Check tells whether the request was made with the password.
func (a *Auth) Check(r *Request) bool {
	a.hash(r.raw[:r.integrity])
	return hmac.Equal(a.sum[:], r.raw[r.integrity+4:r.integrity+4+sha1.Size])
}

// hash computes the integrity of a message up to where the attribute goes; the
// header's length counts as if the attribute were the last one.
func (a *Auth) hash(b []byte) {
	binary.BigEndian.PutUint16(a.two[:], uint16(len(b)-headerSize+integritySize))
	a.mac.Reset()
	a.mac.Write(b[:2])
	a.mac.Write(a.two[:])
	a.mac.Write(b[4:])
	a.mac.Sum(a.sum[:0])
}

// Respond writes the success response to r, seen from addr, into b, which has
// room for ResponseSize bytes, and returns its length.
func (a *Auth) Respond(b []byte, r *Request, addr netip.AddrPort) int {
	binary.BigEndian.PutUint16(b, bindingSuccess)
	copy(b[4:headerSize], r.raw[4:headerSize])
	n := headerSize + mapped(b[headerSize:], r.raw[4:headerSize], addr)
	a.hash(b[:n])
	binary.BigEndian.PutUint16(b[n:], attrIntegrity)
	binary.BigEndian.PutUint16(b[n+2:], sha1.Size)
	copy(b[n+4:], a.sum[:])
	n += integritySize
	binary.BigEndian.PutUint16(b[2:], uint16(n-headerSize+fingerprintSize))
	binary.BigEndian.PutUint16(b[n:], attrFingerprint)
	binary.BigEndian.PutUint16(b[n+2:], 4)
	binary.BigEndian.PutUint32(b[n+4:], crc32.ChecksumIEEE(b[:n])^crcXOR)
	return n + fingerprintSize
}

// mapped writes XOR-MAPPED-ADDRESS; mask is the cookie and transaction id.
func mapped(b, mask []byte, addr netip.AddrPort) int {
	ip := addr.Addr().Unmap()
	size, family := 4, byte(1)
	if ip.Is6() {
		size, family = 16, 2
	}
	binary.BigEndian.PutUint16(b, attrMapped)
	binary.BigEndian.PutUint16(b[2:], uint16(4+size))
	b[4], b[5] = 0, family
	binary.BigEndian.PutUint16(b[6:], addr.Port()^uint16(cookie>>16))
	if size == 4 {
		v := ip.As4()
		copy(b[8:], v[:])
	} else {
		v := ip.As16()
		copy(b[8:], v[:])
	}
	for i := range size {
		b[8+i] ^= mask[i]
	}
	return 8 + size
}
