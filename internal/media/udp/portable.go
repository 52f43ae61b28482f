package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
)

// portable is a Trunk that makes one system call per datagram. On a wildcard
// socket the system chooses from which address it answers.
type portable struct {
	*portableSender
	conn *net.UDPConn
}

// plain is Go's own socket.
type plain struct{ *net.UDPConn }

func (c plain) write(b []byte, to Peer) error {
	_, err := c.WriteToUDPAddrPort(b, to.AddrPort)
	return err
}

// portableSender is its sending half.
type portableSender struct {
	base
	arena  []byte
	used   int
	queued []queued
	sent   Sent
}

type queued struct {
	start, end int
	to         Peer
}

func newPortable(c *net.UDPConn) *portable { return &portable{newPortableSender(newBase(plain{c})), c} }

func newPortableSender(b base) *portableSender {
	return &portableSender{base: b, arena: make([]byte, arenaSize), queued: make([]queued, 0, maxQueued)}
}

// Branch implements Trunk.
func (s *portable) Branch() *Branch { return newBranch(s.base, newPortableSender(s.base)) }

func (s *portable) Read(ds []*Datagram) (int, error) {
	d := ds[0]
	n, from, err := s.conn.ReadFromUDPAddrPort(d.Slot[:])
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, ErrWoken
	case err != nil:
		return 0, fmt.Errorf("read datagram: %w", err)
	}
	d.N, d.At, d.From = n, 0, Peer{AddrPort: netip.AddrPortFrom(from.Addr().Unmap(), from.Port())}
	return 1, nil
}

// Poll implements Socket.
func (*portable) Poll([]*Datagram) int { return 0 }

func (s *portableSender) Space(n int) []byte {
	if s.used+n > len(s.arena) || len(s.queued) == cap(s.queued) {
		s.Flush()
	}
	return s.arena[s.used : s.used+n : s.used+n]
}

func (s *portableSender) Send(n int, to Peer) {
	s.queued = append(s.queued, queued{s.used, s.used + n, to})
	s.used += n
}

func (s *portableSender) Flush() {
	for _, q := range s.queued {
		if s.WriteTo(s.arena[q.start:q.end], q.to) != nil {
			s.sent.Failed++
		} else {
			s.sent.Packets++
			s.sent.Bytes += uint64(q.end - q.start)
		}
	}
	s.sent.Calls += uint64(len(s.queued))
	s.sent.Messages += uint64(len(s.queued))
	s.queued, s.used = s.queued[:0], 0
}

func (s *portableSender) Sent() Sent { return s.sent }
