package sctp

import (
	"encoding/binary"
	"slices"
)

const (
	// MaxMessage is how long a message may be; longer ones are ignored.
	MaxMessage = 32 << 10

	maxHeld   = 64 << 10 // bytes that came too early, or of a message's beginning
	maxEarly  = 64       // chunks that came too early
	maxBlocks = 16       // of them that are told of in one SACK

	flagEnd   = 1 // of DATA: the last fragment of a message
	flagBegin = 2

	// The payload protocols of RFC 8831.
	protocolControl     = 50
	protocolText        = 51
	protocolTextEmpty   = 56
	protocolBinaryEmpty = 57

	// Of RFC 8832.
	controlAck  = 2
	controlOpen = 3
)

// inbound is what comes. Fragments of a message have TSNs without a gap
// (RFC 9260 6.9), so that taking all in order puts every message together.
type inbound struct {
	cumulative uint32 // the last TSN up to which all came
	early      []fragment
	held       int
	message    []byte // fragments so far
	broken     bool   // the message is too long, or has no beginning
}

// fragment is one DATA chunk.
type fragment struct {
	tsn      uint32
	flags    byte
	stream   uint16
	protocol uint32
	data     []byte
}

// begin waits for the TSN after last.
func (in *inbound) begin(last uint32) { *in = inbound{cumulative: last} }

// before compares TSNs.
func before(a, b uint32) bool { return int32(a-b) < 0 }

// data takes a DATA chunk.
func (a *Association) data(flags byte, body []byte) {
	if len(body) < dataHeader {
		return
	}
	a.sack = true
	f := fragment{
		tsn: binary.BigEndian.Uint32(body), flags: flags, stream: binary.BigEndian.Uint16(body[4:]),
		protocol: binary.BigEndian.Uint32(body[8:]), data: body[dataHeader:],
	}
	switch {
	case !before(a.cumulative, f.tsn): // came before
		return
	case f.tsn != a.cumulative+1:
		a.keep(f)
		return
	}
	a.cumulative++
	a.take(f)
	for len(a.early) > 0 && a.early[0].tsn == a.cumulative+1 {
		f = a.early[0]
		a.early = slices.Delete(a.early, 0, 1)
		a.held -= len(f.data)
		a.cumulative++
		a.take(f)
	}
	if len(a.early) == 0 {
		a.early = nil
	}
}

// keep holds a fragment until those before it come. One that there is no room
// for will be sent again.
func (a *Association) keep(f fragment) {
	i, found := slices.BinarySearchFunc(a.early, f.tsn, func(e fragment, tsn uint32) int { return int(int32(e.tsn - tsn)) })
	if found || len(a.early) == maxEarly || a.held+len(f.data) > maxHeld || f.tsn-a.cumulative > 1<<15 {
		return
	}
	f.data = slices.Clone(f.data)
	a.held += len(f.data)
	a.early = slices.Insert(a.early, i, f)
}

// take puts messages together.
func (a *Association) take(f fragment) {
	if f.flags&flagBegin != 0 {
		a.message, a.broken = nil, false
		if f.flags&flagEnd != 0 {
			a.deliver(f.stream, f.protocol, f.data)
			return
		}
	} else if a.message == nil {
		a.broken = true
	}
	if a.broken = a.broken || len(a.message)+len(f.data) > MaxMessage; a.broken {
		a.message = nil
		return
	}
	a.message = append(a.message, f.data...)
	if f.flags&flagEnd != 0 {
		message := a.message
		a.message = nil
		a.deliver(f.stream, f.protocol, message)
	}
}

// deliver hands a message on.
func (a *Association) deliver(stream uint16, protocol uint32, b []byte) {
	switch {
	case protocol != protocolControl:
		text := protocol == protocolText || protocol == protocolTextEmpty
		if protocol == protocolTextEmpty || protocol == protocolBinaryEmpty {
			b = nil
		}
		a.handler.Message(stream, text, b)
	case len(b) > 0 && b[0] == controlOpen && a.admit(stream):
		a.queue(stream, protocolControl, []byte{controlAck})
		a.handler.Opened(stream)
	}
}

// appendSack tells what came.
func (a *Association) appendSack() {
	body := binary.BigEndian.AppendUint32(make([]byte, 0, sackSize+4*maxBlocks), a.cumulative)
	body = binary.BigEndian.AppendUint32(body, uint32(max(maxHeld-a.held-len(a.message), 0)))
	body = append(body, 0, 0, 0, 0)
	blocks := 0
	for i := 0; i < len(a.early) && blocks < maxBlocks; blocks++ {
		from := a.early[i].tsn
		to := from
		for i++; i < len(a.early) && a.early[i].tsn == to+1; i++ {
			to++
		}
		body = binary.BigEndian.AppendUint16(body, uint16(from-a.cumulative))
		body = binary.BigEndian.AppendUint16(body, uint16(to-a.cumulative))
	}
	binary.BigEndian.PutUint16(body[8:], uint16(blocks))
	a.append(kindSack, 0, body)
}
