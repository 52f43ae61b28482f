package mtproto

import (
	"fmt"

	"github.com/gotd/td/bin"
)

// onDropAnswer handles rpc_drop_answer#58e4a740 req_msg_id:long = RpcDropAnswer;
func (s *session) onDropAnswer(_ *conn, m incoming, b *bin.Buffer) error {
	id, err := b.Long()
	if err != nil {
		return fmt.Errorf("read answer to drop: %w", err)
	}
	s.mu.Lock()
	result := words(idAnswerUnknown)
	if r := s.pending[id]; r != nil {
		r.dropped = true
		result = words(idAnswerRunning)
	} else if answer := s.out.withdraw(id); answer != nil {
		result = words(idAnswerDropped, answer.id)
		result = appendInt(result, answer.seqno)
		result = appendInt(result, int32(len(answer.body)))
	}
	full, to := s.queueAnswer(m.id, resultBody(m.id, result), false)
	s.mu.Unlock()
	s.sent(full, to)
	return nil
}
