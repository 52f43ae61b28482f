package sfu

import (
	"encoding/binary"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v3"
)

// envSiege is how long TestSiege's attack is: "24h" takes some minutes of a
// machine that does nothing else.
const envSiege = "PARLEY_SIEGE"

// An attack of a second is so many datagrams.
const siegeRate = 1000

// usage is what a server must not need more of.
type usage struct {
	bytes, objects int64
	goroutines     int
}

func used() usage {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools keep is let go the second time
	runtime.ReadMemStats(&m)
	return usage{int64(m.HeapAlloc), int64(m.HeapObjects), runtime.NumGoroutine()}
}

// TestSiege lets a call go on while strangers, those who know a member's
// address, and a member attack the server: nothing of the call gets lost,
// memory stays as it is, and what was refused is counted.
func TestSiege(t *testing.T) {
	long := 5 * time.Minute
	if text := os.Getenv(envSiege); text != "" {
		var err error
		if long, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	before := runtime.NumGoroutine()
	t.Run("call", func(t *testing.T) {
		s := besiege(t)
		total := uint64(long.Seconds() * siegeRate)
		s.run(total / 10) // caches and buffers get what they may have
		first, sent, began := used(), s.sent, time.Now()
		s.run(total - s.sent)
		last, took := used(), time.Since(began)
		t.Logf("%d datagrams in %v; %d rounds; before %+v, after %+v", s.sent-sent, took, s.rounds, first, last)
		const bytes, objects, goroutines = 1 << 20, 10_000, 2
		if last.bytes > first.bytes+bytes || last.objects > first.objects+objects || last.goroutines > first.goroutines+goroutines {
			t.Errorf("needs %+v after the attack, %+v before", last, first)
		}
		s.judge()
	})
	eventually(t, func() string {
		if n := runtime.NumGoroutine(); n > before {
			var stacks strings.Builder
			_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			return fmt.Sprintf("%d goroutines, %d before:\n%s", n, before, &stacks)
		}
		return ""
	})
}

// judge checks what was counted.
func (s *siege) judge() {
	s.t.Helper()
	var all Metrics
	rooms := total(s.server, func(sh *shard) int {
		all.add(&sh.count)
		return len(sh.rooms)
	})
	drops := all.Drops
	s.t.Logf("dropped %+v", drops)
	for i, v := range reflect.ValueOf(drops).Fields() {
		least, most := s.exactly[i.Name], s.exactly[i.Name]+s.maybe[i.Name]
		if n := v.Uint(); n < least || n > most {
			s.t.Errorf("%d dropped as %s, want %d to %d", n, i.Name, least, most)
		}
	}
	if rooms != 1 {
		s.t.Errorf("%d rooms", rooms)
	}
	if s.screen.pictures != s.shots {
		s.t.Errorf("%d pictures seen, %d shot", s.screen.pictures, s.shots)
	}
	for len(s.ear.gone) > 0 {
		if conn := <-s.ear.gone; conn < newcomers {
			s.t.Errorf("connection %d is gone", conn)
		}
	}
}

// unsealed makes a DTLS record without a cipher.
func unsealed(kind byte, number uint64, body []byte) []byte {
	b := binary.BigEndian.AppendUint64([]byte{kind, 254, 253}, number&(1<<48-1))
	return append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...)
}

// message makes a whole handshake message.
func message(kind byte, number uint16, body []byte) []byte {
	size := []byte{byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}
	b := append([]byte{kind}, size...)
	b = binary.BigEndian.AppendUint16(b, number)
	return append(append(append(b, 0, 0, 0), size...), body...)
}

// TestPlainRecords: whoever writes a client's address on a datagram ends
// nothing with it, and fills no memory.
func TestPlainRecords(t *testing.T) {
	for _, setup := range []string{"passive", "active"} {
		t.Run(setup, func(t *testing.T) {
			s, e := start(t)
			a := connect(t, s, options{conn: 1, ssrc: 10, setup: setup})
			b := connect(t, s, options{conn: 2, ssrc: 20})
			ready(t, s, 2)
			closing, fatal := []byte{1, 0}, []byte{2, 40}
			for i, bad := range [][]byte{
				unsealed(21, 1000, closing), unsealed(21, 1001, fatal), unsealed(21, 1002, []byte{1, 90}), unsealed(21, 1003, nil),
				unsealed(23, 1004, []byte("data")), unsealed(25, 1005, []byte("id")), unsealed(63, 1006, nil),
				unsealed(20, 1007, []byte{7}), unsealed(22, 1008, []byte{1}), unsealed(22, 1009, message(0, 9, nil)),
				append([]byte{23, 254, 253, 0, 1, 0, 0, 0, 0, 9, 9, 0, 1, 0}, unsealed(21, 1010, closing)...),
				{21},
				append(unsealed(23, 1011, nil)[:11], 0xff, 0xff),
			} {
				a.write(bad)
				text := fmt.Sprint("after ", i)
				a.say(text)
				b.hears(10, text)
			}
			const messages, size, some = 300, 1000, 20
			for i := range messages {
				a.write(unsealed(contentHandshake, uint64(2000+i), message(11, uint16(i), make([]byte, size))))
				if i%some == some-1 {
					text := fmt.Sprint("message ", i)
					a.say(text)
					b.hears(10, text)
				}
			}
			eventually(t, func() string {
				if got := s.Metrics().Drops.Malformed; got < messages-maxPlain/size {
					return fmt.Sprintf("%d records refused", got)
				}
				return ""
			})
			if len(e.gone) > 0 {
				t.Errorf("connection %d is gone", <-e.gone)
			}
		})
	}
}

// TestReplayedChecks: who repeats a client's check from elsewhere leads nothing
// there while the client talks, and leaves no more than a few addresses.
func TestReplayedChecks(t *testing.T) {
	s, e := start(t)
	a := connect(t, s, options{conn: 1, ssrc: 10})
	b := connect(t, s, options{conn: 2, ssrc: 20})
	ready(t, s, 2)
	check := a.binding(a.answer.Transport.Pwd,
		stun.RawAttribute{Type: stun.AttrICEControlling, Value: make([]byte, 8)}, stun.RawAttribute{Type: stun.AttrUseCandidate})
	answer := make([]byte, 1500)
	for i := range 3 * maxAddrs {
		stranger := listen(t)
		if _, err := stranger.WriteToUDPAddrPort(check, a.remote); err != nil {
			t.Fatal(err)
		}
		if n, err := stranger.Read(answer); err != nil || answer[0] != 1 {
			t.Fatalf("answer %x, %v", answer[:n], err)
		}
		text := fmt.Sprint("word ", i)
		a.say(text)
		b.hears(10, text)
		b.say(text)
		a.hears(20, text)
	}
	if n := total(s, func(sh *shard) int { return len(sh.byAddr) }); n > maxAddrs+1 {
		t.Errorf("%d addresses are known of two clients", n)
	}
	eventually(t, func() string {
		if n := total(s, func(sh *shard) int { return len(sh.away) }); n > maxAddrs+1 {
			return fmt.Sprintf("%d addresses are steered", n)
		}
		return ""
	})
	if len(e.gone) > 0 {
		t.Errorf("connection %d is gone", <-e.gone)
	}
}
