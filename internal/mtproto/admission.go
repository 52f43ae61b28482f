package mtproto

import "encoding/binary"

// admission decides which messages of one frame are processed. It runs under
// the session's mutex.
type admission struct {
	s         *session
	fresh     []incoming // to be processed
	forgotten []incoming // of which nobody knows whether they were
	urgent    bool       // there is something to send now
}

// admit admits the parts that arrived in outer, all or none. A container's own
// id counts like a message's.
func (a *admission) admit(outer incoming, parts []incoming) int {
	in := &a.s.in
	inContainer := len(parts) != 1 || parts[0].id != outer.id
	added := make([]int64, 0, 8)
	code := codeOK
	var known []incoming
	if inContainer && in.find(outer.id) == nil {
		if code = in.add(outer.id, anySeqno); code == codeOK {
			added = append(added, outer.id)
		}
	}
	for _, m := range parts {
		if code != codeOK {
			break
		}
		if in.find(m.id) != nil {
			known = append(known, m)
			continue
		}
		switch code = a.add(m); {
		case code == codeOK:
			added = append(added, m.id)
			a.fresh = append(a.fresh, m)
		case inContainer && code == codeIDForgotten:
			a.forgotten = append(a.forgotten, m)
			code = codeOK
		case inContainer:
			code = codeBadContainer
		}
	}
	if code != codeOK {
		for _, id := range added {
			in.undo(id)
		}
		return code
	}
	a.accept(parts, known)
	return codeOK
}

// add remembers m if the rules allow it.
func (a *admission) add(m incoming) int {
	id := constructor(m.body)
	_, service := services[id]
	switch {
	case id == idContainer:
		return codeBadContainer
	case !service && m.seqno&1 == 0:
		return codeSeqnoEven
	}
	seqno := m.seqno
	if id == idMsgsAck { // a client's acknowledgments may carry any (mtcute's are odd)
		seqno = anySeqno
	}
	return a.s.in.add(m.id, seqno)
}

// accept does what follows from the arrival of messages.
func (a *admission) accept(parts, known []incoming) {
	s := a.s
	if !s.greeted {
		s.greet(parts)
		a.urgent = true
	}
	for _, m := range a.fresh {
		// The salts are answer enough: mtcute warns of an ack for them.
		if m.seqno&1 == 1 && constructor(m.body) != idGetSalts {
			s.out.ack(m.id)
		}
	}
	for _, m := range known {
		a.repeat(m)
	}
	s.in.trim()
}

// repeat deals with a message that was received before: it is not processed
// again, but the client may have missed the answer.
func (a *admission) repeat(m incoming) {
	s := a.s
	s.srv.stats.duplicates.Add(1)
	answer := s.out.answer(m.id)
	switch {
	case answer == nil:
		if m.seqno&1 == 1 {
			s.out.ack(m.id)
		}
	case answer.id == 0: // it is on its way
	case len(answer.body) <= resendBytes:
		s.out.resend(answer.id)
		a.urgent = true
	default:
		s.out.push(&message{body: detailedInfo(m.id, answer)})
		a.urgent = true
	}
}

// detailedInfo returns msg_detailed_info#276d3ec6 msg_id:long answer_msg_id:long bytes:int status:int.
func detailedInfo(id int64, answer *message) []byte {
	b := words(idDetailedInfo, id, answer.id)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(answer.body)))
	return binary.LittleEndian.AppendUint32(b, 0)
}
