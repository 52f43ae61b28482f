package udp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

var kinds = map[string]func(string) (Trunk, error){"fastest": Listen, "portable": ListenPortable}

func each(t *testing.T, address string, f func(t *testing.T, s Trunk)) {
	t.Helper()
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) {
			s, err := open(address)
			if err != nil {
				t.Skip(err)
			}
			defer s.Close()
			f(t, s)
		})
	}
}

func slots(n int) []*Datagram {
	ds := make([]*Datagram, n)
	for i := range ds {
		ds[i] = new(Datagram)
	}
	return ds
}

func peer(t *testing.T) (*net.UDPConn, Peer) {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c, Peer{AddrPort: c.LocalAddr().(*net.UDPAddr).AddrPort()}
}

func TestRead(t *testing.T) {
	each(t, ":0", func(t *testing.T, s Trunk) {
		c, addr := peer(t)
		to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), s.LocalAddr().Port())
		for i := range 100 {
			if _, err := c.WriteToUDPAddrPort(bytes.Repeat([]byte{byte(i)}, i+1), to); err != nil {
				t.Fatal(err)
			}
		}
		s.SetDeadline(time.Now().Add(10 * time.Second))
		ds := slots(MaxBatch)
		for got := 0; got < 100; {
			n, err := s.Read(ds)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range ds[:n] {
				if d.From.AddrPort != addr.AddrPort || !bytes.Equal(d.Bytes(), bytes.Repeat([]byte{byte(got)}, got+1)) {
					t.Fatalf("datagram %d: %d bytes from %v, want from %v", got, d.N, d.From, addr)
				}
				got++
			}
		}
	})
}

// TestSend mixes receivers and sizes, so that runs of all kinds are made.
func TestSend(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", ":0"} {
		each(t, address, func(t *testing.T, s Trunk) {
			c1, a1 := peer(t)
			c2, a2 := peer(t)
			sizes := []int{100, 100, 100, 40, 100, 120, 120, 30, 30, 1200}
			for i, n := range sizes {
				for _, to := range []Peer{a1, a2} {
					copy(s.Space(n+16), bytes.Repeat([]byte{byte(i)}, n))
					s.Send(n, to)
				}
			}
			for i, n := range sizes {
				copy(s.Space(n), bytes.Repeat([]byte{byte(50 + i)}, n))
				s.Send(n, a1)
			}
			s.Flush()
			for _, c := range []*net.UDPConn{c1, c2} {
				expect(t, c, 0, sizes)
			}
			expect(t, c1, 50, sizes)
			if got := s.Sent(); got.Packets != 30 || got.Failed != 0 {
				t.Errorf("sent %+v", got)
			}
		})
	}
}

func expect(t *testing.T, c *net.UDPConn, first int, sizes []int) {
	t.Helper()
	b := make([]byte, 4096)
	for i, want := range sizes {
		n, err := c.Read(b)
		if err != nil || n != want || b[0] != byte(first+i) || b[n-1] != byte(first+i) {
			t.Fatalf("datagram %d: %d bytes of %d, %v; want %d", i, n, b[0], err, want)
		}
	}
}

func TestBadDestinationCostsOnlyItself(t *testing.T) {
	each(t, "127.0.0.1:0", func(t *testing.T, s Trunk) {
		c, good := peer(t)
		for _, to := range []Peer{{AddrPort: netip.MustParseAddrPort("[2001:db8::1]:9")}, {AddrPort: netip.MustParseAddrPort("127.0.0.1:0")}, good} {
			copy(s.Space(2), "ok")
			s.Send(2, to)
		}
		s.Flush()
		b := make([]byte, 10)
		if n, err := c.Read(b); err != nil || string(b[:n]) != "ok" {
			t.Errorf("%q, %v", b[:n], err)
		}
		if got := s.Sent(); got.Packets != 1 || got.Failed != 2 {
			t.Errorf("sent %+v", got)
		}
	})
}

func TestWake(t *testing.T) {
	each(t, "127.0.0.1:0", func(t *testing.T, s Trunk) {
		s.SetDeadline(time.Time{})
		done := make(chan error)
		go func() {
			_, err := s.Read(slots(1))
			done <- err
		}()
		s.Wake()
		if err := <-done; !errors.Is(err, ErrWoken) {
			t.Error(err)
		}
		s.SetDeadline(time.Now().Add(time.Millisecond))
		if _, err := s.Read(slots(1)); !errors.Is(err, ErrWoken) {
			t.Error(err)
		}
		_ = s.Close()
		if _, err := s.Read(slots(1)); err == nil || errors.Is(err, ErrWoken) {
			t.Errorf("read after close: %v", err)
		}
	})
}

func TestNoAllocation(t *testing.T) {
	each(t, "127.0.0.1:0", func(t *testing.T, s Trunk) {
		_, to := peer(t)
		if n := testing.AllocsPerRun(50, func() {
			for range 10 {
				s.Space(100)
				s.Send(100, to)
			}
			s.Flush()
		}); n != 0 {
			t.Errorf("%v allocations a flush", n)
		}
	})
}

func BenchmarkSend(b *testing.B) {
	for name, open := range kinds {
		for _, per := range []int{1, 4, 10} {
			b.Run(fmt.Sprintf("%s/%d", name, per), func(b *testing.B) {
				s, err := open("127.0.0.1:0")
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
				if err != nil {
					b.Fatal(err)
				}
				defer c.Close()
				sink := Peer{AddrPort: c.LocalAddr().(*net.UDPAddr).AddrPort()}
				for i := range b.N {
					to := sink
					if i/per%2 == 1 {
						to.AddrPort = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 2}), sink.Port())
					}
					s.Space(120)
					s.Send(120, to)
					if i%256 == 255 {
						s.Flush()
					}
				}
				s.Flush()
			})
		}
	}
}

// TestFamilies binds to all addresses: to those of IPv4 alone when it is told so,
// as firewalls may know nothing of the others.
func TestFamilies(t *testing.T) {
	for address, want := range map[string]string{"0.0.0.0:0": "0.0.0.0", "[::]:0": "::", "127.0.0.1:0": "127.0.0.1"} {
		each(t, address, func(t *testing.T, s Trunk) {
			if got := s.LocalAddr().Addr().String(); got != want {
				t.Errorf("%s: bound to %s, want %s", address, got, want)
			}
		})
	}
}
