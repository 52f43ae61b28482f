package gateway

import "sync/atomic"

// budget is how much of something may be held at the same time.
type budget struct {
	most  int64 // immutable
	taken atomic.Int64
}

func (b *budget) take(n int) bool {
	if b.taken.Add(int64(n)) <= b.most {
		return true
	}
	b.free(n)
	return false
}

func (b *budget) free(n int) { b.taken.Add(-int64(n)) }
