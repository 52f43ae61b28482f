package link_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"parley/e2e/harness"
	"parley/e2e/harness/link"
)

func TestMain(m *testing.M) { harness.Main(m) }

// size of the datagrams that are sent, and with the headers of IP and UDP.
const size, wireSize = 500, 528

// ends returns a socket at the hub, and one of the host that is connected to it.
func ends(t *testing.T, n *link.Network, h *link.Host) (at, from *net.UDPConn) {
	t.Helper()
	at, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(n.Hub(), 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = at.Close() })
	err = h.Do(func() (err error) {
		to, _ := at.LocalAddr().(*net.UDPAddr)
		from, err = net.DialUDP("udp4", nil, to)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = from.Close() })
	return at, from
}

// arrival is one datagram: its number, where from and how long it took.
type arrival struct {
	number int
	from   netip.AddrPort
	took   time.Duration
}

// send sends n numbered datagrams, one after another in a while each, and
// returns those that arrive within patience of the last.
func send(t *testing.T, at, from *net.UDPConn, n int, every, patience time.Duration) (all []arrival) {
	t.Helper()
	start := time.Now()
	sent := make(chan error, 1)
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		b := make([]byte, size)
		for i := range n {
			binary.BigEndian.PutUint32(b, uint32(i))
			binary.BigEndian.PutUint64(b[4:], uint64(time.Since(start)))
			if _, err := from.Write(b); err != nil {
				sent <- err
				return
			}
			<-tick.C
		}
		sent <- nil
	}()
	if err := at.SetReadDeadline(start.Add(time.Duration(n)*every + patience)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2*size)
	for len(all) < n {
		_, who, err := at.ReadFromUDPAddrPort(b)
		if err != nil {
			break // the deadline
		}
		took := time.Since(start) - time.Duration(binary.BigEndian.Uint64(b[4:]))
		all = append(all, arrival{int(binary.BigEndian.Uint32(b)), who, took})
	}
	if err := <-sent; err != nil {
		t.Fatal("send:", err)
	}
	return all
}

func TestConditions(t *testing.T) {
	n := link.New(t)
	h := n.Add(t)
	at, from := ends(t, n, h)
	byNumber := func(a, b arrival) int { return a.number - b.number }
	slowest := func(all []arrival) time.Duration {
		return slices.MaxFunc(all, func(a, b arrival) int { return int(a.took - b.took) }).took
	}
	for _, c := range []struct {
		name  string
		on    link.Conditions
		sends int
		wrong func(all []arrival) string
	}{
		{"perfect", link.Conditions{}, 500, func(all []arrival) string {
			if len(all) != 500 || !slices.IsSortedFunc(all, byNumber) {
				return fmt.Sprintf("%d arrive, in order: %v", len(all), slices.IsSortedFunc(all, byNumber))
			}
			return ""
		}},
		{"loss", link.Conditions{Loss: 0.2}, 1000, func(all []arrival) string {
			if len(all) < 750 || len(all) > 850 {
				return fmt.Sprintf("%d of 1000 arrive", len(all))
			}
			return ""
		}},
		{"jitter", link.Conditions{Jitter: 100 * time.Millisecond}, 500, func(all []arrival) string {
			if len(all) != 500 || !slices.IsSortedFunc(all, byNumber) || slowest(all) < 80*time.Millisecond {
				return fmt.Sprintf("%d arrive, within %v", len(all), slowest(all))
			}
			return ""
		}},
		{"reordering", link.Conditions{Delay: 20 * time.Millisecond, Reorder: 0.1}, 500, func(all []arrival) string {
			if len(all) != 500 || slices.IsSortedFunc(all, byNumber) {
				return fmt.Sprintf("%d arrive, in order", len(all))
			}
			return ""
		}},
		// 1000 packets a second are offered; the queue holds what the first
		// 200 ms let through.
		{"rate", link.Conditions{Rate: 250 * wireSize * 8, Queue: 200 * time.Millisecond}, 1000, func(all []arrival) string {
			if len(all) < 200 || len(all) > 600 || slowest(all) > time.Second {
				return fmt.Sprintf("%d of 1000 arrive, within %v", len(all), slowest(all))
			}
			return ""
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.Set(c.on)
			defer h.Set(link.Conditions{})
			if wrong := c.wrong(send(t, at, from, c.sends, time.Millisecond, time.Second)); wrong != "" {
				t.Error(wrong)
			}
		})
	}
}

// TestMove checks that who moves is seen elsewhere, and gets answers there.
func TestMove(t *testing.T) {
	n := link.New(t)
	h := n.Add(t)
	n.Add(t)
	at, from := ends(t, n, h)
	before := send(t, at, from, 1, time.Millisecond, 10*time.Second)
	to := n.Move(h)
	after := send(t, at, from, 1, time.Millisecond, 10*time.Second)
	if len(before) != 1 || len(after) != 1 || before[0].from.Addr() == to || after[0].from.Addr() != to {
		t.Fatalf("seen at %v, then at %v, want %v", before, after, to)
	}
	if _, err := at.WriteToUDPAddrPort([]byte("back"), after[0].from); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if err := from.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if got, err := from.Read(b); err != nil || string(b[:got]) != "back" {
		t.Errorf("answered %q, %v", b[:got], err)
	}
}
