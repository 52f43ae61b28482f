//go:build unix

package sfu

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"parley/internal/colibri"
	"parley/internal/media/rtp"
)

// spent returns the processor time this program took so far, in ns: a busy
// machine does not change it much.
func spent(tb testing.TB) float64 {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkFanout(bm *testing.B) {
	for _, size := range []struct{ senders, receivers int }{{1, 400}, {4, 100}, {8, 100}} {
		bm.Run(fmt.Sprintf("audio/%dx%d", size.senders, size.receivers), func(bm *testing.B) {
			b := newBench(bm, size.senders, size.receivers)
			payload := make([]byte, 100)
			bm.ReportAllocs()
			bm.ResetTimer()
			began := spent(bm)
			for n := range bm.N {
				b.now += 20 * time.Millisecond
				for i, c := range b.senders {
					h := rtp.Header{
						SSRC: uint32(i + 1), Sequence: uint16(n), Type: colibri.OpusType, HasLevel: true, Voice: true, Level: 20,
					}
					b.offer(c.audio, uint64(n), &h, payload)
				}
				b.forward()
			}
			bm.ReportMetric((spent(bm)-began)/float64(b.count.Forwarded), "cpu-ns/packet")
		})
	}
	for _, size := range []struct{ senders, receivers int }{{1, 100}, {4, 100}} {
		bm.Run(fmt.Sprintf("video/%dx%d", size.senders, size.receivers), func(bm *testing.B) {
			b := newBench(bm, size.senders, size.receivers)
			films := b.film(bm, 1100)
			bm.ReportAllocs()
			bm.ResetTimer()
			began := spent(bm)
			for range bm.N {
				b.now += 4 * time.Millisecond
				for _, f := range films {
					f.next(b.shard)
				}
				b.forward()
			}
			bm.ReportMetric((spent(bm)-began)/float64(b.count.Forwarded), "cpu-ns/packet")
		})
	}
}
