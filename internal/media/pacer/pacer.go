// Package pacer says when bytes may leave, so that a key frame or an answer to
// many losses does not overrun the path's queue. It holds no packets: who asks
// keeps, or drops, what has to wait. Pure and owned by one goroutine; times are
// since any fixed moment.
package pacer

import "time"

const (
	maxDebt = time.Second // what was spent beyond is forgiven
	maxRate = 1 << 36     // bits per second
	maxSize = 1 << 24     // bytes at once
)

// Bucket is a token bucket: it lets bytes through at a rate, and bursts of what
// goes in a given time.
type Bucket struct {
	rate  int64         // bits per second
	burst time.Duration // of sending at the rate
	free  time.Duration // when all that was let through has gone at the rate
}

// New returns a bucket for a rate in bits per second; what passes in the time
// burst at that rate may go at once.
func New(rate int64, burst time.Duration) Bucket {
	b := Bucket{burst: max(burst, 0)}
	b.rate = min(max(rate, 1), maxRate)
	return b
}

// SetRate changes the rate. What was let through so far keeps its time.
func (b *Bucket) SetRate(rate int64) { b.rate = min(max(rate, 1), maxRate) }

// Take lets size bytes through and tells whether it did. An idle bucket lets
// anything through, even what is larger than a burst.
func (b *Bucket) Take(size int, now time.Duration) bool {
	if b.Wait(size, now) > 0 {
		return false
	}
	b.free = max(b.free, now) + b.cost(size)
	return true
}

// Spend lets bytes through that cannot wait, sound for one: others wait longer.
func (b *Bucket) Spend(size int, now time.Duration) {
	b.free = min(max(b.free, now)+b.cost(size), now+max(maxDebt, b.burst))
}

// Wait returns how long until Take lets size bytes through; 0 when it does now.
func (b *Bucket) Wait(size int, now time.Duration) time.Duration {
	if b.free <= now {
		return 0
	}
	return min(max(b.free+b.cost(size)-b.burst-now, 0), b.free-now)
}

// cost returns how long so many bytes take at the rate.
func (b *Bucket) cost(size int) time.Duration {
	return time.Duration(8 * int64(min(max(size, 0), maxSize)) * int64(time.Second) / b.rate)
}

// Train is a run of bytes sent evenly at a rate, like a probe of the path.
type Train struct {
	rate  int64
	total int
	sent  int
	start time.Duration
}

// Start returns a train of so many bytes that begins now.
func Start(rate int64, size int, now time.Duration) Train {
	return Train{rate: min(max(rate, 1), maxRate), total: max(size, 0), start: now}
}

// Due returns how many bytes have to leave now for the rate to be kept: at
// first one packet of size step, and never more than are left.
func (t *Train) Due(step int, now time.Duration) int {
	passed := min(max(now-t.start, 0), time.Minute).Microseconds()
	due := int(min(t.rate*passed/8e6, maxSize)) + step
	return max(min(due, t.total)-t.sent, 0)
}

// Sent notes that bytes left, and tells whether the train is over.
func (t *Train) Sent(size int) bool {
	t.sent += max(size, 0)
	return t.Over()
}

// Over tells whether all bytes have left.
func (t *Train) Over() bool { return t.sent >= t.total }
