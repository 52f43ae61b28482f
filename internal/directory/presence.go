package directory

import (
	"sync"
	"time"
)

const (
	onlineFor   = 5 * time.Minute
	maxPresence = 100_000
)

// presence is when users were last seen, coarsely and only in memory.
type presence struct {
	mu   sync.Mutex
	seen map[int64]sighting // guarded by mu
}

type sighting struct {
	online bool
	at     int64
}

func newPresence() *presence { return &presence{seen: map[int64]sighting{}} }

// SetOnline notes that a user says to be online or offline.
func (s *Service) SetOnline(user int64, online bool) { s.presence.set(user, online, unix()) }

func (p *presence) set(user int64, online bool, now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.seen) >= maxPresence {
		clear(p.seen) // everybody was here "recently"
	}
	p.seen[user] = sighting{online, now}
}

// get returns whether a user is online and until when, or since when not; 0 if
// that is not known.
func (p *presence) get(user, now int64) (online bool, at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.seen[user]
	if !ok {
		return false, 0
	}
	end := s.at + int64(onlineFor.Seconds())
	if s.online && now < end {
		return true, end
	}
	return false, min(s.at, now)
}
