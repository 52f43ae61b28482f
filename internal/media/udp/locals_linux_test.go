//go:build linux && (amd64 || arm64)

package udp

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

// wildcards are the ways to bind to all addresses; Go makes one socket for both
// families of most.
var wildcards = map[string]struct{ network, address string }{
	"port": {"udp", ":0"}, "zeros": {"udp", "0.0.0.0:0"}, "colons": {"udp", "[::]:0"}, "IPv4 only": {"udp4", "0.0.0.0:0"}, "IPv6 only": {"udp6", "[::]:0"},
}

func wildcard(t *testing.T, network, address string) *batched {
	t.Helper()
	a, err := net.ResolveUDPAddr(network, address)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenUDP(network, a)
	if err != nil {
		t.Skip(err)
	}
	s, err := newBatched(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*batched)
}

// secondary returns addresses of this machine that the kernel would not answer
// 127.0.0.1 and ::1 from.
func secondary(t *testing.T) (all []netip.Addr) {
	t.Helper()
	all = append(all, netip.MustParseAddr("127.0.0.2"))
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() == nil && n.IP.IsGlobalUnicast() {
			ip, _ := netip.AddrFromSlice(n.IP)
			return append(all, ip)
		}
	}
	return all
}

// client talks from a loopback address, to any.
func client(t *testing.T, six bool) *net.UDPConn {
	t.Helper()
	network, ip := "udp4", net.IPv4(127, 0, 0, 1)
	if six {
		network, ip = "udp6", net.IPv6loopback
	}
	c, err := net.ListenUDP(network, &net.UDPAddr{IP: ip})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// asked lets a client talk to one of the addresses and returns who talked there.
func asked(t *testing.T, s *batched, c *net.UDPConn, at netip.Addr) Peer {
	t.Helper()
	if _, err := c.WriteToUDPAddrPort([]byte("?"), netip.AddrPortFrom(at, s.LocalAddr().Port())); err != nil {
		t.Fatal(err)
	}
	ds := slots(1)
	s.SetDeadline(time.Now().Add(10 * time.Second))
	if n, err := s.Read(ds); n != 1 || err != nil || string(ds[0].Bytes()) != "?" || ds[0].At == 0 {
		t.Fatalf("read %d: %q at %d, %v", n, ds[0].Bytes(), ds[0].At, err)
	}
	return ds[0].From
}

// answers checks that n datagrams of a size come from an address.
func answers(t *testing.T, c *net.UDPConn, at netip.Addr, n, size int) {
	t.Helper()
	b := make([]byte, 2*size)
	for i := range n {
		got, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil || got != size || from.Addr() != at {
			t.Fatalf("answer %d: %d bytes from %v, %v; want %d from %v", i, got, from, err, size, at)
		}
	}
}

// TestAnswersFromWhereAsked lets clients talk to addresses that the kernel would
// not answer from: to the socket, a branch of it and in all ways to send.
func TestAnswersFromWhereAsked(t *testing.T) {
	for name, w := range wildcards {
		for _, at := range append(secondary(t), netip.IPv6Loopback()) {
			if w.network == "udp4" && at.Is6() || w.network == "udp6" && at.Is4() {
				continue
			}
			t.Run(fmt.Sprintf("%s/%v", name, at), func(t *testing.T) {
				s := wildcard(t, w.network, w.address)
				c := client(t, at.Is6())
				for _, from := range []Socket{s, s.Branch()} {
					to := asked(t, s, c, at)
					for _, n := range []int{1, 5} {
						for range n {
							copy(from.Space(100), bytes.Repeat([]byte("!"), 100))
							from.Send(100, to)
						}
						from.Flush()
						answers(t, c, at, n, 100)
					}
					if err := from.WriteTo([]byte("now"), to); err != nil {
						t.Error(err)
					}
					answers(t, c, at, 1, 3)
					if sent := from.Sent(); sent.Packets != 6 || sent.Failed != 0 || s.gso && sent.Messages != 2 {
						t.Errorf("sent %+v", sent)
					}
				}
			})
		}
	}
}

// TestAnswersConnected talks like a client that hears one address only.
func TestAnswersConnected(t *testing.T) {
	for _, address := range []string{":0", "0.0.0.0:0"} {
		s, err := Listen(address)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: int(s.LocalAddr().Port())})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(3 * time.Second))
		if _, err = c.Write([]byte("?")); err != nil {
			t.Fatal(err)
		}
		ds := slots(1)
		if _, err = s.Read(ds); err != nil {
			t.Fatal(err)
		}
		copy(s.Space(1), "!")
		s.Send(1, ds[0].From)
		s.Flush()
		if _, err = c.Read(make([]byte, 10)); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestAnswersEach lets a client talk to several addresses at once, as ICE does:
