package sfu

import (
	"runtime"
	"testing"

	"parley/internal/media/record"
	"parley/internal/media/sctp"
	"parley/internal/media/srtp"
)

// TestListenerSize counts what a listener with a data channel takes: it does
// not grow with the room, for those who never speak have no subscriptions.
func TestListenerSize(t *testing.T) {
	const listeners, most = 400, 10 << 10
	b := newBench(t, 1, 0)
	material := make([]byte, srtp.GCM128.Material())
	before := used()
	for i := range int64(listeners) {
		c := b.conn(t, 1+i, material)
		layer, err := record.New(new(record.Secrets), true)
		if err != nil {
			t.Fatal(err)
		}
		s := &session{shard: b.shard, conn: c, layer: layer}
		s.association = sctp.New(s, func([]byte) {})
		c.session = s
	}
	for i := range uint16(10) {
		b.take(0, b.packet(t, 0, i, 20))
		b.forward()
	}
	after := used()
	if bytes := (after.bytes - before.bytes) / listeners; bytes > most {
		t.Errorf("a listener takes %d bytes, want at most %d", bytes, most)
	} else {
		t.Logf("a listener takes %d bytes in %d objects", bytes, (after.objects-before.objects)/listeners)
	}
	if after.goroutines > before.goroutines {
		t.Errorf("%d goroutines, %d before", after.goroutines, before.goroutines)
	}
	for _, c := range b.order[1:] {
		if len(c.subs) != 1 {
			t.Fatalf("%d subscriptions to one voice", len(c.subs))
		}
	}
	runtime.KeepAlive(b)
}
