//go:build linux && (amd64 || arm64)

package udp

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mostLocals is how many of this machine's addresses are told apart. Whole
// networks may be routed to it; of more, the kernel chooses.
const mostLocals = 1 << 10

// locals are the addresses that a wildcard socket was talked to at, each once.
type locals map[local]*local

// known returns the one that is like a, or nil. It allocates for new ones only.
func (l locals) known(a local) *local {
	at := l[a]
	if at == nil && a != (local{}) && len(l) < mostLocals {
		at = &local{a.addr, a.link}
		l[a] = at
	}
	return at
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
func (c *source) set(from *local, six bool) int {
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
