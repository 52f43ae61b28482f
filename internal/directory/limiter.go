package directory

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"parley/internal/rpc"
)

const maxLimited = 50_000

// limiter lets each key do something burst times at once and then once every
// so often.
type limiter struct {
	burst   int           // immutable
	every   time.Duration // immutable
	mu      sync.Mutex
	buckets map[string]*rate.Limiter // guarded by mu
}

func newLimiter(burst int, every time.Duration) *limiter {
	return &limiter{burst: burst, every: every, buckets: map[string]*rate.Limiter{}}
}

// take spends n for key, or returns FLOOD_WAIT_X.
func (l *limiter) take(key string, n int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	b := l.buckets[key]
	if b == nil {
		if len(l.buckets) >= maxLimited {
			l.sweep(now)
		}
		b = rate.NewLimiter(rate.Every(l.every), l.burst)
		l.buckets[key] = b
	}
	r := b.ReserveN(now, min(n, l.burst))
	if d := r.DelayFrom(now); d > 0 {
		r.CancelAt(now)
		return rpc.FloodWait(d)
	}
	return nil
}

// sweep forgets the keys that have rested, or all when none has: limits give
// way before memory does. mu is held.
func (l *limiter) sweep(now time.Time) {
	for k, b := range l.buckets {
		if b.TokensAt(now) >= float64(l.burst) {
			delete(l.buckets, k)
		}
	}
	if len(l.buckets) >= maxLimited {
		clear(l.buckets)
	}
}
