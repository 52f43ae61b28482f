package bwe

import "time"

const (
	bucket  = 50 * time.Millisecond
	buckets = 10
	leastOf = 3 // buckets for a rate
)

// throughput measures the rate at which packets arrived over half a second of
// the receiver's clock.
type throughput struct {
	bytes [buckets]int
	from  int64 // bucket
	last  int64 // bucket
	at    time.Duration
	began bool
}

func (t *throughput) add(at time.Duration, size int) {
	n := int64(at / bucket)
	if !t.began || n-t.last > buckets || t.last-n > buckets {
		*t = throughput{from: n, last: n, at: at, began: true}
	}
	for t.last < n {
		t.last++
		t.bytes[slotOf(t.last)] = 0
	}
	if n <= t.last-buckets {
		return
	}
	t.from = max(t.from, t.last-buckets+1)
	t.at = max(t.at, at)
	t.bytes[slotOf(n)] += size
}

// rate returns bits per second, or 0 when there is too little to tell.
func (t *throughput) rate() float64 {
	if !t.began || t.last-t.from < leastOf {
		return 0
	}
	sum := 0
	for _, n := range t.bytes {
		sum += n
	}
	return float64(8*sum) / (t.at - time.Duration(t.from)*bucket).Seconds()
}

func slotOf(n int64) int64 { return ((n % buckets) + buckets) % buckets }
