package load

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"
)

// socket is a UDP socket. The runtime watches only a copy of its descriptor,
// and only until what comes is no longer needed at once: each packet to a
// socket that is watched, and each that has left it, wakes a thread.
type socket struct {
	file    *os.File
	raw     syscall.RawConn // of file
	watched *net.UDPConn
	notes   *notes // nil: samples come to the socket
	b       []byte // owned by who reads, like control
	control []byte
}

// take is told of a packet, and when it reached this machine if that is known.
type take func(b []byte, at time.Time)

// follow reads what comes until the socket is hushed.
func (s *socket) follow(f take) {
	raw, err := s.watched.SyscallConn()
	if err != nil {
		return // hushed already
	}
	_ = raw.Read(func(fd uintptr) bool {
		s.drain(int(fd), f)
		return false // wait for more
	})
}

// hush ends follow: what comes waits for collect.
func (s *socket) hush() { _ = s.watched.Close() }

// collect reads what has come since, and what the kernel noted of samples, in
// the order in which they came.
func (s *socket) collect(f, noted take) {
	type packet struct {
		at time.Time
		b  []byte
		to take
	}
	var all []packet
	_ = s.raw.Control(func(fd uintptr) {
		s.drain(int(fd), func(b []byte, at time.Time) { all = append(all, packet{at, bytes.Clone(b), f}) })
	})
	if s.notes != nil {
		s.notes.read(func(b []byte, at time.Time) { all = append(all, packet{at, b, noted}) })
		slices.SortStableFunc(all, func(a, b packet) int { return a.at.Compare(b.at) })
	}
	for _, p := range all {
		p.to(p.b, p.at)
	}
}

func (s *socket) drain(fd int, f take) {
	for {
		n, at, ok := receive(fd, s.b, s.control)
		if !ok {
			return
		}
		f(s.b[:n], at)
	}
}

func (s *socket) write(b []byte, to netip.AddrPort) error {
	var err error
	if cerr := s.raw.Control(func(fd uintptr) { err = send(int(fd), b, to) }); cerr != nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

func (s *socket) close() {
	s.hush()
	s.end()
}

// end lets go of the descriptor and the notes.
func (s *socket) end() {
	_ = s.file.Close()
	if s.notes != nil {
		s.notes.close()
	}
}
