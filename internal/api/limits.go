package api

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"parley/internal/rpc"
)

// Requests of one user (or, before login, one key) that are answered at once
// and per second. Telegram's own figures are unknown; these let the busiest
// client start up and stop a runaway loop.
const (
	requestBurst  = 1000
	requestRate   = 200
	maxRequesters = 100_000
)

// limits holds one token bucket per requester.
type limits struct {
	mu      sync.Mutex
	buckets map[int64]*rate.Limiter // guarded by mu
	swept   time.Time               // guarded by mu; when those that rest were last forgotten
}

func newLimits() *limits { return &limits{buckets: map[int64]*rate.Limiter{}} }

// allow takes one token or says how long to wait.
func (l *limits) allow(s *rpc.Session, user int64) error {
	who := user
	if who == 0 {
		who = s.Key
	}
	r := l.bucket(who).Reserve()
	if d := r.Delay(); d > 0 {
		r.Cancel()
		return rpc.FloodWait(d)
	}
	return nil
}

func (l *limits) bucket(who int64) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[who]
	if b == nil {
		l.sweep(time.Now())
		b = rate.NewLimiter(requestRate, requestBurst)
		l.buckets[who] = b
	}
	return b
}

// sweep forgets who has rested, when there are too many, at most once a second;
// mu is held.
func (l *limits) sweep(now time.Time) {
	if len(l.buckets) < maxRequesters || now.Sub(l.swept) < time.Second {
		return
	}
	l.swept = now
	for k, b := range l.buckets {
		if b.TokensAt(now) >= requestBurst {
			delete(l.buckets, k)
		}
	}
}
