package sctp

import (
	"encoding/binary"
	"slices"
	"time"
)

const (
	// MaxSend is how long a message to the client may be: it goes in one piece.
	MaxSend = 512

	maxChannels = 8       // of one association
	maxQueued   = 16      // messages that wait
	maxFlight   = 4 << 10 // bytes that the client did not confirm

	firstWait = time.Second // for a confirmation
	longWait  = 16 * time.Second
	maxTries  = 10 // in a row without any confirmation
)

// outbound is what goes out.
type outbound struct {
	next     uint32 // TSN
	window   uint32 // bytes the client takes
	channels []channel
	waiting  []outgoing // what is not confirmed, the first ones on their way
	flying   int        // that many
	flight   int        // bytes of them
	tries    int        // of the first one, without an answer
	due      time.Duration
}

// channel is one that the client opened.
type channel struct{ stream, number uint16 }

// outgoing is one message, as the body of a DATA chunk.
type outgoing struct {
	body []byte
	came bool // told by a gap block
}

func (o *outbound) begin(first, window uint32) { *o = outbound{next: first, window: window} }

// admit notes a channel that the client opens, unless it has too many.
func (o *outbound) admit(stream uint16) bool {
	if o.channel(stream) != nil {
		return true
	}
	if len(o.channels) == maxChannels {
		return false
	}
	o.channels = append(o.channels, channel{stream: stream})
	return true
}

func (o *outbound) channel(stream uint16) *channel {
	for i := range o.channels {
		if o.channels[i].stream == stream {
			return &o.channels[i]
		}
	}
	return nil
}

// Send sends a text on an open channel. It tells whether the text was taken:
// not while too many wait.
func (a *Association) Send(now time.Duration, stream uint16, text []byte) bool {
	if !a.up || len(text) > MaxSend || len(text) == 0 || !a.queue(stream, protocolText, text) {
		return false
	}
	if a.scratch == nil { // else Receive goes on
		a.now = now
		a.transmit()
		a.flush()
	}
	return true
}

// queue makes a message wait for its turn.
func (a *Association) queue(stream uint16, protocol uint32, b []byte) bool {
	c := a.channel(stream)
	if c == nil || len(a.waiting) == maxQueued {
		return false
	}
	body := binary.BigEndian.AppendUint32(make([]byte, 0, dataHeader+len(b)), a.next)
	body = binary.BigEndian.AppendUint16(body, stream)
	body = binary.BigEndian.AppendUint16(body, c.number)
	body = binary.BigEndian.AppendUint32(body, protocol)
	a.waiting = append(a.waiting, outgoing{body: append(body, b...)})
	a.next++
	c.number++
	return true
}

// transmit sends what there is room for.
func (a *Association) transmit() {
	for a.up && a.flying < len(a.waiting) {
		size := len(a.waiting[a.flying].body)
		if a.flying > 0 && (a.flight+size > maxFlight || uint32(a.flight+size) > a.window) {
			return
		}
		if a.flying == 0 {
			a.due = a.now + a.wait()
		}
		a.fly(a.flying)
		a.flight += size
		a.flying++
	}
}

func (a *Association) fly(i int) { a.append(kindData, flagBegin|flagEnd, a.waiting[i].body) }

// wait returns how long a confirmation may take.
func (o *outbound) wait() time.Duration { return min(firstWait<<o.tries, longWait) }

// acknowledge takes a SACK.
func (a *Association) acknowledge(body []byte) {
	if len(body) < sackSize || a.flying == 0 {
		return
	}
	cumulative := binary.BigEndian.Uint32(body)
	first := a.next - uint32(len(a.waiting))
	n := int(int32(cumulative - first + 1))
	if n < 0 || n > a.flying {
		return // an old one, or a lie
	}
	a.window = binary.BigEndian.Uint32(body[4:])
	for i := range n {
		a.flight -= len(a.waiting[i].body)
	}
	a.waiting = slices.Delete(a.waiting, 0, n)
	if len(a.waiting) == 0 {
		a.waiting = nil
	}
	a.flying -= n
	if n > 0 {
		a.tries, a.due = 0, a.now+firstWait
	}
	a.gaps(int(binary.BigEndian.Uint16(body[8:])), body[sackSize:])
}

// gaps notes what came after a gap, so that it is not sent again.
func (a *Association) gaps(blocks int, b []byte) {
	for ; blocks > 0 && len(b) >= 4; b, blocks = b[4:], blocks-1 {
		from, to := int(binary.BigEndian.Uint16(b)), int(binary.BigEndian.Uint16(b[2:]))
		for i := max(from, 1); i <= min(to, a.flying); i++ {
			a.waiting[i-1].came = true
		}
	}
}

// Tick sends again what was not confirmed for too long; an association whose
// client confirms nothing ends. It is to be called every second or so.
func (a *Association) Tick(now time.Duration) {
	a.now = now
	if !a.up || a.flying == 0 || now < a.due {
		return
	}
	if a.tries++; a.tries > maxTries {
		a.append(kindAbort, 0, nil)
		a.flush()
		a.close()
		return
	}
	a.due = now + a.wait()
	for i := range a.flying {
		if !a.waiting[i].came {
			a.fly(i)
		}
	}
	a.flush()
}
