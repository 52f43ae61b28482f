//go:build linux && (amd64 || arm64)

package udp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// descriptor is a bound socket that the runtime watches only for what comes. A
// net.UDPConn it watches for room to send as well: packets that have left wake
// a thread that has nothing to do.
type descriptor struct {
	fd    int
	six   bool            // an IPv6 socket: IPv4 addresses go mapped
	gate  *os.File        // an epoll instance, readable when fd is
	raw   syscall.RawConn // of gate; uses of fd go through it, so that Close waits for them
	local net.Addr
	wild  bool // bound to all addresses, and told which one datagrams come to
}

// newDescriptor takes a socket over, or leaves it as it was.
func newDescriptor(c *net.UDPConn) (*descriptor, error) {
	conn, err := c.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("take media socket: %w", err)
	}
	d := &descriptor{local: c.LocalAddr()}
	var dupErr error
	err = conn.Control(func(fd uintptr) { d.fd, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, dupErr); err != nil {
		return nil, fmt.Errorf("take media socket: %w", err)
	}
	domain, err := unix.GetsockoptInt(d.fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	d.six = err == nil && domain == unix.AF_INET6
	d.locate()
	if err := d.watch(); err != nil {
		_ = unix.Close(d.fd)
		return nil, fmt.Errorf("watch media socket: %w", err)
	}
	_ = c.Close() // d has a descriptor of its own
	return d, nil
}

// locate lets the kernel tell where datagrams come to, if that's not known.
func (d *descriptor) locate() {
	level, option := unix.IPPROTO_IP, unix.IP_PKTINFO
	if d.six { // for IPv4 as well
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
	}
	a, ok := d.local.(*net.UDPAddr)
	d.wild = ok && a.IP.IsUnspecified() && unix.SetsockoptInt(d.fd, level, option, 1) == nil
}

// watch makes the gate.
func (d *descriptor) watch() error {
	gate, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	err = errors.Join(
		unix.SetNonblock(gate, true), // else os thinks that it cannot be watched
		unix.EpollCtl(gate, unix.EPOLL_CTL_ADD, d.fd, &unix.EpollEvent{Events: unix.EPOLLIN}),
	)
	d.gate = os.NewFile(uintptr(gate), "media socket")
	if err == nil {
		err = d.gate.SetReadDeadline(time.Time{}) // tells whether it is watched
	}
	if err == nil {
		d.raw, err = d.gate.SyscallConn()
	}
	if err != nil {
		_ = d.gate.Close()
	}
	return err
}

func (d *descriptor) SetReadDeadline(t time.Time) error { return d.gate.SetReadDeadline(t) }

func (d *descriptor) LocalAddr() net.Addr { return d.local }

// write doesn't wait for room in the socket's buffer.
func (d *descriptor) write(b []byte, to Peer) error {
	sa := unix.Sockaddr(&unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()})
	if !d.six {
		sa = &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().Unmap().As4()}
	}
	var control []byte
	if to.at != nil {
		c := new(source)
		control = unsafe.Slice((*byte)(unsafe.Pointer(c)), c.set(to.at, d.six))
	}
	var sendErr error
	err := d.raw.Control(func(uintptr) {
		for sendErr = unix.EINTR; sendErr == unix.EINTR; {
			_, sendErr = unix.SendmsgN(d.fd, b, control, sa, unix.MSG_DONTWAIT)
		}
	})
	return errors.Join(err, sendErr)
}

// Close ends a Read that waits.
func (d *descriptor) Close() error {
	if err := d.gate.Close(); err != nil {
		return err
	}
	return unix.Close(d.fd)
}

// Nap waits for at most d, a few milliseconds, and keeps the processor: to give
// it back and to get another one takes two threads to be woken, which costs
// more than the sleep. A process needs a processor more for each that naps.
func Nap(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_, _, _ = syscall.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0) // a signal ends it
}
