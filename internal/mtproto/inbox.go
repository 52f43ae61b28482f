package mtproto

import (
	"slices"
	"time"
)

// Codes of bad_msg_notification and bad_server_salt.
const (
	codeOK           = 0
	codeIDLow        = 16 // or the clock of the client is wrong
	codeIDHigh       = 17
	codeIDBits       = 18
	codeIDForgotten  = 20
	codeSeqnoLow     = 32
	codeSeqnoHigh    = 33
	codeSeqnoOdd     = 34 // an even one is expected
	codeSeqnoEven    = 35 // an odd one is expected
	codeSalt         = 48
	codeBadContainer = 64
)

// A session remembers windowSize message ids, and up to windowSlack more
// between two clean-ups.
const (
	windowSize  = 1024
	windowSlack = 256
)

// State of a received message.
type state uint8

const (
	received state = iota // and needs no answer
	running               // its answer is being made
	answered
	failed // answered with an error
)

// anySeqno marks messages whose seqno takes no part in the order.
const anySeqno = -1

// seen is a message a client has sent.
type seen struct {
	id    int64
	seqno int32
	state state
}

// inbox remembers the ids a client has sent, so that none is processed twice.
// It is guarded by its session.
type inbox struct {
	window []seen // sorted by id
	floor  int64  // the highest id forgotten, 0 if none
}

// checkID applies the rules on a message id that need no memory.
func checkID(id int64, now time.Time) int {
	at := idTime(id)
	switch {
	case id%4 != kindClient:
		return codeIDBits
	case uint32(id) == 0, at.Before(now.Add(-tooOld)):
		return codeIDLow
	case at.After(now.Add(tooNew)):
		return codeIDHigh
	}
	return codeOK
}

func (b *inbox) search(id int64) (int, bool) {
	if n := len(b.window); n == 0 || b.window[n-1].id < id {
		return n, false
	}
	return slices.BinarySearchFunc(b.window, id, func(s seen, id int64) int {
		switch {
		case s.id < id:
			return -1
		case s.id > id:
			return 1
		}
		return 0
	})
}

// find returns what is known of message id, nil if nothing.
func (b *inbox) find(id int64) *seen {
	if i, ok := b.search(id); ok {
		return &b.window[i]
	}
	return nil
}

// mark notes how far message id is.
func (b *inbox) mark(id int64, to state) {
	if s := b.find(id); s != nil {
		s.state = to
	}
}

// add remembers a message that is not known yet, or returns why it must not
// be processed.
func (b *inbox) add(id int64, seqno int32) int {
	if id <= b.floor {
		return codeIDForgotten
	}
	i, _ := b.search(id)
	if seqno != anySeqno {
		if code := b.checkSeqno(i, seqno); code != codeOK {
			return code
		}
	}
	b.window = slices.Insert(b.window, i, seen{id: id, seqno: seqno})
	return codeOK
}

// checkSeqno compares seqno with those of the messages around place i: it must
// rise with the ids, and an odd one belongs to one message.
func (b *inbox) checkSeqno(i int, seqno int32) int {
	odd := seqno&1 == 1
	for j := i - 1; j >= 0; j-- {
		if s := b.window[j].seqno; s != anySeqno {
			if s > seqno || s == seqno && odd {
				return codeSeqnoLow
			}
			break
		}
	}
	for _, later := range b.window[i:] {
		if s := later.seqno; s != anySeqno {
			if s < seqno || s == seqno && odd {
				return codeSeqnoHigh
			}
			break
		}
	}
	return codeOK
}

// undo forgets a message that has just been added.
func (b *inbox) undo(id int64) {
	if i, ok := b.search(id); ok {
		b.window = slices.Delete(b.window, i, i+1)
	}
}

// trim forgets the lowest ids when there are too many.
func (b *inbox) trim() {
	if extra := len(b.window) - windowSize; extra > windowSlack {
		b.floor = b.window[extra-1].id
		b.window = slices.Delete(b.window, 0, extra)
	}
}

// highest returns the highest id known, 0 if none.
func (b *inbox) highest() int64 {
	if n := len(b.window); n > 0 {
		return b.window[n-1].id
	}
	return b.floor
}
