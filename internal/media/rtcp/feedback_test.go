package rtcp

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	pion "github.com/pion/rtcp"
)

// one marshals a packet and reads it back as ours.
func one(t *testing.T, packet pion.Packet) Packet {
	t.Helper()
	b, err := packet.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	p, rest, ok := Next(b)
	if !ok || len(rest) != 0 {
		t.Fatalf("%T not read, %d left", packet, len(rest))
	}
	return p
}

func TestRequestsAgainstPion(t *testing.T) {
	p := one(t, &pion.PictureLossIndication{SenderSSRC: 1, MediaSSRC: 0xfffffffe})
	if media, ok := p.PLI(); !ok || media != 0xfffffffe {
		t.Errorf("PLI %x %v", media, ok)
	}
	p = one(t, &pion.FullIntraRequest{SenderSSRC: 1, MediaSSRC: 2, FIR: []pion.FIREntry{{SSRC: 3, SequenceNumber: 4}, {SSRC: 5, SequenceNumber: 6}}})
	for i, want := range []uint32{3, 5} {
		if media, n, ok := p.FIR(i); !ok || media != want || uint32(n) != want+1 {
			t.Errorf("FIR %d: %d number %d %v", i, media, n, ok)
		}
	}
	if _, _, ok := p.FIR(2); ok {
		t.Error("a third request")
	}
	if _, ok := p.PLI(); ok {
		t.Error("FIR read as PLI")
	}
}

func missing(t *testing.T, p Packet) (all []uint16) {
	t.Helper()
	m, ok := p.Missing()
	if !ok {
		t.Fatal("no acknowledgement")
	}
	for seq, ok := m.Next(); ok; seq, ok = m.Next() {
		all = append(all, seq)
	}
	return all
}

func TestNackAgainstPion(t *testing.T) {
	tests := []struct {
		name  string
		in    []uint16
		pairs int
	}{
		{"one", []uint16{7}, 1},
		{"a pair full", []uint16{7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}, 1},
		{"one too far", []uint16{7, 24}, 2},
		{"wrap", []uint16{65530, 65535, 0, 5, 100}, 2},
	}
	for _, tt := range tests {
		b := AppendNack(nil, 1, 2, tt.in)
		var n pion.TransportLayerNack
		if err := n.Unmarshal(b); err != nil || n.SenderSSRC != 1 || n.MediaSSRC != 2 || len(n.Nacks) != tt.pairs {
			t.Fatalf("%s: %+v %v", tt.name, n, err)
		}
		var got []uint16
		for _, pair := range n.Nacks {
			got = append(got, pair.PacketList()...)
		}
		if !slices.Equal(got, tt.in) {
			t.Errorf("%s: pion reads %v, want %v", tt.name, got, tt.in)
		}
		if got := missing(t, one(t, &n)); !slices.Equal(got, tt.in) {
			t.Errorf("%s: read %v, want %v", tt.name, got, tt.in)
		}
	}
	if b := AppendNack(nil, 1, 2, nil); b != nil {
		t.Errorf("nothing is %x", b)
	}
	if b := AppendNack(nil, 1, 2, []uint16{5, 5}); len(b) != 16 {
		t.Errorf("twice the same is %x", b)
	}
	many := make([]uint16, 1000)
	for i := range many {
		many[i] = uint16(20 * i)
	}
	p, _, _ := Next(AppendNack(nil, 1, 2, many))
	if got := missing(t, p); !slices.Equal(got, many[:maxNacks]) {
		t.Errorf("%d of 1000", len(got))
	}
}

// TestNackBytes reads the layout of RFC 4585 6.2.1, padded.
func TestNackBytes(t *testing.T) {
	p, rest, ok := Next([]byte{
		0xa1, 205, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0x12, 0x34, 0x80, 0x01, 0, 0, 0, 4,
		0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2,
	})
	if got := missing(t, p); !ok || len(rest) != 12 || !slices.Equal(got, []uint16{0x1234, 0x1235, 0x1244}) {
		t.Errorf("%x", got)
	}
	if _, _, ok := Next([]byte{0xa1, 205, 0, 1, 0, 0, 0, 5}); ok {
		t.Error("more padding than packet")
	}
}

