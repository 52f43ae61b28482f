package load

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// probe is the ear of the few clients that read their media: it decrypts, and
// measures the time from a publisher's write.
type probe struct {
	scratch []byte       // owned by the client's reader
	broken  atomic.Int64 // packets that did not decrypt

	mu    sync.Mutex
	times []time.Duration // guarded by mu
}

func newProbe() *probe { return &probe{scratch: make([]byte, 0, maxPacket)} }

// take notes one decrypted payload.
func (p *probe) take(payload []byte, now time.Duration) {
	at, ok := stamp(payload)
	if !ok {
		return
	}
	p.mu.Lock()
	p.times = append(p.times, now-at)
	p.mu.Unlock()
}

// drain returns the times noted since the last call.
func (p *probe) drain() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	times := p.times
	p.times = nil
	return times
}

// percentile returns the value that the given share of values does not exceed;
// ok is false when there are none.
func percentile(values []time.Duration, share float64) (v time.Duration, ok bool) {
	if len(values) == 0 {
		return 0, false
	}
	slices.Sort(values)
	return values[int(float64(len(values)-1)*share)], true
}
