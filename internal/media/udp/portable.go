package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
)

// portable is a Socket that makes one system call per datagram.
type portable struct {
	base
	arena  []byte
	used   int
	queued []queued
	sent   Sent
}

type queued struct {
	from, to int
	addr     netip.AddrPort
}

func newPortable(c *net.UDPConn) *portable {
	return &portable{base: base{c}, arena: make([]byte, arenaSize), queued: make([]queued, 0, maxQueued)}
}

func (s *portable) Read(ds []*Datagram) (int, error) {
	d := ds[0]
	n, from, err := s.conn.ReadFromUDPAddrPort(d.Slot[:])
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, ErrWoken
	case err != nil:
		return 0, fmt.Errorf("read datagram: %w", err)
	}
	d.N, d.From = n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	return 1, nil
}

func (s *portable) Space(n int) []byte {
	if s.used+n > len(s.arena) || len(s.queued) == cap(s.queued) {
		s.Flush()
	}
	return s.arena[s.used : s.used+n : s.used+n]
}

func (s *portable) Send(n int, to netip.AddrPort) {
	s.queued = append(s.queued, queued{s.used, s.used + n, to})
	s.used += n
}

func (s *portable) Flush() {
	for _, q := range s.queued {
		if s.WriteTo(s.arena[q.from:q.to], q.addr) != nil {
			s.sent.Failed++
		} else {
			s.sent.Packets++
			s.sent.Bytes += uint64(q.to - q.from)
		}
	}
	s.sent.Calls += uint64(len(s.queued))
	s.sent.Messages += uint64(len(s.queued))
	s.queued, s.used = s.queued[:0], 0
}

func (s *portable) Sent() Sent { return s.sent }
