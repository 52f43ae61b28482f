package gateway

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// A token is to JSON what an auth key is to MTProto: whoever holds it is one
// session, and a sign-in is bound to its id. The server keeps none of them: a
// token is its id and a MAC over it.
const tokenBytes = 8 + 24

// newToken returns a fresh token and its id.
func newToken(secret []byte) (token string, id int64) {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return seal(secret, b), int64(binary.BigEndian.Uint64(b[:]))
}

// tokenID returns the id of a token that this server made.
func tokenID(secret []byte, token string) (id int64, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != tokenBytes {
		return 0, false
	}
	b := [8]byte(raw)
	if !hmac.Equal([]byte(seal(secret, b)), []byte(token)) {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(b[:])), true
}

func seal(secret []byte, id [8]byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("json token"))
	mac.Write(id[:])
	return base64.RawURLEncoding.EncodeToString(append(id[:], mac.Sum(nil)[:24]...))
}
