package sfu

import (
	"bytes"
	"testing"
	"time"

	"parley/internal/colibri"
	"parley/internal/media/rtp"
)

// TestPace lets a key frame come in one burst for a receiver behind a narrow
// path: it leaves bit by bit, in order, and sound overtakes it.
func TestPace(t *testing.T) {
	s := newStage(t)
	s.show(180)
	s.to.path.fed = true
	s.to.path.estimate.REMB(300e3, s.now)
	s.take(0, typeVP8, 0, slim(0, true, 1))
	s.now += time.Second
	var all []egress
	var payloads [][]byte
	for i := range 60 {
		b := append(slim(0, i == 0, 2), bytes.Repeat([]byte{byte(i)}, 1000)...)
		if i > 0 {
			b[0] &^= 0x10
		}
		payloads = append(payloads, b)
		if i == 30 {
			s.seq[0]++ // lost on the way
		}
		all = append(all, s.take(0, typeVP8, 3000, b)...)
	}
	if n := len(all); n < 5 || n > 20 {
		t.Fatalf("%d packets left at once", n)
	}
	if got := s.come(rtp.Header{SSRC: 1, Type: colibri.OpusType, Sequence: 1}, []byte("sound")); len(got) != 1 || got[0].SSRC != 1 {
		t.Fatalf("with the sound left %d packets", len(got))
	}
	began := s.now
	for len(all) < 60 && s.now < began+time.Second {
		s.now += paceEvery
		s.sent = nil
		s.drain()
		all = append(all, s.sent...)
		if most := 20 + int((s.now-began)*300e3*paceHalves/2/8/1000/time.Second); len(all) > most && s.now-began <= paceLongest {
			t.Fatalf("%d packets left after %v", len(all), s.now-began)
		}
	}
	if took := s.now - began; len(all) != 60 || took < 100*time.Millisecond || took > paceLongest+2*paceEvery {
		t.Fatalf("%d packets left after %v", len(all), took)
	}
	for i, p := range all {
		number := all[0].Sequence + uint16(i)
		if i >= 30 {
			number++
		}
		if p.Sequence != number || p.Timestamp != 3000 || !bytes.Equal(p.payload, payloads[i]) {
			t.Fatalf("packet %d: %+v", i, p.Header)
		}
	}
	s.now += time.Second
	if s.drain(); len(s.pacing) > 0 || s.to.path.pacing {
		t.Error("still paced")
	}
	if got := s.take(0, typeVP8, 6000, slim(0, false, 3)); len(got) != 1 {
		t.Errorf("%d packets of the next picture", len(got))
	}
}

// TestHeldBackLeavesNoGap stops a video while some of it waits to leave: the
// receiver misses nothing.
func TestHeldBackLeavesNoGap(t *testing.T) {
	s := newStage(t)
	s.show(180)
	s.to.path.fed = true
	s.to.path.estimate.REMB(300e3, s.now)
	s.take(0, typeVP8, 0, slim(0, true, 1))
	s.now += time.Second
	var last egress
	for i := range 40 {
		b := append(slim(0, false, 2), make([]byte, 1000)...)
		if i > 0 {
			b[0] &^= 0x10
		}
		for _, p := range s.take(0, typeVP8, 3000, b) {
			last = p
		}
	}
	w := s.to.view(s.from.video)
	if !w.holding {
		t.Fatal("nothing is held back")
	}
	s.sent = nil
	for range padAmong { // a probe repeats only what left
		s.pad(s.to)
	}
	for _, p := range s.sent {
		if seq, _, ok := rtp.Original(p.payload); p.SSRC == stageSSRC+1 && ok && int16(seq-last.Sequence) > 0 {
			t.Errorf("%d is repeated, which never left", seq)
		}
	}
	s.gate(s.from.video, false)
	s.runPlans()
	s.now += time.Second
	s.drain()
	s.gate(s.from.video, true)
	s.runPlans()
	got := s.take(0, typeVP8, 90000, slim(0, true, 50))
	if len(got) != 1 || got[0].Sequence != last.Sequence+1 {
		t.Fatalf("after %+v came %+v", last.Header, got)
	}
	if r := w.find(w.last); r == nil || w.last != r.from {
		t.Errorf("packet is of run %+v", r)
	}
}

// TestOldLayerIsNotRepeated answers a receiver that misses packets from before
// a switch with nothing: it has a key frame.
func TestOldLayerIsNotRepeated(t *testing.T) {
	s := newStage(t)
	s.show(180)
	s.take(0, typeVP8, 0, slim(0, true, 1))
	s.take(0, typeVP8, 3000, slim(0, false, 2))
	w := s.to.view(s.from.video)
	old := uint16(w.last)
	if s.answer(w, old) == 0 || s.answer(w, old+1) != 0 {
		t.Error("a packet of this layer is not sent again")
	}
	s.take(1, typeVP8, 0, slim(1, true, 1))
	s.show(360)
	s.take(1, typeVP8, 6000, slim(1, true, 3))
	if w.layer.rank != 1 || s.answer(w, old) != 0 || s.answer(w, uint16(w.last)) == 0 {
		t.Errorf("a packet of the old layer is sent again, or none of the new")
	}
}
