package mtproto

import (
	"slices"
	"sync/atomic"
	"time"
)

// What one frame to a client may hold.
const (
	batchMessages = 100
	batchBytes    = 256 << 10
)

// staleAfter is when an unacknowledged message must not be sent again under
// its old id: clients refuse ids older than 300 s.
const staleAfter = 200 * time.Second

// message is something for the client.
type message struct {
	body    []byte
	answers int64 // the client's message, 0 if none
	content bool  // needs an acknowledgment and is kept until then

	id    int64 // 0 until sent
	seqno int32
	sent  time.Time
	again bool // to be sent again
}

// part is a message as it goes into a frame.
type part struct {
	id    int64
	seqno int32
	body  []byte
}

// batch is what goes into one frame: a single part, or several in a container.
type batch struct {
	parts     []part
	container part // without body
}

// outbox keeps what a client has not acknowledged. It is guarded by its session.
type outbox struct {
	ids   *idSource     // immutable
	total *atomic.Int64 // bytes of all outboxes

	queue   []*message // not sent yet
	unacked []*message // sent, sorted by id
	again   int        // how many of unacked are to be sent again
	acks    []int64    // messages of the client to acknowledge
	content int32      // content messages sent so far
	bytes   int        // of queue and unacked
}

func (o *outbox) push(m *message) {
	o.queue = append(o.queue, m)
	o.grow(len(m.body))
}

func (o *outbox) grow(n int) {
	o.bytes += n
	o.total.Add(int64(n))
}

// len returns how many messages are kept.
func (o *outbox) len() int { return len(o.queue) + len(o.unacked) }

// idle tells that everything has been sent.
func (o *outbox) idle() bool { return len(o.queue) == 0 && o.again == 0 }

// clear drops everything.
func (o *outbox) clear() {
	o.grow(-o.bytes)
	o.queue, o.unacked, o.acks, o.again = nil, nil, nil, 0
}

// ack notes that the client is to hear that its message id has arrived.
func (o *outbox) ack(id int64) {
	if len(o.acks) == maxIDs {
		o.acks = slices.Delete(o.acks, 0, 1)
	}
	o.acks = append(o.acks, id)
}

// unack takes back an ack that an answer replaces.
func (o *outbox) unack(id int64) {
	if i := slices.Index(o.acks, id); i >= 0 {
		o.acks = slices.Delete(o.acks, i, i+1)
	}
}

// find returns the place of the sent message id in unacked.
func (o *outbox) find(id int64) (int, bool) {
	return slices.BinarySearchFunc(o.unacked, id, func(m *message, id int64) int {
		switch {
		case m.id < id:
			return -1
		case m.id > id:
			return 1
		}
		return 0
	})
}

// acked drops the messages that have arrived.
func (o *outbox) acked(ids []int64) {
	for _, id := range ids {
		if i, ok := o.find(id); ok {
			o.remove(i)
		}
	}
}

func (o *outbox) remove(i int) {
	m := o.unacked[i]
	if m.again {
		o.again--
	}
	o.grow(-len(m.body))
	o.unacked = slices.Delete(o.unacked, i, i+1)
}

// answer returns the kept answer to the client's message id, nil if there is none.
func (o *outbox) answer(id int64) *message {
	isAnswer := func(m *message) bool { return m.answers == id }
	if i := slices.IndexFunc(o.unacked, isAnswer); i >= 0 {
		return o.unacked[i]
	}
	if i := slices.IndexFunc(o.queue, isAnswer); i >= 0 {
		return o.queue[i]
	}
	return nil
}

// withdraw drops the kept answer to the client's message id and returns it.
func (o *outbox) withdraw(id int64) *message {
	isAnswer := func(m *message) bool { return m.answers == id }
	if i := slices.IndexFunc(o.unacked, isAnswer); i >= 0 {
		m := o.unacked[i]
		o.remove(i)
		return m
	}
	if i := slices.IndexFunc(o.queue, isAnswer); i >= 0 {
		m := o.queue[i]
		o.queue = slices.Delete(o.queue, i, i+1)
		o.grow(-len(m.body))
		return m
	}
	return nil
}

// resend arranges that message id is sent again and tells whether it is kept.
func (o *outbox) resend(id int64) bool {
	i, ok := o.find(id)
	if ok && !o.unacked[i].again {
		o.unacked[i].again = true
		o.again++
	}
	return ok
}

// resendAll arranges that everything sent before the given time is sent again,
// the stale under new ids.
func (o *outbox) resendAll(before, now time.Time) {
	var stale []*message
	o.unacked = slices.DeleteFunc(o.unacked, func(m *message) bool {
		if now.Sub(m.sent) < staleAfter {
			return false
		}
		if m.again {
			m.again = false
			o.again--
		}
		stale = append(stale, m)
		return true
	})
	o.queue = append(stale, o.queue...)
	for _, m := range o.unacked {
		if !m.again && m.sent.Before(before) {
			m.again = true
			o.again++
		}
	}
}

// next takes what is to go into the next frame: some of the replies, and, when
// the connection is the session's newest, of what the session keeps. It returns
// no parts when there is nothing to send; acks go alone only if alone is set.
func (o *outbox) next(replies *[]*message, newest, alone bool) batch {
	b := batchBuilder{o: o, now: time.Now()}
	b.addAll(replies, func(*message) {})
	if newest {
		b.addAgain()
		b.addAll(&o.queue, func(m *message) {
			if m.content {
				o.unacked = append(o.unacked, m)
			} else {
				o.grow(-len(m.body))
			}
		})
	}
	if len(o.acks) > 0 && (len(b.parts) > 0 || alone) {
		b.add(&message{body: msgsAck(o.acks)})
		o.acks = nil
	}
	if len(b.parts) > 1 {
		b.container = part{id: o.ids.next(kindOther), seqno: 2 * o.content}
	}
	return b.batch
}

// batchBuilder fills a batch.
type batchBuilder struct {
	batch

	o    *outbox
	now  time.Time
	size int
}

func (b *batchBuilder) fits(m *message) bool {
	return len(b.parts) == 0 || len(b.parts) < batchMessages && b.size+len(m.body) <= batchBytes
}

// addAll moves what fits from the queue into the batch.
func (b *batchBuilder) addAll(queue *[]*message, moved func(*message)) {
	q := *queue
	for len(q) > 0 && b.fits(q[0]) {
		m := q[0]
		q[0], q = nil, q[1:]
		b.add(m)
		moved(m)
	}
	if len(q) == 0 {
		q = nil
	}
	*queue = q
}

// addAgain adds the messages that are to be sent again.
func (b *batchBuilder) addAgain() {
	for _, m := range b.o.unacked {
		if b.o.again == 0 || !b.fits(m) {
			return
		}
		if m.again {
			m.again = false
			b.o.again--
			b.addSent(m)
		}
	}
}

// add adds a message that gets its id now.
func (b *batchBuilder) add(m *message) {
	kind := int64(kindOther)
	if m.answers != 0 {
		kind = kindAnswer
	}
	m.id, m.seqno = b.o.ids.next(kind), 2*b.o.content
	if m.content {
		m.seqno++
		b.o.content++
	}
	b.addSent(m)
}

func (b *batchBuilder) addSent(m *message) {
	m.sent = b.now
	b.size += len(m.body)
	b.parts = append(b.parts, part{id: m.id, seqno: m.seqno, body: m.body})
}
