//go:build linux && (amd64 || arm64)

package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsg is struct mmsghdr.
type mmsg struct {
	header unix.Msghdr
	n      uint32
	_      [4]byte
}

// batched is a Trunk over recvmmsg and sendmmsg.
type batched struct {
	*batchSender
	in   batch
	room int // for the control messages of a datagram
	here locals

	// Arguments and results of the callbacks, which are made once.
	readFD    func(fd uintptr) bool
	pollFD    func(fd uintptr)
	want, got int
	errno     syscall.Errno
}

const (
	controlSize = 24 // CMSG_SPACE(2) on 64 bits
	arrivalSize = 32 // CMSG_SPACE of a timespec
	sourceSize  = 40 // CMSG_SPACE of an Inet6Pktinfo, larger than an Inet4Pktinfo
)

// batch is the kernel's view of some messages.
type batch struct {
	messages []mmsg
	iov      []unix.Iovec
	names    []unix.RawSockaddrInet6 // the larger of the two kinds
	control  []byte
}

func newBatch(n, control int) batch {
	b := batch{
		messages: make([]mmsg, n), iov: make([]unix.Iovec, n),
		names: make([]unix.RawSockaddrInet6, n), control: make([]byte, n*control),
	}
	for i := range b.messages {
		h := &b.messages[i].header
		h.Iov, h.Iovlen = &b.iov[i], 1
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Control = &b.control[i*control]
	}
	return b
}

func newBatched(b *net.UDPConn) (Trunk, error) {
	d, err := newDescriptor(b)
	if err != nil {
		return nil, err
	}
	_, err = unix.GetsockoptInt(d.fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)
	gso := err == nil
	_ = unix.SetsockoptInt(d.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) // without it, no datagram has a time
	s := &batched{batchSender: newBatchSender(newBase(d), d, gso), room: arrivalSize}
	if d.wild {
		s.room += sourceSize
		s.here = locals{}
	}
	s.in = newBatch(MaxBatch, s.room)
	s.readFD, s.pollFD = s.read, func(uintptr) { s.read(0) }
	return s, nil
}

// Branch implements Trunk.
func (s *batched) Branch() *Branch {
	return newBranch(s.base, newBatchSender(s.base, s.on, s.gso))
}

// Read implements Socket.
func (s *batched) Read(ds []*Datagram) (int, error) {
	s.prepare(ds)
	err := s.on.raw.Read(s.readFD)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, ErrWoken
	case err != nil:
		return 0, fmt.Errorf("read datagrams: %w", err)
	case s.errno != 0:
		return 0, fmt.Errorf("read datagrams: %w", s.errno)
	}
	return s.take(ds), nil
}

// Poll implements Socket.
func (s *batched) Poll(ds []*Datagram) int {
	s.prepare(ds)
	if err := s.on.raw.Control(s.pollFD); err != nil || s.errno != 0 {
		return 0 // the next Read tells
	}
	return s.take(ds)
}

// prepare lets the kernel write into ds.
func (s *batched) prepare(ds []*Datagram) {
	s.want = min(len(ds), MaxBatch)
	for i := range s.want {
		s.in.iov[i].Base = &ds[i].Slot[0]
		s.in.iov[i].SetLen(SlotSize)
		h := &s.in.messages[i].header
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(s.room)
	}
}

// take reads what the kernel wrote about the datagrams.
func (s *batched) take(ds []*Datagram) int {
	for i := range s.got {
		d := ds[i]
		h := &s.in.messages[i].header
		d.N, d.From, d.At = int(s.in.messages[i].n), Peer{AddrPort: address(&s.in.names[i])}, 0
		c := (*unix.Cmsghdr)(unsafe.Pointer(h.Control))
		if h.Controllen >= arrivalSize && c.Level == unix.SOL_SOCKET && c.Type == unix.SCM_TIMESTAMPNS {
			at := (*unix.Timespec)(unsafe.Add(unsafe.Pointer(c), unix.SizeofCmsghdr))
			d.At = at.Nano()
		}
		if s.here != nil {
			d.From.at = s.here.known(cameTo(h))
		}
	}
	return s.got
}

func (s *batched) read(uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.on.fd), uintptr(unsafe.Pointer(&s.in.messages[0])),
			uintptr(s.want), unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EINTR || errno == unix.ECONNREFUSED {
			continue
		}
		s.got, s.errno = int(n), errno
		return errno != unix.EAGAIN
	}
}

// address reads what the kernel wrote.
func address(sa *unix.RawSockaddrInet6) netip.AddrPort {
	port := sa.Port<<8 | sa.Port>>8 // network order on a little-endian machine
	if sa.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), port)
}
