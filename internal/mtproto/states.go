package mtproto

import (
	"fmt"

	"github.com/gotd/td/bin"
)

// Bits of a message's state in msgs_state_info.
const (
	stateForgotten  = 1
	stateNotYet     = 2 // within the ids known, not received
	stateTooHigh    = 3
	stateReceived   = 4
	stateAcked      = 8
	stateProcessing = 32
	stateAnswered   = 64
)

// onStateReq handles msgs_state_req#da69fb52 msg_ids:Vector<long> = MsgsStateReq;
func (s *session) onStateReq(c *conn, m incoming, b *bin.Buffer) error {
	ids, err := readIDs(b, maxIDs)
	if err != nil {
		return fmt.Errorf("read ids for states: %w", err)
	}
	s.postStates(c, m, ids)
	return nil
}

// postStates answers with msgs_state_info#04deb57d req_msg_id:long info:string.
func (s *session) postStates(c *conn, m incoming, ids []int64) {
	info := make([]byte, len(ids))
	s.mu.Lock()
	for i, id := range ids {
		info[i] = s.stateOf(id)
	}
	s.mu.Unlock()
	body := bin.Buffer{Buf: words(idStateInfo, m.id)}
	body.PutBytes(info)
	c.post(s, &message{body: body.Buf, answers: m.id})
}

// stateOf runs under mu.
func (s *session) stateOf(id int64) byte {
	m := s.in.find(id)
	switch {
	case m == nil && id <= s.in.floor:
		return stateForgotten
	case m == nil && id > s.in.highest():
		return stateTooHigh
	case m == nil:
		return stateNotYet
	}
	switch m.state {
	case running:
		return stateReceived | stateAcked | stateProcessing
	case answered, failed:
		return stateReceived | stateAcked | stateAnswered
	default:
		return stateReceived | stateAcked
	}
}
