// Package udp reads and sends datagrams in batches over one UDP socket.
//
// Linux does it with recvmmsg, sendmmsg and segmentation offload, everything
// else one by one; both behave alike, but only on Linux does a wildcard socket
// tell its own addresses apart. A Socket's Read and its Sender belong to one goroutine; WriteTo, Wake, Branch and Close are for any. What one goroutine
// reads for others it hands to their Branches, which send by themselves.
package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

const (
	// SlotSize is how much of a datagram is read; media fits, the rest is cut.
	SlotSize = 2048
	// MaxBatch is the most datagrams one Read returns.
	MaxBatch = 64

	socketBuffer = 4 << 20 // asked of the kernel, which may give less
	arenaSize    = 1 << 18
	maxQueued    = 1024 // messages a Sender collects before it sends
)

// ErrWoken is returned by Read when its deadline passed or Wake was called.
var ErrWoken = errors.New("udp: woken")

// Peer is who is talked with and, on a wildcard socket, at which of this
// machine's addresses: what ICE calls a pair. Answers go back the same way
// (RFC 8489 6.3.1.2), where the kernel would choose by the route.
type Peer struct {
	netip.AddrPort        // IPv4 as such, never mapped
	at             *local // nil for the kernel to choose
}

// local is an address of this machine.
type local struct {
	addr [16]byte // IPv4 mapped
	link uint32   // index of the interface of a link-local address, else 0
}

// Datagram is one datagram and where it came from.
type Datagram struct {
	Slot [SlotSize]byte
	N    int
	From Peer
	At   int64 // when it came, in ns of Unix time; 0 = not told
	// Known is what the Trunk's reader says to the Branch that it hands it to:
	// whether all that comes from there is handed to it.
	Known bool
}

// Bytes returns what was received.
func (d *Datagram) Bytes() []byte { return d.Slot[:d.N] }

// Sent counts what a Sender did.
type Sent struct {
	Packets, Bytes uint64
	Calls          uint64 // system calls
	Messages       uint64 // datagrams or runs of equal ones handed to the kernel
	Failed         uint64 // packets the kernel refused
}

// Sender collects datagrams and sends them together.
type Sender interface {
	// Space returns n bytes to write a datagram into.
	Space(n int) []byte
	// Send queues the first n bytes of the last Space.
	Send(n int, to Peer)
	// Flush sends what is queued.
	Flush()
	// Sent returns what was sent so far.
	Sent() Sent
}

// Socket is a bound UDP socket.
type Socket interface {
	Sender
	// Read waits for datagrams until the deadline and fills ds from the front;
	// a Branch puts others into their place.
	Read(ds []*Datagram) (int, error)
	// Poll is a Read that doesn't wait: it returns how many there were. A
	// portable Trunk can't do it, and always says none.
	Poll(ds []*Datagram) int
	// SetDeadline tells when Read is to return without a datagram; zero = never.
	SetDeadline(t time.Time)
	// Wake lets Read return at once, or the next Read after a SetDeadline that
	// came before; the reader sets a new deadline afterwards.
	Wake()
	// WriteTo sends one datagram now.
	WriteTo(b []byte, to Peer) error
	// LocalAddr returns the address the socket is bound to.
	LocalAddr() netip.AddrPort
	// Close closes the socket, its trunk and all branches.
	Close() error
}

// Trunk is a Socket that others may grow from.
type Trunk interface {
	Socket
	// Branch returns a new Socket over the same descriptor.
	Branch() *Branch
}

// Listen binds the fastest Trunk there is on this system to a host:port.
func Listen(address string) (Trunk, error) {
	c, err := listen(address)
	if err != nil {
		return nil, err
	}
	if s, err := newBatched(c); err == nil {
		return s, nil
	}
	return newPortable(c), nil
}

// ListenPortable binds the Trunk that works everywhere.
func ListenPortable(address string) (Trunk, error) {
	c, err := listen(address)
	if err != nil {
		return nil, err
	}
	return newPortable(c), nil
}

// listen binds address: both families unless its host is of one. Go would bind
// both for 0.0.0.0, too.
func listen(address string) (*net.UDPConn, error) {
	a, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, fmt.Errorf("resolve media address %q: %w", address, err)
	}
	network := "udp"
	if a.IP.To4() != nil {
		network = "udp4"
	}
	c, err := net.ListenUDP(network, a)
	if err != nil {
		return nil, fmt.Errorf("listen for media: %w", err)
	}
	_ = c.SetReadBuffer(socketBuffer) // best effort: the system has its own bounds
	_ = c.SetWriteBuffer(socketBuffer)
	return c, nil
}

// base is what all kinds of socket share.
type base struct {
	conn   conn
	closed chan struct{}
}

// conn is a bound UDP socket.
type conn interface {
	SetReadDeadline(t time.Time) error
	write(b []byte, to Peer) error
	LocalAddr() net.Addr
	Close() error
}

func newBase(c conn) base { return base{c, make(chan struct{})} }

// longAgo is a deadline that has passed.
func longAgo() time.Time { return time.Unix(1, 0) }

func (s base) SetDeadline(t time.Time) { _ = s.conn.SetReadDeadline(t) }

func (s base) Wake() { _ = s.conn.SetReadDeadline(longAgo()) }

func (s base) WriteTo(b []byte, to Peer) error {
	if err := s.conn.write(b, to); err != nil {
		return fmt.Errorf("send datagram: %w", err)
	}
	return nil
}

func (s base) LocalAddr() netip.AddrPort {
	a := s.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

func (s base) Close() error {
	if err := s.conn.Close(); err != nil {
		return fmt.Errorf("close media socket: %w", err)
	}
	close(s.closed) // once: closing again is an error
	return nil
}
