package mtproto

import (
	"fmt"

	"github.com/gotd/td/bin"
)

// onAck handles msgs_ack#62d6b459 msg_ids:Vector<long> = MsgsAck;
func (s *session) onAck(_ *conn, _ incoming, b *bin.Buffer) error {
	ids, err := readIDs(b, maxIDs)
	if err != nil {
		return fmt.Errorf("read acks: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.acked(ids)
	return nil
}