// what one batch holds is answered from where each of it was asked.
func TestAnswersEach(t *testing.T) {
	s, c := wildcard(t, "udp", ":0"), client(t, false)
	const n = 60
	for i := range n {
		at := netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + i%3)})
		if _, err := c.WriteToUDPAddrPort([]byte{byte(1 + i%3)}, netip.AddrPortFrom(at, s.LocalAddr().Port())); err != nil {
			t.Fatal(err)
		}
	}
	s.SetDeadline(time.Now().Add(10 * time.Second))
	ds, b := slots(n), s.Branch()
	got, err := s.Read(ds)
	if got < 2 || err != nil {
		t.Fatalf("a batch of %d, %v", got, err)
	}
	for _, d := range ds[:got] {
		copy(b.Space(1), d.Bytes())
		b.Send(1, d.From)
	}
	b.Flush()
	for range got {
		_, from, err := c.ReadFromUDPAddrPort(ds[0].Slot[:])
		if err != nil || from.Addr().As4()[3] != ds[0].Slot[0] {
			t.Errorf("%d was answered from %v, %v", ds[0].Slot[0], from, err)
		}
	}
}

// TestAddressLost answers from an address that the machine has no more. That
// costs those packets, no others.
func TestAddressLost(t *testing.T) {
	for _, network := range []string{"udp", "udp4"} {
		s, c := wildcard(t, network, "0.0.0.0:0"), client(t, false)
		good := Peer{AddrPort: c.LocalAddr().(*net.UDPAddr).AddrPort()}
		bad := Peer{good.AddrPort, &local{addr: netip.MustParseAddr("203.0.113.1").As16()}}
		for range 5 {
			s.Space(100)
			s.Send(100, bad)
		}
		s.Space(10)
		s.Send(10, good)
		s.Flush()
		answers(t, c, netip.MustParseAddr("127.0.0.1"), 1, 10)
		if sent := s.Sent(); sent.Packets != 1 || sent.Failed != 5 {
			t.Errorf("sent %+v", sent)
		}
		if s.WriteTo([]byte("!"), bad) == nil {
			t.Error("sent from another address")
		}
	}
}

// TestLocalsBounded floods the table: it stays small, and each address is one.
func TestLocalsBounded(t *testing.T) {
	l := locals{}
	first := l.known(local{link: 1})
	for i := range uint32(3 * mostLocals) {
		if at := l.known(local{link: i + 1}); (at != nil) != (i < mostLocals) || at != nil && at.link != i+1 {
			t.Fatalf("%d: %v", i, at)
		}
	}
	if len(l) != mostLocals || l.known(local{link: 1}) != first || l.known(local{}) != nil {
		t.Errorf("%d entries", len(l))
	}
}

// A socket of one address has nothing to tell apart.
func TestBoundTellsNothing(t *testing.T) {
	s := wildcard(t, "udp", "127.0.0.1:0")
	if s.here != nil || s.origins != nil || s.room != arrivalSize {
		t.Error("there is a table")
	}
}

func TestWildcardNoAllocation(t *testing.T) {
	s, c := wildcard(t, "udp", ":0"), client(t, false)
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), s.LocalAddr().Port())
	b, ds, p := s.Branch(), slots(1), make([]byte, 100)
	s.SetDeadline(time.Now().Add(10 * time.Second))
	if n := testing.AllocsPerRun(50, func() {
		for i := range 10 {
			_, _ = c.WriteToUDPAddrPort(p, at)
			if n, err := s.Read(ds); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			b.Space(100)
			b.Send(100-i/5, ds[0].From)
		}
		b.Flush()
	}); n != 0 {
		t.Errorf("%v allocations for ten packets", n)
	}
	if len(s.here) != 1 {
		t.Errorf("%d entries", len(s.here))
	}
}

// BenchmarkWildcard reads a datagram and answers with a run of five.
func BenchmarkWildcard(b *testing.B) {
	for _, address := range []string{"127.0.0.2:0", ":0"} {
		b.Run(address, func(b *testing.B) {
			s, err := Listen(address)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), s.LocalAddr().Port())
			ds, p := slots(1), make([]byte, 100)
			for b.Loop() {
				_, _ = c.WriteToUDPAddrPort(p, at)
				if _, err = s.Read(ds); err != nil {
					b.Fatal(err)
				}
				for range 5 {
					s.Space(100)
					s.Send(100, ds[0].From)
				}
				s.Flush()
			}
		})
	}
}