func TestREMBAgainstPion(t *testing.T) {
	for _, rate := range []uint64{1, 1<<18 - 1, 1 << 18, 300_000, 2_500_000, 123_456_789, 1 << 50} {
		b := AppendREMB(nil, 1, rate, 2, 3)
		var r pion.ReceiverEstimatedMaximumBitrate
		if err := r.Unmarshal(b); err != nil || r.SenderSSRC != 1 || !slices.Equal(r.SSRCs, []uint32{2, 3}) {
			t.Fatalf("%+v %v", r, err)
		}
		p, _, _ := Next(b)
		got, ok := p.REMB()
		if !ok || float64(float32(got)) != float64(r.Bitrate) || got > rate || float64(got) < float64(rate)*(1-1.0/(1<<17)) {
			t.Errorf("%d read as %d, by pion as %f", rate, got, r.Bitrate)
		}
	}
	p := Packet{Type: TypePayload, Format: FormatREMB, Body: []byte{0, 0, 0, 1, 0, 0, 0, 0, 'R', 'E', 'M', 'B', 0, 0xff, 0xff, 0xff}}
	if got, ok := p.REMB(); !ok || got != 1<<64-1 {
		t.Errorf("the greatest is %d", got)
	}
	p.Body[8] = 'X'
	if _, ok := p.REMB(); ok {
		t.Error("application layer feedback of another kind")
	}
}

// TestFeedbackBytes reads the vectors of both kinds, a run and a delta that
// goes back.
func TestFeedbackBytes(t *testing.T) {
	p, _, ok := Next([]byte{
		0xaf, 205, 0, 8, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xfe, 0, 27, 0xff, 0xff, 0xff, 9,
		0b1010_0000, 0b0000_0001, // one bit each of 14: 0, 13
		0b1101_1000, 0b0000_0000, // two bits each of 7: small, large
		0b0000_0000, 0x04, // 4 lost
		0b0010_0000, 0x02, // 2 small
		4, 8, 12, 0xff, 0xfc, 16, 20, 0,
	})
	if !ok {
		t.Fatal("no packet")
	}
	f, ok := p.Feedback()
	if !ok || f.Number != 9 || f.Reference != -referenceTick || f.Base != 0xfffe {
		t.Fatalf("%+v %v", f, ok)
	}
	want := map[uint16]time.Duration{0xfffe: 4, 11: 8, 12: 12, 13: -4, 23: 16, 24: 20}
	n := 0
	for a, ok := f.Next(); ok; a, ok = f.Next() {
		if a.Sequence != 0xfffe+uint16(n) {
			t.Fatalf("%d-th is %d", n, a.Sequence)
		}
		if delta, came := want[a.Sequence]; came != a.Received || delta*tick != a.Delta {
			t.Errorf("%d: %+v", a.Sequence, a)
		}
		n++
	}
	if n != 27 {
		t.Errorf("%d numbers", n)
	}
}

// TestFeedbackOfArrivals reads what Arrivals writes.
func TestFeedbackOfArrivals(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var a Arrivals
	at, seen := time.Second, 0
	came := map[uint16]time.Duration{}
	for i := range 5000 {
		at += time.Duration(rng.IntN(3000)) * time.Microsecond
		if rng.IntN(5) > 0 {
			a.Note(uint16(63000+i), at)
			came[uint16(63000+i)] = at / tick * tick
		}
		if rng.IntN(40) != 0 {
			continue
		}
		for a.Pending() > 0 {
			p, _, ok := Next(a.Append(nil, 1, 2))
			f, fine := p.Feedback()
			if !ok || !fine {
				break
			}
			now := f.Reference
			for r, ok := f.Next(); ok; r, ok = f.Next() {
				want, received := came[r.Sequence]
				if now += r.Delta; received != r.Received || received && now != want {
					t.Fatalf("%d came at %v, read %v", r.Sequence, want, now)
				}
				seen++
			}
		}
	}
	if seen < 4000 {
		t.Errorf("%d read", seen)
	}
}

