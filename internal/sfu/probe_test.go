package sfu

import (
	"testing"
	"time"
)

// TestPaddingAhead pads for a receiver that estimates by timestamps: those of
// padding are ahead of all pictures and never go back, not when the video ends and
// begins again either, and but for a step now and then run as the time does, though
// the sender's clock does not.
func TestPaddingAhead(t *testing.T) {
	for _, tt := range []struct {
		clock uint32 // of the sender, for a picture each 40 ms
		steps int
	}{{3600, 0}, {3610, 3}, {3590, 0}} {
		s := newStage(t)
		s.show(180)
		at, last, steps := uint32(1<<32-20000), uint32(0), 0 // it wraps
		for i := range 5000 {
			s.now += 40 * time.Millisecond
			at += tt.clock
			if i == 2500 {
				s.to.unview(s.from.video)
				s.watch(s.to)
				s.runPlans()
			}
			s.take(0, typeVP8, at, slim(0, i%50 == 0, uint8(i)))
			w := s.to.view(s.from.video)
			s.sent = nil
			if s.blank(w) == 0 {
				t.Fatal("no padding")
			}
			s.socket.Flush()
			pad := s.sent[len(s.sent)-1].Header
			if !pad.Padded || pad.SSRC != stageSSRC+1 {
				t.Fatalf("padding %+v", pad)
			}
			if ahead := int32(pad.Timestamp - w.clock); ahead < 0 {
				t.Fatalf("%d behind pictures", -ahead)
			}
			switch d := int32(pad.Timestamp - last); {
			case i > 0 && d < 3600:
				t.Fatalf("a step of %d", d)
			case i > 0 && d > 3600:
				steps++
			}
			last = pad.Timestamp
		}
		if steps > tt.steps {
			t.Errorf("%d a picture: %d steps", tt.clock, steps)
		}
	}
}

// TestSurge measures a layer whose pictures are larger after each key frame that
// was asked for: that is not what it takes, until it goes on.
func TestSurge(t *testing.T) {
	l := &layer{live: true}
	l.video = &video{layers: []*layer{l}}
	now := time.Minute
	run := func(long time.Duration, rate int) {
		for end := now + long; now < end; now += 20 * time.Millisecond {
			at := now
			l.note(rate/8/50-packetCost, true, at)
			l.video.measure(at)
		}
	}
	key := func() {
		l.asks = 1
		l.gotKey(now)
	}
	run(5*time.Second, 500e3)
	for range 3 {
		key()
		run(time.Second, 1500e3)
		if l.rate < 450e3 || l.rate > 550e3 {
			t.Fatalf("%d bit/s after a key frame", l.rate)
		}
		run(3*time.Second, 500e3)
	}
	for range 10 {
		key()
		run(time.Second, 1500e3)
	}
	if l.rate < 1300e3 {
		t.Errorf("%d bit/s of 1500000 in many surges", l.rate)
	}
	run(3*time.Second, 500e3)
	l.gotKey(now) // not asked for
	if run(2*time.Second, 1500e3); l.rate < 1300e3 {
		t.Errorf("%d bit/s of 1500000 without a surge", l.rate)
	}
}
