package sfu

import (
	"sync"
	"time"
)

// maxSpoke is how many news of speakers wait at most; more are dropped, since
// the next ones come soon. News of ended connections are never dropped: there
// is one per connection.
const maxSpoke = 1024

// notice is one call of a Listener.
type notice struct {
	call, conn int64
	at         time.Time // zero: gone
}

// notifier calls the Listener on a goroutine of its own.
type notifier struct {
	to   Listener
	wake chan struct{} // holds one when there is something to do

	mu     sync.Mutex
	queue  []notice // guarded by mu
	closed bool     // guarded by mu
}

func newNotifier(to Listener) *notifier { return &notifier{to: to, wake: make(chan struct{}, 1)} }

func (n *notifier) gone(call, conn int64) { n.add(notice{call: call, conn: conn}) }

func (n *notifier) spoke(call, conn int64, at time.Time) { n.add(notice{call, conn, at}) }

func (n *notifier) add(v notice) {
	n.mu.Lock()
	if n.closed || n.to == nil || (!v.at.IsZero() && len(n.queue) >= maxSpoke) {
		n.mu.Unlock()
		return
	}
	n.queue = append(n.queue, v)
	n.mu.Unlock()
	n.signal()
}

func (n *notifier) signal() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// close lets run return; what waits is dropped.
func (n *notifier) close() {
	n.mu.Lock()
	n.closed, n.queue = true, nil
	n.mu.Unlock()
	n.signal()
}

func (n *notifier) run() {
	for range n.wake {
		n.mu.Lock()
		queue, closed := n.queue, n.closed
		n.queue = nil
		n.mu.Unlock()
		if closed {
			return
		}
		for _, v := range queue {
			if v.at.IsZero() {
				n.to.Gone(v.call, v.conn)
			} else {
				n.to.Spoke(v.call, v.conn, v.at)
			}
		}
	}
}
