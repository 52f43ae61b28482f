package sfu

import (
	"slices"
	"testing"
	"time"
)

// asks lets time pass in ticks and returns when the lowest layer's sender was
// asked for a key frame, in ms.
func (s *stage) asks(d time.Duration) (at []int) {
	began, before := s.now, s.asked[stageSSRC]
	for ; s.now < began+d; s.now += tickEvery {
		s.lookAfter(s.from.room)
		for ; before < s.asked[stageSSRC]; before++ {
			at = append(at, int((s.now-began)/time.Millisecond))
		}
	}
	return at
}

// TestUnansweredKeyIsAskedAgain repeats a request soon, and seldom when that
// does not help, as long as somebody waits.
func TestUnansweredKeyIsAskedAgain(t *testing.T) {
	s := newStage(t)
	s.take(0, typeVP8, 0, slim(0, false, 1))
	s.show(180)
	if s.asked[stageSSRC] != 1 {
		t.Fatalf("asked %v", s.asked)
	}
	if at := s.asks(5 * time.Second); !slices.Equal(at, []int{400, 800, 1200, 2200, 3200, 4200}) {
		t.Errorf("asked again after %v ms", at)
	}
	s.take(0, typeVP8, 3000, slim(0, true, 2))
	if at := s.asks(5 * time.Second); len(at) > 0 {
		t.Errorf("asked after %v ms for what came", at)
	}
}

// TestLostPicture asks for a receiver that lost a picture: at once, a few times
// more while no key frame comes, and not again soon after one came.
func TestLostPicture(t *testing.T) {
	s := newStage(t)
	s.show(180)
	s.take(0, typeVP8, 0, slim(0, true, 1))
	s.now += time.Second
	w, before := s.to.view(s.from.video), s.asked[stageSSRC]
	s.refresh(w)
	s.refresh(w)
	if n := s.asked[stageSSRC] - before; n != 1 {
		t.Errorf("asked %d times at once", n)
	}
	if at := s.asks(5 * time.Second); !slices.Equal(at, []int{400, 800, 1200}) {
		t.Errorf("asked again after %v ms", at)
	}
	s.refresh(w)
	s.take(0, typeVP8, 3000, slim(0, true, 2))
	s.refresh(w)
	if at := s.asks(2 * time.Second); len(at) < 1 || at[0] != int(askEvery/time.Millisecond) {
		t.Errorf("asked again after %v ms, just after a key frame", at)
	}
}

// TestNobodyWants forgets requests for those who stopped looking.
func TestNobodyWants(t *testing.T) {
	s := newStage(t)
	s.take(0, typeVP8, 0, slim(0, false, 1))
	s.show(180)
	s.show(0)
	if at := s.asks(3 * time.Second); len(at) > 0 {
		t.Errorf("asked after %v ms", at)
	}
	s.show(180)
	if at := s.asks(time.Second); !slices.Equal(at, []int{400, 800}) {
		t.Errorf("asked after %v ms", at)
	}
}

// TestLostBurst asks for a key frame as soon as more is lost at once than is
// asked for again, unless what comes after it is one.
func TestLostBurst(t *testing.T) {
	for _, tt := range []struct {
		lost uint16
		key  bool
		want int
	}{{maxBurst, false, 0}, {maxBurst + 1, false, 1}, {maxBurst + 1, true, 0}, {maxGap - 1, false, 1}} {
		s := newStage(t)
		s.show(180)
		s.take(0, typeVP8, 0, slim(0, true, 1))
		s.now += time.Second
		before := s.asked[stageSSRC]
		s.seq[0] += tt.lost
		if got := s.take(0, typeVP8, 90000, slim(0, tt.key, 30)); len(got) != 1 {
			t.Errorf("%+v: what comes then is not shown", tt)
		}
		if n := s.asked[stageSSRC] - before; n != tt.want {
			t.Errorf("%+v: asked %d times", tt, n)
		}
	}
}

// TestLostRun shows nothing that builds on pictures lost in a run so long that
// its numbers are closed up: the receiver could not tell. A key frame is asked
// for, and goes on where the numbers ended.
func TestLostRun(t *testing.T) {
	s := newStage(t)
	s.show(180)
	s.take(0, typeVP8, 0, slim(0, true, 1))
	last := s.take(0, typeVP8, 3000, slim(0, false, 2))[0]
	s.now += 20 * time.Second
	s.seq[0] += maxGap + 1
	if got := s.take(0, typeVP8, 1800e3, slim(0, false, 90)); len(got) > 0 {
		t.Fatalf("goes on with %+v", got)
	}
	if at := s.asks(time.Second); len(at) == 0 {
		t.Error("no key frame is asked for")
	}
	if got := s.take(0, typeVP8, 1803e3, slim(0, true, 91)); len(got) != 1 || got[0].Sequence != last.Sequence+1 {
		t.Errorf("after the key frame: %+v", got)
	}
	s.seq[0] += maxGap - 1
	if got := s.take(0, typeVP8, 3600e3, slim(0, false, 92)); len(got) != 1 || got[0].Sequence != last.Sequence+maxGap+1 {
		t.Errorf("after a gap that stays: %+v", got)
	}
}
