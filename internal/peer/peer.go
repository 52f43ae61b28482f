// Package peer names whoever can take part in a chat or a call: users, basic
// groups and channels (supergroups included), and proves with access hashes
// that a client was told of them.
//
// Ids stay below 2^31: clients of layers up to 132 read them as int32.
package peer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Kind tells users, basic groups, channels and calls apart.
type Kind uint8

// The kinds of things that have an id and an access hash.
const (
	User    Kind = 1
	Chat    Kind = 2 // a basic group; has no access hash
	Channel Kind = 3 // a supergroup or a broadcast channel
	Call    Kind = 4
)

// String returns the kind's name in logs.
func (k Kind) String() string {
	switch k {
	case User:
		return "user"
	case Chat:
		return "chat"
	case Channel:
		return "channel"
	case Call:
		return "call"
	}
	return "none"
}

// ID names one peer. The zero ID names nobody.
type ID struct {
	Kind Kind
	ID   int64 // bare, positive
}

// OfUser returns the peer of a user.
func OfUser(id int64) ID { return ID{User, id} }

// OfChat returns the peer of a basic group.
func OfChat(id int64) ID { return ID{Chat, id} }

// OfChannel returns the peer of a channel or supergroup.
func OfChannel(id int64) ID { return ID{Channel, id} }

// IsZero tells whether the ID names nobody.
func (p ID) IsZero() bool { return p == ID{} }

// String returns, for example, "channel 1000005".
func (p ID) String() string { return fmt.Sprintf("%s %d", p.Kind, p.ID) }

// Service is the account that service notices come from.
const Service int64 = 777000

// A Hasher computes access hashes: one per object, the same for every viewer
// so that an update is encoded once for many of them, and unguessable without
// the server's secret.
type Hasher struct{ secret []byte }

// NewHasher returns the Hasher of a server's secret, at least 16 random bytes.
func NewHasher(secret []byte) Hasher { return Hasher{secret} }

// Of returns the access hash of an object; it is never 0.
func (h Hasher) Of(kind Kind, id int64) int64 {
	mac := hmac.New(sha256.New, h.secret)
	_ = binary.Write(mac, binary.LittleEndian, [2]int64{int64(kind), id})
	if v := int64(binary.LittleEndian.Uint64(mac.Sum(nil))); v != 0 {
		return v
	}
	return 1
}

// Valid tells whether hash is the access hash of the object.
func (h Hasher) Valid(kind Kind, id, hash int64) bool { return h.Of(kind, id) == hash }

// MAC authenticates what is handed to a client to be brought back: 32 bytes
// over the parts, apart from those of any other label.
func (h Hasher) MAC(label string, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, h.secret)
	mac.Write([]byte(label))
	for _, p := range parts {
		_ = binary.Write(mac, binary.LittleEndian, uint32(len(p)))
		mac.Write(p)
	}
	return mac.Sum(nil)
}