func TestFeedbackCut(t *testing.T) {
	whole := []byte{
		0, 0, 0, 1, 0, 0, 0, 2, 0, 5, 0, 3, 0, 0, 1, 0, // base 5, 3 numbers
		0x20, 0x03, 4, 8, 12, 0,
	}
	for n := range len(whole) {
		p := Packet{Type: TypeTransport, Format: FormatTransportCC, Body: whole[:n]}
		f, ok := p.Feedback()
		if ok != (n >= 18) {
			t.Errorf("%d bytes: %v", n, ok)
		}
		read := 0
		for _, ok := f.Next(); ok; _, ok = f.Next() {
			read++
		}
		if want := min(max(n-18, 0), 3); read != want {
			t.Errorf("%d bytes: %d read, want %d", n, read, want)
		}
	}
}

func TestReadsNoAllocation(t *testing.T) {
	b := AppendREMB(AppendNack(nil, 1, 2, []uint16{3, 4, 50}), 1, 1000, 2)
	var a Arrivals
	for i := range 100 {
		a.Note(uint16(i), time.Duration(i)*time.Millisecond)
	}
	b = a.Append(b, 1, 2)
	out, lost := make([]byte, 0, 200), []uint16{1, 2, 99}
	if n := testing.AllocsPerRun(100, func() {
		walk(b)
		AppendREMB(AppendNack(out, 1, 2, lost), 1, 1000, 2, 3)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// walk reads all that a compound says and returns how much it is.
func walk(b []byte) (n int) {
	for p, rest, ok := Next(b); ok; p, rest, ok = Next(rest) {
		p.PLI()
		p.REMB()
		for i := 0; ; i++ {
			if _, _, ok := p.FIR(i); !ok {
				break
			}
			n++
		}
		m, _ := p.Missing()
		for _, ok := m.Next(); ok; _, ok = m.Next() {
			n++
		}
		f, _ := p.Feedback()
		for _, ok := f.Next(); ok; _, ok = f.Next() {
			n++
		}
	}
	return n
}

func FuzzFeedback(f *testing.F) {
	f.Add(AppendREMB(AppendNack(nil, 1, 2, []uint16{3, 4, 50}), 1, 1000, 2))
	var a Arrivals
	for i := range 100 {
		a.Note(uint16(i), time.Duration(i*i%77)*time.Millisecond)
	}
	f.Add(a.Append(nil, 1, 2))
	f.Add([]byte{0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 5, 0xff, 0xff, 0, 0, 1, 0, 0x20, 0x03, 4, 8})
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := walk(b); n > len(b)*maxStatuses {
			t.Fatalf("%d of %d bytes", n, len(b))
		}
		compareNack(t, b)
	})
}

// compareNack compares with pion where both read an acknowledgement.
func compareNack(t *testing.T, b []byte) {
	t.Helper()
	p, rest, ok := Next(b)
	var n pion.TransportLayerNack
	if _, named := p.Missing(); !ok || !named || len(rest) > 0 || b[0]&paddingBit != 0 || n.Unmarshal(b) != nil {
		return
	}
	var want []uint16
	for _, pair := range n.Nacks {
		want = append(want, pair.PacketList()...)
	}
	if got := missing(t, p); !slices.Equal(got, want) {
		t.Fatalf("%v, pion %v", got, want)
	}
}

func BenchmarkFeedback(b *testing.B) {
	var a Arrivals
	for i := range 100 {
		a.Note(uint16(i), time.Duration(i*i%77)*time.Millisecond)
	}
	in := a.Append(nil, 1, 2)
	b.ReportAllocs()
	for b.Loop() {
		if walk(in) != 100 {
			b.Fatal("not read")
		}
	}
}

func BenchmarkMissing(b *testing.B) {
	in := AppendNack(nil, 1, 2, []uint16{3, 4, 9, 50, 51, 300})
	b.ReportAllocs()
	for b.Loop() {
		if walk(in) != 6 {
			b.Fatal("not read")
		}
	}
}
