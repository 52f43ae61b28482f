package udp

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"
)

// mail makes a datagram that says which one it is.
func mail(d *Datagram, i int) *Datagram {
	d.N = copy(d.Slot[:], []byte{byte(i >> 8), byte(i)})
	d.From.AddrPort = netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(i))
	return d
}

// TestBranchReads hands over what is more than the mailbox holds, from one
// goroutine to another: it comes in order, and no datagram is in two places.
func TestBranchReads(t *testing.T) {
	each(t, "127.0.0.1:0", func(t *testing.T, s Trunk) {
		const n = 5 * mailSize
		b := s.Branch()
		var work sync.WaitGroup
		work.Go(func() {
			d := new(Datagram)
			for i := 0; i < n; {
				free, ok := b.Hand(mail(d, i))
				if ok == (free == d) {
					t.Errorf("handed over: %v, but the same comes back: %v", ok, free == d)
				}
				if d = free; ok {
					i++
				} else {
					runtime.Gosched()
				}
			}
		})
		ds, seen := slots(10), map[*Datagram]bool{}
		b.SetDeadline(time.Now().Add(10 * time.Second))
		for got := 0; got < n; {
			k, err := b.Read(ds)
			if err != nil {
				t.Fatal(err)
			}
			clear(seen)
			for _, d := range ds {
				seen[d] = true
			}
			if len(seen) != len(ds) {
				t.Fatalf("%d datagrams in %d slots", len(seen), len(ds))
			}
			for _, d := range ds[:k] {
				if want := (&Datagram{}); d.From != mail(want, got).From || string(d.Bytes()) != string(want.Bytes()) {
					t.Fatalf("datagram %d is %x from %v", got, d.Bytes(), d.From)
				}
				got++
			}
		}
		work.Wait()
	})
}

// TestBranchFull hands over more than fits: nothing old is lost for it.
func TestBranchFull(t *testing.T) {
	each(t, "127.0.0.1:0", func(t *testing.T, s Trunk) {
		b, d := s.Branch(), new(Datagram)
		taken := 0
		for i := range mailSize + 10 {
			free, ok := b.Hand(mail(d, i))
			if d = free; ok {
				taken++
			}
		}
		if taken != mailSize {
			t.Errorf("%d datagrams taken, want %d", taken, mailSize)
		}
		ds := slots(MaxBatch + 1)
		if n, err := b.Read(ds); n != MaxBatch || err != nil || ds[0].From.Port() != 0 || ds[MaxBatch-1].From.Port() != MaxBatch-1 {
			t.Errorf("%d, %v, from %v on", n, err, ds[0].From)
		}
		if _, ok := b.Hand(d); !ok {
			t.Error("nothing fits after a read")
		}
	})
}

func TestBranchWakes(t *testing.T) {
	each(t, "127.0.0.1:0", func(t *testing.T, s Trunk) {
		b, other := s.Branch(), s.Branch()
		done := make(chan error)
		read := func() {
			_, err := b.Read(slots(1))
			done <- err
		}
		b.SetDeadline(time.Time{})
		go read()
		b.Wake()
		if err := <-done; !errors.Is(err, ErrWoken) {
			t.Error(err)
		}
		go read() // still woken
		if err := <-done; !errors.Is(err, ErrWoken) {
			t.Error(err)
		}
		b.SetDeadline(time.Now().Add(time.Millisecond))
		for range 2 {
			if _, err := b.Read(slots(1)); !errors.Is(err, ErrWoken) {
				t.Error(err)
			}
		}
		b.SetDeadline(time.Time{})
		go read()
		if _, ok := b.Hand(new(Datagram)); !ok {
			t.Error("mailbox full")
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		go read()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if _, err := other.Read(slots(1)); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if err := other.Close(); err == nil {
			t.Error("closed twice")
		}
	})
}

// TestBranchesSend lets a trunk and its branches send at the same time.
func TestBranchesSend(t *testing.T) {
	each(t, "127.0.0.1:0", func(t *testing.T, s Trunk) {
		const rounds, size = 20, 200
		var work sync.WaitGroup
		for i, from := range []Socket{s, s.Branch(), s.Branch()} {
			c, to := peer(t)
			if from.LocalAddr() != s.LocalAddr() {
				t.Errorf("branch at %v", from.LocalAddr())
			}
			work.Go(func() {
				b := make([]byte, 2*size)
				for range rounds {
					for range 5 {
						from.Space(size)[0] = byte(i)
						from.Send(size, to)
					}
					from.Flush()
					for range 5 {
						if n, addr, err := c.ReadFromUDPAddrPort(b); err != nil || n != size || b[0] != byte(i) || addr != s.LocalAddr() {
							t.Errorf("%d bytes of %d from %v, %v; want %d of %d", n, b[0], addr, err, size, i)
						}
					}
				}
				if got := from.Sent(); got.Packets != 5*rounds || got.Failed != 0 {
					t.Errorf("sent %+v", got)
				}
			})
		}
		work.Wait()
	})
}

func TestBranchNoAllocation(t *testing.T) {
	each(t, "127.0.0.1:0", func(t *testing.T, s Trunk) {
		_, to := peer(t)
		b, d, ds := s.Branch(), new(Datagram), slots(1)
		soon := time.Now().Add(time.Hour)
		if n := testing.AllocsPerRun(50, func() {
			for range 10 {
				d, _ = b.Hand(d)
				b.SetDeadline(soon)
				if _, err := b.Read(ds); err != nil {
					t.Fatal(err)
				}
				b.Space(100)
				b.Send(100, to)
			}
			b.Flush()
		}); n != 0 {
			t.Errorf("%v allocations for ten packets", n)
		}
	})
}
