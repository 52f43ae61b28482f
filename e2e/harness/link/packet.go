package link

import (
	"encoding/binary"
	"net/netip"
)

// Offsets in an IPv4 packet, and the protocol that is translated.
const (
	ipHeader      = 20
	protocolAt    = 9
	headerSumAt   = 10
	sourceAt      = 12
	destinationAt = 16
	udp           = 17
	udpSumAt      = 6
)

// packet is an IPv4 packet.
type packet []byte

// valid tells whether it is IPv4 at all: a kernel also sends IPv6 of its own.
func (p packet) valid() bool {
	return len(p) >= ipHeader && p[0]>>4 == 4 && len(p) >= p.header()
}

func (p packet) header() int { return int(p[0]&15) * 4 }

func (p packet) destination() netip.Addr {
	return netip.AddrFrom4([4]byte(p[destinationAt:]))
}

// from changes where the packet comes from, to where it goes.
func (p packet) from(a netip.Addr) { p.translate(sourceAt, a) }

func (p packet) to(a netip.Addr) { p.translate(destinationAt, a) }

// translate changes an address and the checksums over it.
func (p packet) translate(at int, a netip.Addr) {
	to := a.As4()
	if [4]byte(p[at:]) == to {
		return
	}
	copy(p[at:], to[:])
	binary.BigEndian.PutUint16(p[headerSumAt:], 0)
	binary.BigEndian.PutUint16(p[headerSumAt:], checksum(p[:p.header()]))
	if p[protocolAt] == udp && len(p) >= p.header()+udpSumAt+2 {
		binary.BigEndian.PutUint16(p[p.header()+udpSumAt:], 0) // none, which IPv4 allows
	}
}

// checksum is that of RFC 1071 over an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
