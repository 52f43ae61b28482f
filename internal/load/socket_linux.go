package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const roomWait = time.Second

// listen opens a UDP socket towards remote. Unless keep is set it drops media
// in the kernel, but for a sample if asked.
func listen(remote netip.Addr, keep, sample bool) (*socket, *counter, error) {
	family, local := unix.AF_INET, netip.IPv4Unspecified()
	if remote.Is6() {
		family, local = unix.AF_INET6, netip.IPv6Unspecified()
	}
	if remote.IsLoopback() {
		local = remote
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open socket: %w", err)
	}
	s := &socket{file: os.NewFile(uintptr(fd), "media socket"), b: make([]byte, maxPacket), control: make([]byte, controlSize)}
	count := new(counter)
	if s.notes, err = prepare(fd, keep, sample, count); err == nil {
		err = unix.Bind(fd, sockaddr(netip.AddrPortFrom(local, 0)))
	}
	if err == nil {
		s.raw, err = s.file.SyscallConn()
	}
	var watched net.PacketConn
	if err == nil {
		watched, err = net.FilePacketConn(s.file)
	}
	if err != nil {
		s.end()
		return nil, nil, fmt.Errorf("prepare socket: %w", err)
	}
	s.watched = watched.(*net.UDPConn)
	return s, count, nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// prepare sets the filter and the buffer of a socket, and finds its inode.
func prepare(fd int, keep, sample bool, count *counter) (*notes, error) {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bufferSize); err != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, bufferSize) // as much as is allowed
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("find inode: %w", err)
	}
	count.inode = st.Ino
	if sample { // feedback tells when packets came, not when we looked
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
			return nil, fmt.Errorf("ask for arrival times: %w", err)
		}
	}
	if keep {
		return nil, nil
	}
	return setFilter(fd, sample)
}

// receive reads a packet that is there, and when it reached this machine if
// its control messages say so.
func receive(fd int, b, control []byte) (n int, at time.Time, ok bool) {
	n, said, _, _, err := unix.Recvmsg(fd, b, control, unix.MSG_DONTWAIT)
	if err != nil {
		return 0, at, false
	}
	messages, _ := unix.ParseSocketControlMessage(control[:said])
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			at = time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return n, at, true
}

// send waits a moment for room in the socket's buffer.
func send(fd int, b []byte, to netip.AddrPort) error {
	err := unix.Sendto(fd, b, unix.MSG_DONTWAIT, sockaddr(to))
	if errors.Is(err, unix.EAGAIN) {
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, int(roomWait.Milliseconds()))
		err = unix.Sendto(fd, b, unix.MSG_DONTWAIT, sockaddr(to))
	}
	return err //nolint:wrapcheck // the caller does
}
