//go:build linux && (amd64 || arm64)

package udp

import (
	"errors"
	"net/netip"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mostLocals is how many remote addresses are remembered, in some 100 bytes each.
const mostLocals = 1 << 16

// locals remembers to which of the machine's addresses those who talk to a
// wildcard socket talk. Answers have to come from there (RFC 8489 6.3.1.2): the
// kernel would choose by the route. When half of it is new, the other half is
// forgotten; who is sent to, or sends, stays.
type locals struct {
	mu       sync.RWMutex
	now, old map[netip.AddrPort]local // guarded by mu
}

// local is an address of this machine; the zero one is for the kernel to choose.
type local struct {
	addr [16]byte // IPv4 mapped
	link uint32   // index of the interface of a link-local address, else 0
}

func newLocals() *locals {
	return &locals{now: map[netip.AddrPort]local{}, old: map[netip.AddrPort]local{}}
}

// note remembers where datagrams came to.
func (l *locals) note(ds []*Datagram, at []local) {
	l.mu.RLock()
	known := 0
	for known < len(ds) && l.now[ds[known].From] == at[known] {
		known++
	}
	l.mu.RUnlock()
	if known == len(ds) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := known; i < len(ds); i++ {
		l.put(ds[i].From, at[i])
	}
}

// put is called under mu.
func (l *locals) put(from netip.AddrPort, at local) {
	if _, ok := l.now[from]; !ok && len(l.now) == mostLocals/2 {
		l.now, l.old = l.old, l.now
		clear(l.now)
	}
	l.now[from] = at
}

// find tells from where runs are to leave.
func (l *locals) find(runs []run, from []local) {
	aged := false
	l.mu.RLock()
	for i := range runs {
		to := unmapped(runs[i].to)
		at, ok := l.now[to]
		if !ok {
			at, ok = l.old[to]
			aged = aged || ok
		}
		from[i] = at
	}
	l.mu.RUnlock()
	if aged {
		l.renew(runs)
	}
}

// renew keeps those who are sent to.
func (l *locals) renew(runs []run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range runs {
		to := unmapped(runs[i].to)
		at, ok := l.old[to]
		if _, newer := l.now[to]; ok && !newer {
			l.put(to, at)
		}
	}
}

// forget leaves the way to an address to the kernel.
func (l *locals) forget(to netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.now, unmapped(to))
	delete(l.old, unmapped(to))
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// cameTo reads from its control messages where a datagram came to.
func cameTo(h *unix.Msghdr) (at local) {
	for b := unsafe.Slice(h.Control, int(h.Controllen)); len(b) >= unix.SizeofCmsghdr; {
		c := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		data := unsafe.Add(unsafe.Pointer(c), unix.SizeofCmsghdr)
		switch {
		case c.Level == unix.IPPROTO_IPV6 && c.Type == unix.IPV6_PKTINFO:
			info := (*unix.Inet6Pktinfo)(data)
			at.addr = info.Addr
			if info.Addr[0] == 0xfe && info.Addr[1]&0xc0 == 0x80 {
				at.link = info.Ifindex
			}
		case c.Level == unix.IPPROTO_IP && c.Type == unix.IP_PKTINFO:
			at.addr = netip.AddrFrom4((*unix.Inet4Pktinfo)(data).Spec_dst).As16()
		}
		b = b[min(max((int(c.Len)+7)&^7, unix.SizeofCmsghdr), len(b)):]
	}
	return at
}

// lost tells whether an error may mean that the machine has lost the address that
// a message was to leave from. Kernels differ in how they say it.
func lost(err error) bool {
	return errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EINVAL)
}

// origin is what a message carries that leaves from an address of our choice.
type origin struct {
	segment [controlSize]byte // of runs
	source  source
}

// source is the control message that tells from where a message leaves.
type source struct {
	head unix.Cmsghdr
	info [24]byte // an Inet4Pktinfo, or the larger Inet6Pktinfo, aligned
}

// set tells the address and returns how many bytes that takes.
func (c *source) set(from local, six bool) int {
	if six {
		c.head.Level, c.head.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
		c.head.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
		*(*unix.Inet6Pktinfo)(unsafe.Pointer(&c.info)) = unix.Inet6Pktinfo{Addr: from.addr, Ifindex: from.link}
		return unix.CmsgSpace(unix.SizeofInet6Pktinfo)
	}
	c.head.Level, c.head.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
	c.head.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
	*(*unix.Inet4Pktinfo)(unsafe.Pointer(&c.info)) = unix.Inet4Pktinfo{Spec_dst: [4]byte(from.addr[12:])}
	return unix.CmsgSpace(unix.SizeofInet4Pktinfo)
}
