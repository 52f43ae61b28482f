package mtproto

import (
	"fmt"
	"slices"

	"github.com/gotd/td/bin"
)

// onResendReq handles msg_resend_req#7d861a08 msg_ids:Vector<long> = MsgResendReq;
// when a message is not kept, the states of all are told instead.
func (s *session) onResendReq(c *conn, m incoming, b *bin.Buffer) error {
	ids, err := readIDs(b, maxIDs)
	if err != nil {
		return fmt.Errorf("read ids to resend: %w", err)
	}
	s.mu.Lock()
	known := !slices.ContainsFunc(ids, func(id int64) bool {
		_, ok := s.out.find(id)
		return !ok
	})
	for _, id := range ids {
		s.out.resend(id)
	}
	s.mu.Unlock()
	if !known {
		s.postStates(c, m, ids)
		return nil
	}
	s.postNewest()
	return nil
}

// onResendAnsReq handles msg_resend_ans_req#8610baeb msg_ids:Vector<long> = MsgResendReq;
// the ids are those of the client's own messages.
func (s *session) onResendAnsReq(_ *conn, _ incoming, b *bin.Buffer) error {
	ids, err := readIDs(b, maxIDs)
	if err != nil {
		return fmt.Errorf("read ids of answers to resend: %w", err)
	}
	wanted := make(map[int64]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	s.mu.Lock()
	for _, m := range s.out.unacked {
		if m.answers != 0 && wanted[m.answers] {
			s.out.resend(m.id)
		}
	}
	s.mu.Unlock()
	s.postNewest()
	return nil
}
