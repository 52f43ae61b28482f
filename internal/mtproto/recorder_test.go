package mtproto

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"

	"parley/internal/rpc"
)

// recorder is a handler that counts what it is asked and holds what it is told to.
type recorder struct {
	mu        sync.Mutex
	counts    map[int32]int
	held      map[int32]chan struct{}
	sessions  map[int64]*rpc.Session // by key
	forgotten []*rpc.Session
}

func newRecorder() *recorder {
	return &recorder{counts: map[int32]int{}, held: map[int32]chan struct{}{}, sessions: map[int64]*rpc.Session{}}
}

func (r *recorder) handler() handler {
	return handler{handle: r.handle, forget: func(s *rpc.Session) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.forgotten = append(r.forgotten, s)
	}}
}

// hold makes the query n wait until the returned function is called.
func (r *recorder) hold(n int32) (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ch := make(chan struct{})
	r.held[n] = ch
	return sync.OnceFunc(func() { close(ch) })
}

func (r *recorder) handle(ctx context.Context, s *rpc.Session, q []byte) ([]byte, error) {
	n := int32(binary.LittleEndian.Uint32(q[4:]))
	r.mu.Lock()
	r.counts[n]++
	r.sessions[s.Key] = s
	ch := r.held[n]
	r.mu.Unlock()
	if ch != nil {
		select {
		case <-ch:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if n < 0 {
		return nil, rpc.Err(400, "NEGATIVE")
	}
	return q, nil
}

func (r *recorder) count(n int32) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[n]
}

func (r *recorder) session(key int64) *rpc.Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sessions[key]
}

func (r *recorder) forgets(s *rpc.Session) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.forgotten, s)
}
