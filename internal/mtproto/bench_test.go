package mtproto

import (
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"
)

// benchClient returns a client that has declared its layer.
func benchClient(b *testing.B, f *fixture) *client {
	b.Helper()
	c := f.dial(b)
	c.greet()
	return c
}

// BenchmarkQuery measures round trips over TCP, both ends on the same machine.
func BenchmarkQuery(b *testing.B) {
	for _, inFlight := range []int{1, 16} {
		b.Run(fmt.Sprintf("in flight %d", inFlight), func(b *testing.B) {
			f := start(b, handler{}, func(c *Config) { c.Limits.Rate, c.Log = 1<<30, nil })
			c := benchClient(b, f)
			b.ReportAllocs()
			for n := 0; n < b.N; n += inFlight {
				for range inFlight {
					c.call(query(1))
				}
				acks := make([]int64, 0, inFlight)
				for range inFlight {
					acks = append(acks, c.waitID("result", idRPCResult).id)
				}
				c.service(msgsAck(acks))
			}
		})
	}
}

// BenchmarkQueryInMemory measures the same without a network.
func BenchmarkQueryInMemory(b *testing.B) {
	f := start(b, handler{}, func(c *Config) { c.Limits.Rate, c.Log = 1<<30, nil })
	c := &client{t: b, key: f.newKey(b), session: 77}
	c.salt = saltOf(&c.key.Value, saltSlot(time.Now()))
	near, far := net.Pipe()
	c.conn = near
	f.welcome(far, nil)
	c.write([]byte{0xee, 0xee, 0xee, 0xee})
	c.greet()
	b.ReportAllocs()
	for b.Loop() {
		c.call(query(1))
		m := c.waitID("result", idRPCResult)
		c.service(msgsAck([]int64{m.id}))
	}
}

// BenchmarkIdleSession measures the memory of a connected session that has
// answered a query and waits.
func BenchmarkIdleSession(b *testing.B) {
	const n = 400
	for b.Loop() {
		f := start(b, handler{}, func(c *Config) { c.Log = nil })
		before := memory()
		clients := make([]*client, n)
		for i := range clients {
			clients[i] = f.dial(b)
			clients[i].greet()
			clients[i].alive()
			clients[i].inbox = nil
		}
		b.ReportMetric(float64(memory()-before)/n, "B/session")
		f.stop()
		for _, c := range clients {
			_ = c.conn.Close()
		}
	}
}

// memory returns the bytes in use, stacks included.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

func BenchmarkOpenFrame(b *testing.B) {
	key := randomKey()
	frame := sealClient(key, plaintext(1, 2, 3, 4, make([]byte, 256)))
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := openFrame(&key.Value, frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	key := randomKey()
	body := make([]byte, 256)
	var s scratch
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		s.begin(1, 2, 3, 4)
		s.text = append(s.text, body...)
		s.seal(1, &key.Value)
	}
}
