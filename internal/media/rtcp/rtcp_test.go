package rtcp

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	pion "github.com/pion/rtcp"
)

func TestReportsAgainstPion(t *testing.T) {
	sr := Sender{SSRC: 1, NTP: 3208988800<<32 | 1<<31, Timestamp: 3, Packets: 4, Octets: 5}
	rr := Report{SSRC: 7, Fraction: 8, Lost: -3, Highest: 10, Jitter: 11, LastSR: 12, Delay: 13}
	b := AppendPLI(AppendReceiver(AppendSender(nil, sr), 6, []Report{rr, {SSRC: 8}}), 9, 10)
	all, err := pion.Unmarshal(b)
	if err != nil || len(all) != 3 {
		t.Fatalf("%d packets, %v", len(all), err)
	}
	if got := all[0].(*pion.SenderReport); got.SSRC != 1 || got.NTPTime != sr.NTP || got.RTPTime != 3 {
		t.Errorf("sender report %+v", got)
	}
	if got := all[1].(*pion.ReceiverReport); got.SSRC != 6 || len(got.Reports) != 2 || got.Reports[0].TotalLost != 0xfffffd || got.Reports[0].Delay != 13 {
		t.Errorf("receiver report %+v", got)
	}
	if got := all[2].(*pion.PictureLossIndication); got.SenderSSRC != 9 || got.MediaSSRC != 10 {
		t.Errorf("pli %+v", got)
	}
	p, rest, ok := Next(b)
	if got, fine := p.Sender(); !ok || !fine || got != sr {
		t.Errorf("sender %+v", got)
	}
	p, rest, _ = Next(rest)
	if got, fine := p.Reports(0); !fine || got != rr {
		t.Errorf("report %+v", got)
	}
	if _, fine := p.Reports(2); fine {
		t.Error("a third report")
	}
	p, rest, _ = Next(rest)
	if got, fine := p.Media(); !fine || got != 10 || len(rest) != 0 {
		t.Errorf("media %d", got)
	}
}

// TestArrivalsAgainstPion sends numbers with losses, reordering, pauses and a
// wrap, and lets pion read when each came.
func TestArrivalsAgainstPion(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var a Arrivals
	want, got := map[uint16]time.Duration{}, map[uint16]time.Duration{}
	at := 90 * time.Second
	for i := range 20000 {
		seq := uint16(60000 + i)
		at += time.Duration(rng.IntN(2000)) * time.Microsecond
		switch rng.IntN(200) {
		case 0:
			at += 700 * time.Millisecond
		case 1:
			at += 12 * time.Second // more than a delta can say
		}
		if rng.IntN(10) > 0 {
			a.Note(seq, at)
			want[seq] = at / tick * tick
		}
		if rng.IntN(50) == 0 || a.Pending() > Full {
			read(t, &a, got)
		}
	}
	read(t, &a, got)
	for seq, at := range want {
		if got[seq] != at {
			t.Fatalf("number %d came at %v, reported %v", seq, at, got[seq])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d reported, %d came", len(got), len(want))
	}
}

func read(t *testing.T, a *Arrivals, got map[uint16]time.Duration) {
	t.Helper()
	for a.Pending() > 0 {
		b := a.Append(nil, 1, 2)
		if len(b) == 0 {
			return
		}
		if len(b) > 1300 {
			t.Fatalf("feedback of %d bytes", len(b))
		}
		var f pion.TransportLayerCC
		if err := f.Unmarshal(b); err != nil {
			t.Fatal(err)
		}
		at := time.Duration(f.ReferenceTime) * referenceTick
		seq, delta := f.BaseSequenceNumber, 0
		for _, status := range symbols(&f) {
			if status != pion.TypeTCCPacketNotReceived {
				at += time.Duration(f.RecvDeltas[delta].Delta) * time.Microsecond
				got[seq] = at
				delta++
			}
			seq++
		}
	}
}

func symbols(f *pion.TransportLayerCC) (all []uint16) {
	for _, chunk := range f.PacketChunks {
		switch c := chunk.(type) {
		case *pion.RunLengthChunk:
			for range c.RunLength {
				all = append(all, c.PacketStatusSymbol)
			}
		case *pion.StatusVectorChunk:
			all = append(all, c.SymbolList...)
		}
	}
	return all[:f.PacketStatusCount]
}

func TestArrivalsReorderedAndTwice(t *testing.T) {
	var a Arrivals
	for _, seq := range []uint16{5, 7, 6, 7} {
		a.Note(seq, time.Duration(seq)*time.Millisecond)
	}
	got := map[uint16]time.Duration{}
	read(t, &a, got)
	a.Note(6, time.Second) // told already
	if len(got) != 3 || got[6] != 6*time.Millisecond || a.Pending() != 0 {
		t.Errorf("reported %v, pending %d", got, a.Pending())
	}
}

// TestArrivalsTellOfLoss loses numbers at the start of what one feedback tells,
// within it, and at its end, which the next one has to tell.
func TestArrivalsTellOfLoss(t *testing.T) {
	var a Arrivals
	var told []uint16
	for i, came := range [][]uint16{{65530, 65531}, {65534, 65535, 1}, {2}, {7}} {
		for _, seq := range came {
			a.Note(seq, time.Duration(i)*time.Second+time.Duration(seq-65530)*time.Millisecond)
		}
		p, _, _ := Next(a.Append(nil, 1, 2))
		f, ok := p.Feedback()
		if !ok {
			t.Fatal("no feedback")
		}
		for x, ok := f.Next(); ok; x, ok = f.Next() {
			if !x.Received {
				told = append(told, x.Sequence)
			}
		}
	}
	if want := []uint16{65532, 65533, 0, 3, 4, 5, 6}; !slices.Equal(told, want) {
		t.Errorf("told that %d got lost, want %d", told, want)
	}
}

func TestNoAllocation(t *testing.T) {
	var a Arrivals
	b, seq := make([]byte, 0, 2000), uint16(0)
	if n := testing.AllocsPerRun(100, func() {
		for range 20 {
			a.Note(seq, time.Duration(seq)*time.Millisecond)
			seq++
		}
		a.Append(b, 1, 2)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzNext(f *testing.F) {
	f.Add(AppendReceiver(AppendSender(nil, Sender{}), 6, []Report{{SSRC: 8}}))
	f.Add(AppendPLI(nil, 1, 2))
	f.Fuzz(func(_ *testing.T, b []byte) {
		for p, rest, ok := Next(b); ok; p, rest, ok = Next(rest) {
			p.Sender()
			p.Media()
			for i := range 40 {
				p.Reports(i)
			}
		}
	})
}

func FuzzArrivals(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6})
	f.Fuzz(func(t *testing.T, b []byte) {
		var a Arrivals
		at := time.Duration(0)
		for ; len(b) >= 3; b = b[3:] {
			at += time.Duration(b[2]) * time.Duration(b[2]) * time.Millisecond
			a.Note(uint16(b[0])<<8|uint16(b[1]), at)
		}
		for i := 0; a.Pending() > 0; i++ {
			if out := a.Append(nil, 1, 2); len(out)%4 != 0 || i > arrivalRing {
				t.Fatalf("feedback %d of %d bytes", i, len(out))
			}
		}
	})
}
