package load

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// listen opens a UDP socket towards remote. Unless keep is set it drops media
// in the kernel, but for a sample if asked.
func listen(remote netip.Addr, keep, sample bool) (*net.UDPConn, *counter, error) {
	network, local := "udp4", netip.IPv4Unspecified()
	if remote.Is6() {
		network, local = "udp6", netip.IPv6Unspecified()
	}
	if remote.IsLoopback() {
		local = remote
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0)))
	if err != nil {
		return nil, nil, fmt.Errorf("open socket: %w", err)
	}
	count := new(counter)
	raw, err := conn.SyscallConn()
	if err == nil {
		if cerr := raw.Control(func(fd uintptr) { err = prepare(int(fd), keep, sample, count) }); err == nil {
			err = cerr
		}
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("prepare socket: %w", err)
	}
	return conn, count, nil
}

// prepare sets the filter and the buffer of a socket, and finds its inode.
func prepare(fd int, keep, sample bool, count *counter) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bufferSize); err != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, bufferSize) // as much as is allowed
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("find inode: %w", err)
	}
	count.inode = st.Ino
	if sample { // feedback tells when packets came, not when we looked
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
			return fmt.Errorf("ask for arrival times: %w", err)
		}
	}
	if keep {
		return nil
	}
	var filter []unix.SockFilter
	for _, i := range dropMedia(sample) {
		filter = append(filter, unix.SockFilter{Code: i.code, Jt: i.jt, Jf: i.jf, K: i.k})
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog); err != nil {
		return fmt.Errorf("attach filter: %w", err)
	}
	return nil
}

// arrival returns when a packet reached this machine, if its control messages
// say so.
func arrival(control []byte) (at time.Time, ok bool) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return at, false
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:]))), true
		}
	}
	return at, false
}
