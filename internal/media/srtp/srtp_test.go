package srtp

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/pion/rtp"
	pion "github.com/pion/srtp/v3"
)

var profiles = map[string]struct {
	ours   Profile
	theirs pion.ProtectionProfile
}{
	"gcm128": {GCM128, pion.ProtectionProfileAeadAes128Gcm},
	"gcm256": {GCM256, pion.ProtectionProfileAeadAes256Gcm},
	"cmsha1": {CMSHA1, pion.ProtectionProfileAes128CmHmacSha1_80},
}

func material(p Profile) []byte {
	b := make([]byte, p.Material())
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// client makes pion's contexts of the other side, which was the DTLS server.
func client(t *testing.T, p Profile, theirs pion.ProtectionProfile) (in, out *pion.Context) {
	t.Helper()
	m := material(p)
	k, s := p.lengths()
	var err error
	if in, err = pion.CreateContext(m[:k], m[2*k:2*k+s], theirs); err != nil {
		t.Fatal(err)
	}
	if out, err = pion.CreateContext(m[k:2*k], m[2*k+s:], theirs); err != nil {
		t.Fatal(err)
	}
	return in, out
}

func plain(seq uint16, n int) []byte {
	p := rtp.Packet{
		Header:  rtp.Header{Version: 2, PayloadType: 111, SequenceNumber: seq, Timestamp: uint32(seq) * 960, SSRC: 0x80000001},
		Payload: bytes.Repeat([]byte{byte(seq)}, n),
	}
	_ = p.SetExtension(1, []byte{40})
	b, _ := p.Marshal()
	return b
}

// TestAgainstPion sends packets through a rollover in both directions.
func TestAgainstPion(t *testing.T) {
	for name, p := range profiles {
		t.Run(name, func(t *testing.T) {
			in, out, err := Pair(p.ours, material(p.ours), true)
			if err != nil {
				t.Fatal(err)
			}
			theirIn, theirOut := client(t, p.ours, p.theirs)
			var w Window
			for i := uint64(65500); i < 65600; i++ {
				b := plain(uint16(i), 1+int(i%90))
				buf := make([]byte, len(b)+Overhead)
				n, err := out.SealRTP(buf, copy(buf, b[:20]), b[20:], i)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := theirIn.DecryptRTP(nil, buf[:n], nil); err != nil || !bytes.Equal(got, b) {
					t.Fatalf("packet %d for pion: %v", i, err)
				}
				sealed, err := theirOut.EncryptRTP(nil, b, nil)
				if err != nil {
					t.Fatal(err)
				}
				index := w.Index(uint16(i))
				got, err := in.OpenRTP(sealed, 20, index)
				if err != nil || !bytes.Equal(got, b) || index != i || !w.Fresh(index) {
					t.Fatalf("packet %d from pion: index %d, %v", i, index, err)
				}
				w.Accept(index)
			}
		})
	}
}

func TestRTCPAgainstPion(t *testing.T) {
	for name, p := range profiles {
		t.Run(name, func(t *testing.T) {
			in, out, err := Pair(p.ours, material(p.ours), true)
			if err != nil {
				t.Fatal(err)
			}
			theirIn, theirOut := client(t, p.ours, p.theirs)
			for i := range 5 {
				b := append([]byte{0x80, 201, 0, 1, 0, 0, 0, byte(i % 2)}, make([]byte, 4*i)...)
				binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))
				buf := make([]byte, len(b)+Overhead)
				n, err := out.SealRTCP(buf, b)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := theirIn.DecryptRTCP(nil, buf[:n], nil); err != nil || !bytes.Equal(got, b) {
					t.Fatalf("packet %d for pion: %x, %v", i, got, err)
				}
				sealed, err := theirOut.EncryptRTCP(nil, b, nil)
				if err != nil {
					t.Fatal(err)
				}
				again := bytes.Clone(sealed)
				if got, err := in.OpenRTCP(sealed); err != nil || !bytes.Equal(got, b) {
					t.Fatalf("packet %d from pion: %x, %v", i, got, err)
				}
				if _, err := in.OpenRTCP(again); err == nil {
					t.Fatal("replayed packet accepted")
				}
			}
		})
	}
}

