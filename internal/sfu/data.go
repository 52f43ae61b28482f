package sfu

import (
	"crypto/rand"

	"parley/internal/colibri"
	"parley/internal/media/record"
	"parley/internal/media/sctp"
)

// heard is how many bytes of messages are read of one client in a second; what
// clients say is a few hundred every five.
const heard = 64 << 10

// data is what a session's client says and hears on data channels, of which
// the one that opened last is told how high its picture needs to be.
type data struct {
	association *sctp.Association // nil before the client sends something
	opened      bool
	stream      uint16
	height      int // wanted of the client; -1 for nothing yet
	told        int // what it was told, -1 for nothing
	left        int // of heard, in this second
}

// receive takes application data: SCTP, if the client opens it.
func (s *session) receive(b []byte) {
	if s.ended {
		return
	}
	if s.association == nil {
		s.association = sctp.New(s, func(b []byte) { _, _ = rand.Read(b) }) // never fails
		s.left = heard
	}
	s.association.Receive(s.shard.now, b)
}

// Packet implements sctp.Handler.
func (s *session) Packet(b []byte) { s.send(record.Data, b) }

// Opened implements sctp.Handler.
func (s *session) Opened(stream uint16) {
	s.opened, s.stream, s.told = true, stream, -1
	s.tell()
}

// Message implements sctp.Handler: messages that make no sense are ignored.
func (s *session) Message(_ uint16, text bool, b []byte) {
	if s.left -= len(b); !text || s.left < 0 {
		return
	}
	if wants, ok, err := colibri.ParseMessage(b); err == nil && ok {
		s.shard.post(func() { s.shard.want(s.conn, wants) }) // not amid a batch
	}
}

// talks tells whether the client opened a channel.
func (s *session) talks() bool { return s != nil && s.opened }

// ask tells the client how high its picture needs to be.
func (s *session) ask(height int) {
	if s != nil {
		s.height = height
		s.tell()
	}
}

// tell says the height that is wanted, if that is news.
func (s *session) tell() {
	if s.opened && !s.ended && s.height >= 0 && s.height != s.told &&
		s.association.Send(s.shard.now, s.stream, colibri.SenderConstraints(s.height)) {
		s.told = s.height
	}
}

// everySecond sends again what got lost.
func (s *session) everySecond() {
	if s == nil || s.association == nil || s.ended {
		return
	}
	s.left = heard
	s.association.Tick(s.shard.now)
	s.tell()
}
