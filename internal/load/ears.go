package load

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

const (
	maxPush = 32 << 20
	// lastPush is after how long what happened has been told: Parley tells of
	// several changes together.
	lastPush = 300 * time.Millisecond
)

// ears are WebSockets that hear what the server tells participants.
type ears struct {
	pushes atomic.Int64

	mu      sync.Mutex
	conns   []*websocket.Conn // guarded by mu
	reading sync.WaitGroup
}

// open begins to hear what a user is told.
func (e *ears) open(ctx context.Context, u *user) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	conn, res, err := websocket.Dial(ctx, u.api.base+"/api/ws", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + u.token}},
	})
	if err != nil {
		return fmt.Errorf("listen for updates: %w", err)
	}
	if res.Body != nil {
		_ = res.Body.Close() // nothing is in it any more
	}
	conn.SetReadLimit(maxPush)
	e.mu.Lock()
	e.conns = append(e.conns, conn)
	e.mu.Unlock()
	e.reading.Go(func() {
		for {
			if _, _, err := conn.Read(context.WithoutCancel(ctx)); err != nil {
				return // closed
			}
			e.pushes.Add(1)
		}
	})
	return nil
}

func (e *ears) close() {
	e.mu.Lock()
	for _, conn := range e.conns {
		_ = conn.CloseNow()
	}
	e.conns = nil
	e.mu.Unlock()
	e.reading.Wait()
}
