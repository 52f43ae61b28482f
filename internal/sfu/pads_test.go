package sfu

import (
	"math/rand/v2"
	"testing"

	"github.com/pion/rtp"
)

// TestPadding: packets of only padding leave no gap, and what comes late from
// before them still comes.
func TestPadding(t *testing.T) {
	s, _ := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 10})
	b := connect(t, s, options{conn: 2, ssrc: 20})
	ready(t, s, 2)
	a.say("one")
	pad := func() {
		a.say("", func(p *rtp.Packet) { p.Padding, p.PaddingSize = true, 200 })
	}
	first := b.hears(10, "one").SequenceNumber
	for range 3 {
		pad()
	}
	late := a.seq
	a.seq++
	pad()
	a.say("two")
	if got := b.hears(10, "two").SequenceNumber; got != first+2 {
		t.Errorf("number %d after %d", got, first)
	}
	a.say("late", func(p *rtp.Packet) { p.SequenceNumber = late })
	if got := b.hears(10, "late").SequenceNumber; got != first+1 {
		t.Errorf("number %d of what came late after %d", got, first)
	}
}

// TestPadsNeverRepeat tries random ways: no number is used twice.
func TestPadsNeverRepeat(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		var p pads
		used := map[uint64]bool{}
		order := make([]uint64, 2000)
		for i := range order {
			order[i] = uint64(100 + i)
			if j := i - rng.IntN(40); rng.IntN(4) == 0 && j >= 0 {
				order[i], order[j] = order[j], order[i]
			}
		}
		for _, index := range order {
			if rng.IntN(3) == 0 {
				p.drop(index)
				continue
			}
			out, ok := p.number(index)
			if ok && (used[out] || out > index) {
				t.Fatalf("number %d for %d", out, index)
			}
			used[out] = used[out] || ok
		}
		if out, ok := p.number(5000); !ok || 5000-out != p.n || p.n <= maxPads {
			t.Fatalf("number %d, %v after %d were taken out", out, ok, p.n)
		}
	}
}
