package mtproto

import (
	"fmt"
	"time"

	"github.com/gotd/td/bin"
)

// onHTTPWait handles http_wait#9299359f max_delay:int wait_after:int max_wait:int = HttpWait;
// all in milliseconds.
func (s *session) onHTTPWait(c *conn, _ incoming, b *bin.Buffer) error {
	var ms [3]int
	for i := range ms {
		n, err := b.Int()
		if err != nil {
			return fmt.Errorf("read http_wait: %w", err)
		}
		ms[i] = n
	}
	if !c.once {
		return nil
	}
	const longestDelay = 2000
	c.mu.Lock()
	c.delay = time.Duration(min(ms[0], ms[1], longestDelay)) * time.Millisecond
	c.mu.Unlock()
	if wait := time.Duration(max(ms[2], 1)) * time.Millisecond; wait < c.srv.limits.LongestPoll {
		c.timer.Reset(wait)
	}
	return nil
}
