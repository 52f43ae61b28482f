package mtproto

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/gotd/td/crypto"
)

// saltTime is how long a salt is the current one; for as long again it is
// still accepted.
const saltTime = 30 * time.Minute

// firstSaltTime is how long the salt of the key exchange is accepted.
const firstSaltTime = 2 * saltTime

// saltOf returns a key's salt in a time slot. Being derived from the key, it
// is the same after a restart and on every node, and known to nobody else.
func saltOf(key *crypto.Key, slot int64) int64 {
	mac := hmac.New(sha256.New, key[:])
	mac.Write(binary.LittleEndian.AppendUint64([]byte("server salt"), uint64(slot)))
	return int64(binary.LittleEndian.Uint64(mac.Sum(nil)))
}

func saltSlot(t time.Time) int64 { return t.Unix() / int64(saltTime/time.Second) }

// salts tells a key's salts.
type salts struct {
	key   *crypto.Key // immutable
	first int64       // immutable: salt of the key exchange
	until time.Time   // immutable: how long first is accepted

	cached atomic.Pointer[saltPair]
}

type saltPair struct{ slot, current, previous int64 }

func (s *salts) at(now time.Time) *saltPair {
	slot := saltSlot(now)
	if p := s.cached.Load(); p != nil && p.slot == slot {
		return p
	}
	p := &saltPair{slot: slot, current: saltOf(s.key, slot), previous: saltOf(s.key, slot-1)}
	s.cached.Store(p)
	return p
}

// current returns the salt to use now.
func (s *salts) current(now time.Time) int64 { return s.at(now).current }

// valid tells whether a client may use salt now.
func (s *salts) valid(salt int64, now time.Time) bool {
	p := s.at(now)
	return salt == p.current || salt == p.previous || salt == s.first && now.Before(s.until)
}

// futureSalt is one entry of future_salts.
type futureSalt struct {
	since, until int64 // Unix seconds
	salt         int64
}

// future returns the current salt and those after it, n in all.
func (s *salts) future(now time.Time, n int) []futureSalt {
	const seconds = int64(saltTime / time.Second)
	all := make([]futureSalt, n)
	for i := range all {
		slot := saltSlot(now) + int64(i)
		all[i] = futureSalt{since: slot * seconds, until: (slot + 2) * seconds, salt: saltOf(s.key, slot)}
	}
	return all
}
