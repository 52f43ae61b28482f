package cache

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"
)

// payload returns bytes that tell whose they are.
func payload(index uint64, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(index) + byte(i)
	}
	return b
}

func header(index uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, index)
}

// check fails when the packet found is not the one put.
func check(t *testing.T, c *Cache, index uint64, n int) {
	t.Helper()
	p, ok := c.Get(index)
	if !ok {
		t.Fatalf("%d is not there", index)
	}
	if !bytes.Equal(p.Header, header(index)) || !bytes.Equal(p.Payload, payload(index, n)) || p.When != time.Duration(index) {
		t.Fatalf("%d is %x at %d", index, p.Header, p.When)
	}
	if len(p.Roomy) != n+Room || !bytes.Equal(p.Roomy[Room:], p.Payload) {
		t.Fatalf("%d has no room", index)
	}
	p.Roomy[0], p.Roomy[1] = 0xff, 0xff
}

func TestPutAndGet(t *testing.T) {
	c := New(5, 1<<20) // 8
	for _, i := range []uint64{70000, 70001, 70003, 70002, 70009} {
		if !c.Put(i, header(i), payload(i, int(i%100)), time.Duration(i)) {
			t.Fatalf("%d not put", i)
		}
	}
	for _, i := range []uint64{70002, 70003, 70009} {
		check(t, c, i, int(i%100))
		check(t, c, i, int(i%100)) // what a reader writes harms nobody
	}
	if c.Put(70001, nil, nil, 0) {
		t.Error("put what is too old")
	}
	if c.Has(70001) || c.Has(70004) || c.Has(70010) || c.Has(1<<40) {
		t.Error("found what is not there")
	}
	if c.Put(70010, nil, make([]byte, maxPacket), 0) {
		t.Error("put what is too long")
	}
	c.Put(70009, []byte("again"), nil, 0)
	if p, _ := c.Get(70009); string(p.Header) != "again" {
		t.Error("not replaced")
	}
	c.Clear()
	if c.Has(70009) || !c.Put(3, header(3), payload(3, 3), 3) {
		t.Error("not cleared")
	}
	check(t, c, 3, 3)
}

// TestBounds puts packets of random sizes in random order, and finds them whole
// or not at all: the newest ones as far as the bytes go.
func TestBounds(t *testing.T) {
	const most = 100_000
	rng := rand.New(rand.NewPCG(5, 6))
	c := New(256, most)
	sizes := map[uint64]int{}
	for next := range uint64(4000) {
		i := next ^ uint64(rng.IntN(4)) // reordered, some twice, some never
		n := rng.IntN(1300)
		if c.Put(i, header(i), payload(i, n), time.Duration(i)) {
			sizes[i] = n
		}
		if c.Bytes() > most {
			t.Fatalf("%d bytes", c.Bytes())
		}
		if next%16 != 0 {
			continue
		}
		sum := 0
		for back := range uint64(300) {
			j := next - back
			n, put := sizes[j]
			if j > next || !put {
				continue
			}
			if sum += n + 8 + Room; sum < most*2/5 && back < 200 || c.Has(j) {
				check(t, c, j, n)
			}
		}
	}
}

func TestGrows(t *testing.T) {
	c := New(64, 1<<20)
	c.Put(1, header(1), payload(1, 100), 1)
	if c.Bytes() != firstBytes {
		t.Errorf("begins with %d bytes", c.Bytes())
	}
	for i := uint64(2); i < 40; i++ {
		c.Put(i, header(i), payload(i, 1000), time.Duration(i))
	}
	check(t, c, 1, 100)
	check(t, c, 39, 1000)
	if c.Bytes() != 4*firstBytes {
		t.Errorf("grew to %d bytes", c.Bytes())
	}
}

func TestNoAllocation(t *testing.T) {
	c := New(512, 1<<18)
	h, p, i := make([]byte, 20), make([]byte, 1000), uint64(0)
	put := func() {
		c.Put(i, h, p, 0)
		c.Get(i - 5)
		i++
	}
	for range 1000 {
		put()
	}
	if n := testing.AllocsPerRun(1000, put); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzCache(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := New(16, 0)
		put := map[uint64]int{}
		for ; len(b) >= 3; b = b[3:] {
			i, n := uint64(b[0]), int(binary.BigEndian.Uint16(b[1:]))
			if c.Put(i, header(i), payload(i, n), time.Duration(i)) {
				put[i] = n
			}
			for i := range uint64(256) {
				if c.Has(i) {
					check(t, c, i, put[i])
				}
			}
		}
	})
}

func BenchmarkPut(b *testing.B) {
	c := New(512, 512<<10)
	h, p, i := make([]byte, 20), make([]byte, 1000), uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		c.Put(i, h, p, 0)
		i++
	}
}

func BenchmarkGet(b *testing.B) {
	c := New(512, 1<<20)
	h, p := make([]byte, 20), make([]byte, 1000)
	for i := range uint64(512) {
		c.Put(i, h, p, 0)
	}
	i := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		if !c.Has(i & 511) {
			b.Fatal(i)
		}
		i++
	}
}
