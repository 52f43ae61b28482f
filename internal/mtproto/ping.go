package mtproto

import (
	"fmt"
	"time"

	"github.com/gotd/td/bin"
)

// Bounds of what ping_delay_disconnect may ask for. Some clients pass
// milliseconds.
const (
	minHangUp = 5 * time.Second
	maxHangUp = 5 * time.Minute
)

// onPing handles ping#7abe77ec ping_id:long = Pong;
func (s *session) onPing(c *conn, m incoming, b *bin.Buffer) error {
	id, err := b.Long()
	if err != nil {
		return fmt.Errorf("read ping: %w", err)
	}
	c.post(s, &message{body: words(idPong, m.id, id), answers: m.id})
	return nil
}

// onPingDelay handles ping_delay_disconnect#f3427b8c ping_id:long disconnect_delay:int = Pong;
func (s *session) onPingDelay(c *conn, m incoming, b *bin.Buffer) error {
	if err := s.onPing(c, m, b); err != nil {
		return err
	}
	seconds, err := b.Int()
	if err != nil {
		return fmt.Errorf("read ping delay: %w", err)
	}
	delay := min(max(time.Duration(seconds)*time.Second, minHangUp), maxHangUp)
	c.hangUp = time.Now().Add(delay)
	return nil
}
