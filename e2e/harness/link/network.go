// Package link connects network namespaces by links that lose, delay, reorder
// and throttle packets, all in user space: many kernels come without netem.
//
// Every namespace has a TUN device, and this process is at the other end of
// all of them: it takes a packet from one device, lets the sender's link and
// then the receiver's do to it what their conditions say, and writes it to the
// other. The namespace that the test itself runs in is the hub; its link is
// perfect.
package link

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"
)

// hub is the address of the test's own namespace.
var hub = netip.MustParseAddr("10.78.0.1")

const (
	bits     = 24 // of the network that all hosts are in
	device   = "link0"
	mtu      = 1500
	tunFile  = "/dev/net/tun"
	flagTUN  = 0x0001 // IFF_TUN
	flagBare = 0x1000 // IFF_NO_PI
	setIff   = 0x400454ca
)

// Network is a hub and the hosts around it.
type Network struct {
	mu    sync.RWMutex
	last  netip.Addr           // given to anybody; guarded by mu
	hosts map[netip.Addr]*Host // by the address that others see; guarded by mu
}

// New makes a network whose hub is the caller's namespace.
func New(t testing.TB) *Network {
	t.Helper()
	n := &Network{last: hub, hosts: map[netip.Addr]*Host{}}
	n.attach(t, hub, func(f func() error) error { return f() })
	return n
}

// Hub returns the address of the caller's namespace.
func (n *Network) Hub() netip.Addr { return hub }

// Add makes a namespace with one more host.
func (n *Network) Add(t testing.TB) *Host {
	t.Helper()
	n.mu.Lock()
	n.last = n.last.Next()
	addr := n.last
	n.mu.Unlock()
	s := newSpace()
	if err := s.do(func() error { return syscall.Unshare(syscall.CLONE_NEWNET) }); err != nil {
		t.Fatal("make a network namespace:", err)
	}
	return n.attach(t, addr, s.do)
}

// attach gives a namespace its device.
func (n *Network) attach(t testing.TB, addr netip.Addr, do func(func() error) error) *Host {
	t.Helper()
	h := &Host{addr: addr, seen: addr, do: do}
	h.up, h.down = newPipe(uint64(addr.As4()[3])), newPipe(uint64(addr.As4()[3])<<8)
	err := do(func() (err error) {
		if h.tun, err = open(); err != nil {
			return err
		}
		return errors.Join(
			ip("link set lo up"),
			ip(fmt.Sprintf("addr add %s/%d dev %s", addr, bits, device)),
			ip(fmt.Sprintf("link set %s mtu %d up", device, mtu)),
		)
	})
	if err != nil {
		t.Fatal("connect a network namespace:", err)
	}
	var running sync.WaitGroup
	running.Go(func() { n.read(h) })
	running.Go(func() { h.up.run(n.forward) })
	running.Go(func() { h.down.run(h.write) })
	n.mu.Lock()
	n.hosts[addr] = h
	n.mu.Unlock()
	t.Cleanup(func() {
		_ = h.tun.Close()
		h.up.close()
		h.down.close()
		running.Wait()
	})
	return h
}

// read takes packets from a host's device until that is closed.
func (n *Network) read(h *Host) {
	for {
		b := make([]byte, mtu)
		size, err := h.tun.Read(b)
		if err != nil {
			return
		}
		if p := packet(b[:size]); p.valid() {
			p.from(n.seen(h))
			h.up.put(p)
		}
	}
}

// forward hands a packet to the link of who it is for.
func (n *Network) forward(p packet) {
	n.mu.RLock()
	h := n.hosts[p.destination()]
	n.mu.RUnlock()
	if h != nil {
		p.to(h.addr)
		h.down.put(p)
	}
}

// Host is one end of a link.
type Host struct {
	addr     netip.Addr // that it has itself
	tun      *os.File
	do       func(func() error) error // runs something in the namespace
	up, down *pipe
	seen     netip.Addr // by others; guarded by the network's mu
}

// Do runs f in the host's namespace: the sockets it opens belong there.
func (h *Host) Do(f func() error) error { return h.do(f) }

// Start starts a command in the host's namespace.
func (h *Host) Start(cmd *exec.Cmd) error { return h.do(cmd.Start) }

// Set changes what the link does in both directions.
func (h *Host) Set(c Conditions) {
	h.up.set(c)
	h.down.set(c)
}

// Move gives a host another address in the eyes of all others, as a router
// does that forgot about it. What is sent to the old one is lost.
func (n *Network) Move(h *Host) netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.hosts, h.seen)
	n.last = n.last.Next()
	h.seen = n.last
	n.hosts[h.seen] = h
	return h.seen
}

// seen returns the address that others see.
func (n *Network) seen(h *Host) netip.Addr {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return h.seen
}

// write puts a packet into the host's device; what it does not take is lost.
func (h *Host) write(p packet) { _, _ = h.tun.Write(p) }

// open makes the device in the calling thread's namespace.
func open() (*os.File, error) {
	fd, err := syscall.Open(tunFile, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", tunFile, err)
	}
	var request struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:], device)
	request.flags = flagTUN | flagBare
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), setIff, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		_ = syscall.Close(fd)
		return nil, fmt.Errorf("make a tun device: %w", errno)
	}
	return os.NewFile(uintptr(fd), device), nil
}

// space is a thread that lives in a namespace of its own, and as long as the
// process does: before it was ours it may have started a server, which by
// Pdeathsig would end with it.
type space struct {
	work chan func()
}

func newSpace() *space {
	s := &space{work: make(chan func())}
	go func() {
		runtime.LockOSThread() // for good: nobody else may run in the namespace
		for f := range s.work {
			f()
		}
	}()
	return s
}

// do runs f on the thread. What f starts is in the namespace, too.
func (s *space) do(f func() error) error {
	done := make(chan error, 1)
	s.work <- func() { done <- f() }
	return <-done
}

// ip runs iproute2's command in the calling thread's namespace.
func ip(args string) error {
	//nolint:noctx // it ends by itself
	out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, strings.TrimSpace(string(out)))
	}
	return nil
}
