package sfu

import (
	"context"
	"sync/atomic"

	"parley/internal/media/record"
	"parley/internal/media/udp"
)

// session is the DTLS side of a connection, owned by its shard.
type session struct {
	shard   *shard
	conn    *conn
	remote  *atomic.Pointer[udp.Peer] // where the client is
	shaking *handshake                // nil once there are keys
	cancel  context.CancelFunc
	layer   *record.Layer // nil before there are keys
	last    []byte        // of the server of the handshake: its last flight
	ended   bool
	data
}

// secure goes on with the keys of the handshake.
func (s *session) secure(k keys) {
	if !s.ended {
		s.layer, s.last, s.shaking = k.layer, k.last, nil
	}
}

// push hands DTLS records over; they are dropped when too many wait.
func (s *session) push(b []byte, from udp.Peer) bool {
	switch {
	case s == nil || s.ended:
		return false
	case s.shaking != nil:
		_, err := s.shaking.records.Write(b)
		return err == nil
	}
	s.open(b, from)
	return true
}

// open reads the records of a datagram. One that proves right tells where its
// client is, as media does, of which there may be none.
func (s *session) open(b []byte, from udp.Peer) {
	again := false
	for len(b) > 0 {
		var kind record.Kind
		var plain []byte
		kind, plain, b = s.layer.Open(b)
		switch kind {
		case record.Data:
			s.shard.follow(s.conn, from)
			s.receive(plain)
		case record.Alert:
			s.alert(plain)
		case record.Handshake: // the client lacks our last flight
			again = len(s.last) > 0
		case record.None:
		}
	}
	if again {
		copy(s.shard.socket.Space(len(s.last)), s.last)
		s.shard.socket.Send(len(s.last), s.conn.addr)
	}
}

// alert lets the client go when it says goodbye.
func (s *session) alert(b []byte) {
	const fatal, closeNotify = 2, 0
	if len(b) == 2 && (b[0] == fatal || b[1] == closeNotify) {
		s.shard.post(func() { s.shard.part(s.conn) }) // not amid a batch
	}
}

// send sends a record.
func (s *session) send(kind record.Kind, plain []byte) {
	if s.layer != nil && !s.ended {
		b := s.layer.Seal(s.shard.socket.Space(len(plain) + record.Overhead)[:0], kind, plain)
		s.shard.socket.Send(len(b), s.conn.addr)
	}
}

// end ends the handshake, or says goodbye.
func (s *session) end() {
	const warning, closeNotify = 1, 0
	if s == nil || s.ended {
		return
	}
	s.cancel()
	s.send(record.Alert, []byte{warning, closeNotify})
	s.ended = true
}

// farewell ends all sessions.
func (sh *shard) farewell() {
	for _, c := range sh.order {
		c.session.end()
	}
}
