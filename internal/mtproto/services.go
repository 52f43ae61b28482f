package mtproto

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/gotd/td/bin"
)

// Bounds of what ping_delay_disconnect may ask for. Some clients pass
// milliseconds.
const (
	minHangUp = 5 * time.Second
	maxHangUp = 5 * time.Minute
)

// maxFutureSalts is how many salts a client may ask for.
const maxFutureSalts = 64

// service handles a service message, of which b holds what follows the
// constructor id. An error ends the connection.
type service func(s *session, c *conn, m incoming, b *bin.Buffer) error

// services handles every message that is not a query.
var services = map[uint32]service{
	idMsgsAck:         (*session).onAck,
	idStateReq:        (*session).onStateReq,
	idStateInfo:       ignore,
	idAllInfo:         ignore,
	idDetailedInfo:    ignore,
	idNewDetailedInfo: ignore,
	idRPCResult:       ignore,
	idResendReq:       (*session).onResendReq,
	idResendAnsReq:    (*session).onResendAnsReq,
	idDropAnswer:      (*session).onDropAnswer,
	idPing:            (*session).onPing,
	idPingDelay:       (*session).onPingDelay,
	idGetSalts:        (*session).onGetSalts,
	idDestroySession:  (*session).onDestroySession,
	idDestroyKey:      (*session).onDestroyKey,
	idHTTPWait:        (*session).onHTTPWait,
}

// ignore handles what tells the server nothing: it asks clients for no states.
func ignore(*session, *conn, incoming, *bin.Buffer) error { return nil }

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

// onGetSalts handles get_future_salts#b921bd04 num:int = FutureSalts; the answer is
// future_salts#ae500895 req_msg_id:long now:int salts:vector<future_salt>, bare inside.
func (s *session) onGetSalts(c *conn, m incoming, b *bin.Buffer) error {
	n, err := b.Int()
	if err != nil {
		return fmt.Errorf("read number of salts: %w", err)
	}
	now := time.Now()
	all := s.key.salts.future(now, min(max(n, 1), maxFutureSalts))
	body := words(idFutureSalts, m.id)
	body = appendInt(body, int32(now.Unix()))
	body = appendInt(body, int32(len(all)))
	for _, salt := range all {
		body = appendInt(body, int32(salt.since))
		body = appendInt(body, int32(salt.until))
		body = binary.LittleEndian.AppendUint64(body, uint64(salt.salt))
	}
	c.post(s, &message{body: body, answers: m.id})
	return nil
}

// onDestroySession handles destroy_session#e7512126 session_id:long = DestroySessionRes;
// a session cannot destroy itself.
func (s *session) onDestroySession(c *conn, m incoming, b *bin.Buffer) error {
	id, err := b.Long()
	if err != nil {
		return fmt.Errorf("read session to destroy: %w", err)
	}
	result := uint32(idSessionNone)
	if other := s.srv.registry.session(s.key, id); other != nil && other != s {
		if s.srv.drop(other, "destroyed") {
			result = idSessionOK
		}
	}
	c.post(s, &message{body: words(result, id), answers: m.id})
	return nil
}

// onDestroyKey handles destroy_auth_key#d1435160 = DestroyAuthKeyRes; with a
// bound temporary key it destroys the permanent one.
func (s *session) onDestroyKey(c *conn, m incoming, _ *bin.Buffer) error {
	result, id := uint32(idKeyOK), s.key.id
	if perm := s.key.principal(); perm != nil {
		id = perm.id
		if err := s.srv.cfg.Keys.DeleteKey(s.srv.ctx, id); err != nil {
			s.srv.cfg.Log.Error("key not deleted", "key", id, "err", err)
			result = idKeyFail
		}
	}
	s.send(&message{body: words(result), answers: m.id})
	if result == idKeyOK {
		s.srv.DropKey(id)
		c.post(s, nil)
	}
	return nil
}

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
	s.mu.Lock()
	for _, id := range ids {
		if answer := s.out.answer(id); answer != nil && answer.id != 0 {
			s.out.resend(answer.id)
		}
	}
	s.mu.Unlock()
	s.postNewest()
	return nil
}

// postNewest has the newest connection send what the session keeps.
func (s *session) postNewest() {
	s.mu.Lock()
	to := s.newest()
	s.mu.Unlock()
	if to != nil {
		to.post(s, nil)
	}
}
