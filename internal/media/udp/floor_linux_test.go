package udp

import (
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// spent returns the processor time this thread took so far, in ns.
func spent(tb testing.TB) float64 {
	tb.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		tb.Fatal(err)
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

// sinks returns n receivers whose packets the kernel drops on arrival.
func sinks(tb testing.TB, n int) (all []Peer) {
	tb.Helper()
	nothing := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	for range n {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = c.Close() })
		raw, err := c.SyscallConn()
		if err != nil {
			tb.Fatal(err)
		}
		var failed error
		err = raw.Control(func(fd uintptr) {
			failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
				&unix.SockFprog{Len: uint16(len(nothing)), Filter: &nothing[0]})
		})
		if err != nil || failed != nil {
			tb.Fatal(err, failed)
		}
		all = append(all, Peer{AddrPort: c.LocalAddr().(*net.UDPAddr).AddrPort()})
	}
	return all
}

// BenchmarkFloor sends what a scenario of "parley load" sends, in its rhythm and
// nothing else: nothing is received, chosen or sealed. No server that answers in
// the same time from a socket is cheaper.
func BenchmarkFloor(b *testing.B) {
	for _, s := range []struct {
		name               string
		receivers, each, n int // each of them gets so many packets of n bytes,
		every              time.Duration
	}{
		{"A2", 100, 3, 140, 6800 * time.Microsecond},
		{"A4", 400, 1, 140, 20 * time.Millisecond},
		{"V2", 100, 9, 1220, 33 * time.Millisecond},
		{"V3", 100, 9, 1220, 8300 * time.Microsecond},
	} {
		b.Run(s.name, func(b *testing.B) {
			t, err := Listen("127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer t.Close()
			peers := sinks(b, s.receivers)
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			began := spent(b)
			for range b.N {
				for _, to := range peers {
					for range s.each {
						t.Space(s.n)
						t.Send(s.n, to)
					}
				}
				t.Flush()
				for until := time.Now().Add(s.every); time.Until(until) > 0; { // a signal ends a nap
					Nap(time.Until(until))
				}
			}
			all := b.N * s.receivers * s.each
			b.ReportMetric((spent(b)-began)/float64(all), "cpu-ns/packet")
			if got := t.Sent(); got.Packets != uint64(all) {
				b.Errorf("%d packets left of %d", got.Packets, all)
			}
		})
	}
}
