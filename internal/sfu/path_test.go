package sfu

import (
	"encoding/binary"
	"testing"
	"time"
)

// told writes feedback that says of count packets that they did not come.
func told(b []byte, base, count uint16) []byte {
	b = append(b, 0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 3, 0xe8)
	b = binary.BigEndian.AppendUint16(b, base)
	b = binary.BigEndian.AppendUint16(b, count)
	b = append(b, 0, 0, 0, 0)
	return append(binary.BigEndian.AppendUint16(b, count), 0, 0)
}

// TestFeedbackFlood hears of the same packets a few times only: to read about
// thousands, in a few bytes and all the time, would keep the shard.
func TestFeedbackFlood(t *testing.T) {
	s := newStage(t)
	s.show(180)
	for i := range 4000 {
		s.now += 3 * time.Millisecond
		s.take(0, typeVP8, uint32(3000*i), slim(0, i == 0, uint8(i)))
		if i%100 == 0 { // it reports: the history grows
			s.hears(s.to, told(nil, s.to.transport-1, 1))
		}
	}
	var many []byte
	for range 50 {
		many = told(many, s.to.transport-2000, 2000)
	}
	for range 2 {
		if s.hears(s.to, many); s.to.path.tells != 0 {
			t.Fatalf("of 100000 packets that were told of long ago, it may tell %d times more", s.to.path.tells)
		}
	}
	s.now += 50 * time.Millisecond
	s.take(0, typeVP8, 12e6, slim(0, false, 1))
	if s.hears(s.to, told(nil, s.to.transport-1, 1)); s.to.path.tells != tellTimes-1 {
		t.Errorf("of a new packet it may tell %d times more", s.to.path.tells)
	}
}

// TestFloodOfVideo: nobody is sent more of a camera than any path is believed
// to hold; a camera of 20 Mbit/s is no flood.
func TestFloodOfVideo(t *testing.T) {
	for _, tt := range []struct {
		each        int // packets in 10 ms
		least, most uint64
	}{{20, 20_000, 20_000}, {200, 40_000, 65_000}} {
		b := newBench(t, 1, 1)
		f := b.film(t, 1200)[0]
		before := b.count.Forwarded
		for range 1000 {
			b.now += 10 * time.Millisecond
			for range tt.each {
				f.next(b.shard)
			}
			b.forward()
		}
		if n := b.count.Forwarded - before; n < tt.least || n > tt.most {
			t.Errorf("%d packets of %d were sent, %d were too many", n, 1000*tt.each, b.count.Drops.Excess)
		}
		if of, all := b.senders[0].room.count.Drops.Excess, b.count.Drops.Excess; of != all {
			t.Errorf("%d of %d were of the call", of, all)
		}
	}
}