func TestForgedPackets(t *testing.T) {
	for name, p := range profiles {
		in, _, err := Pair(p.ours, material(p.ours), true)
		if err != nil {
			t.Fatal(err)
		}
		_, theirOut := client(t, p.ours, p.theirs)
		sealed, err := theirOut.EncryptRTP(nil, plain(1, 50), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range sealed {
			b := bytes.Clone(sealed)
			b[i] ^= 1
			if _, err := in.OpenRTP(b, 20, 1); err == nil && i != 2 && i != 3 {
				t.Errorf("%s: byte %d forged", name, i)
			}
			if _, err := in.OpenRTP(bytes.Clone(sealed[:i]), 20, 1); err == nil {
				t.Errorf("%s: cut at %d accepted", name, i)
			}
			if _, err := in.OpenRTCP(bytes.Clone(sealed[:i])); err == nil {
				t.Errorf("%s: RTP cut at %d accepted as RTCP", name, i)
			}
		}
	}
}

func TestPairRefuses(t *testing.T) {
	if _, _, err := Pair(GCM128, make([]byte, 3), true); err == nil {
		t.Error("short material accepted")
	}
	if _, _, err := Pair(2, nil, true); err == nil {
		t.Error("unknown profile accepted")
	}
}

func TestWindow(t *testing.T) {
	for name, tt := range map[string]struct {
		came  []uint64
		seq   uint16
		index uint64
		fresh bool
	}{
		"first":              {nil, 65535, 65535, true},
		"next":               {[]uint64{5}, 6, 6, true},
		"same":               {[]uint64{5}, 5, 5, false},
		"late":               {[]uint64{5, 9}, 7, 7, true},
		"rollover":           {[]uint64{65535}, 0, 65536, true},
		"late over rollover": {[]uint64{65535, 65537}, 65534, 65534, true},
		"same over rollover": {[]uint64{65535, 65537}, 65535, 65535, false},
		"too old":            {[]uint64{1, 1 + reach}, 1, 1, false},
		"oldest":             {[]uint64{1, 1 + reach}, 2, 2, true},
		"before the first":   {[]uint64{3}, 65535, 65535, true},
		"long gap":           {[]uint64{3, 30000}, 29999, 29999, true},
	} {
		var w Window
		for _, i := range tt.came {
			w.Accept(i)
		}
		if got := w.Index(tt.seq); got != tt.index || w.Fresh(got) != tt.fresh {
			t.Errorf("%s: index %d, fresh %v; want %d, %v", name, got, w.Fresh(got), tt.index, tt.fresh)
		}
	}
}

// TestWindowRemembers compares the window with a set, over random order.
func TestWindowRemembers(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var w Window
	seen := map[uint64]bool{}
	for range 200000 {
		i := uint64(max(0, int(w.Top())+rng.IntN(1200)-1150))
		if old := w.Started() && i+reach <= w.Top(); w.Fresh(i) == (seen[i] || old) {
			t.Fatalf("fresh(%d) = %v at %d", i, w.Fresh(i), w.Top())
		}
		if w.Fresh(i) {
			w.Accept(i)
			seen[i] = true
		}
	}
}

func TestNoAllocation(t *testing.T) {
	in, out, err := Pair(GCM128, material(GCM128), true)
	if err != nil {
		t.Fatal(err)
	}
	_, theirOut := client(t, GCM128, pion.ProtectionProfileAeadAes128Gcm)
	b, buf := plain(1, 100), make([]byte, 200)
	sealed, _ := theirOut.EncryptRTP(nil, b, nil)
	cp := make([]byte, len(sealed))
	if n := testing.AllocsPerRun(100, func() {
		_, _ = out.SealRTP(buf, copy(buf, b[:20]), b[20:], 1)
		copy(cp, sealed)
		if _, err := in.OpenRTP(cp, 20, 1); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(plain(1, 50), 20)
	f.Fuzz(func(t *testing.T, b []byte, header int) {
		for _, p := range profiles {
			in, _, _ := Pair(p.ours, material(p.ours), true)
			if _, err := in.OpenRTP(bytes.Clone(b), header, 1); err == nil {
				t.Error("RTP opened")
			}
			if _, err := in.OpenRTCP(bytes.Clone(b)); err == nil {
				t.Error("RTCP opened")
			}
		}
	})
}

func BenchmarkSealRTP(b *testing.B) {
	for name, p := range profiles {
		b.Run(name, func(b *testing.B) {
			_, out, err := Pair(p.ours, material(p.ours), true)
			if err != nil {
				b.Fatal(err)
			}
			pkt, buf := plain(1, 100), make([]byte, 200)
			b.ReportAllocs()
			for i := range b.N {
				rtpSeq(pkt, uint16(i))
				_, _ = out.SealRTP(buf, copy(buf, pkt[:20]), pkt[20:], uint64(i))
			}
		})
	}
}

func rtpSeq(b []byte, seq uint16) { binary.BigEndian.PutUint16(b[2:], seq) }

// TestRollover takes streams over two rollovers, in both directions: packets
// come out of order around each, long gaps span them, two streams of one key
// take turns, and one of them begins late. pion is told each packet's rollover
// counter, so that no guess of its can hide a wrong one.
func TestRollover(t *testing.T) {
	for name, p := range profiles {
		t.Run(name, func(t *testing.T) {
			in, out, err := Pair(p.ours, material(p.ours), true)
			if err != nil {
				t.Fatal(err)
			}
			theirIn, theirOut := client(t, p.ours, p.theirs)
			var windows [2]Window
			buf := make([]byte, 200)
			for _, step := range rollovers() {
				b := plain(uint16(step.index), 30)
				b[11] = byte(step.stream)
				n, err := out.SealRTP(buf, copy(buf, b[:20]), b[20:], step.index)
				if err != nil {
					t.Fatal(err)
				}
				theirIn.SetROC(0x80000000|uint32(step.stream), uint32(step.index>>16))
				if got, err := theirIn.DecryptRTP(nil, buf[:n], nil); err != nil || !bytes.Equal(got, b) {
					t.Fatalf("packet %+v for pion: %v", step, err)
				}
				theirOut.SetROC(0x80000000|uint32(step.stream), uint32(step.index>>16))
				sealed, err := theirOut.EncryptRTP(nil, b, nil)
				if err != nil {
					t.Fatal(err)
				}
				w := &windows[step.stream]
				index := w.Index(uint16(step.index))
				got, err := in.OpenRTP(sealed, 20, index)
				if err != nil || !bytes.Equal(got, b) || index != step.index || !w.Fresh(index) {
					t.Fatalf("packet %+v from pion: index %d, %v", step, index, err)
				}
				w.Accept(index)
			}
		})
	}
}

// TestLong seals packets around the longest that vectors take, and longer ones.
func TestLong(t *testing.T) {
	for name, p := range profiles {
		_, out, err := Pair(p.ours, material(p.ours), true)
		if err != nil {
			t.Fatal(err)
		}
		theirIn, _ := client(t, p.ours, p.theirs)
		for i, size := range []int{4063, 4064, 4065, 9000} {
			b, buf := plain(uint16(i), size), make([]byte, size+100)
			n, err := out.SealRTP(buf, copy(buf, b[:20]), b[20:], uint64(i))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := theirIn.DecryptRTP(nil, buf[:n], nil); err != nil || !bytes.Equal(got, b) {
				t.Errorf("%s, %d bytes, for pion: %v", name, size, err)
			}
		}
	}
}

// TestBeginsLate opens and seals streams that are far along with their first
// packet.
func TestBeginsLate(t *testing.T) {
	const ssrc, roc, index = 0x80000001, 5, 5<<16 | 40000
	for name, p := range profiles {
		in, out, err := Pair(p.ours, material(p.ours), true)
		if err != nil {
			t.Fatal(err)
		}
		theirIn, theirOut := client(t, p.ours, p.theirs)
		theirIn.SetROC(ssrc, roc)
		theirOut.SetROC(ssrc, roc)
		b, buf := plain(index&0xffff, 30), make([]byte, 200)
		n, err := out.SealRTP(buf, copy(buf, b[:20]), b[20:], index)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := theirIn.DecryptRTP(nil, buf[:n], nil); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s for pion: %v", name, err)
		}
		sealed, err := theirOut.EncryptRTP(nil, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := in.OpenRTP(sealed, 20, index); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s from pion: %v", name, err)
		}
	}
}

// step is a packet of one of two streams.
type step struct {
	stream int
	index  uint64
}

// rollovers returns packets of two streams: every number around the rollovers,
// shuffled in blocks, and few in between. The second stream begins just before
// the first one's rollover.
func rollovers() (steps []step) {
	rng := rand.New(rand.NewPCG(11, 12))
	for i := uint64(100); i < 5<<15; {
		if at := i & 0xffff; at > 400 && at < 65100 {
			steps = append(steps, step{0, i})
			if i > 65000 {
				steps = append(steps, step{1, i - 1})
			}
			i += min(2900, 65101-at)
			continue
		}
		first := len(steps)
		for end := i + 50; i < end; i++ {
			steps = append(steps, step{0, i})
			if i > 65000 {
				steps = append(steps, step{1, i - 1})
			}
		}
		rng.Shuffle(len(steps)-first, func(a, b int) {
			steps[first+a], steps[first+b] = steps[first+b], steps[first+a]
		})
	}
	return steps
}
