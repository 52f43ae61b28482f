package sctp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/datachannel"
	"github.com/pion/logging"
	"github.com/pion/sctp"
	"github.com/pion/transport/v4/packetio"
)

// link joins our end to pion's, and loses some packets of both.
type link struct {
	mu      sync.Mutex
	ours    *Association // guarded by mu
	began   time.Time
	lose    func() bool      // guarded by mu
	theirs  *packetio.Buffer // what pion reads
	opened  []uint16
	texts   []string
	binary  int
	answers bool // every text is said back
}

func newLink(t *testing.T, lose func() bool) *link {
	t.Helper()
	l := &link{began: time.Now(), lose: lose, theirs: packetio.NewBuffer()}
	rng := rand.New(rand.NewPCG(1, 2))
	l.ours = New(l, func(b []byte) {
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
	})
	return l
}

func (l *link) now() time.Duration { return time.Since(l.began) }

// run ticks until stop is closed.
func (l *link) run(stop <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			l.mu.Lock()
			l.ours.Tick(l.now())
			l.mu.Unlock()
		}
	}
}

func (l *link) Packet(b []byte) {
	if len(b) > maxPacket {
		panic("packet too long")
	}
	if !l.lose() {
		_, _ = l.theirs.Write(b)
	}
}

func (l *link) Opened(stream uint16) { l.opened = append(l.opened, stream) }

func (l *link) Message(stream uint16, text bool, b []byte) {
	if !text {
		l.binary++
		return
	}
	l.texts = append(l.texts, string(b))
	if l.answers && !l.ours.Send(l.now(), stream, b[:min(len(b), MaxSend)]) {
		panic("answer refused")
	}
}

func (l *link) Read(b []byte) (int, error) { return l.theirs.Read(b) }

func (l *link) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.lose() {
		l.ours.Receive(l.now(), bytes.Clone(b))
	}
	return len(b), nil
}

func (l *link) Close() error                  { return nil }
func (*link) LocalAddr() net.Addr             { return net.UDPAddrFromAddrPort(netip.AddrPort{}) }
func (l *link) RemoteAddr() net.Addr          { return l.LocalAddr() }
func (l *link) SetDeadline(t time.Time) error { return l.theirs.SetReadDeadline(t) }

func (l *link) SetReadDeadline(t time.Time) error { return l.theirs.SetReadDeadline(t) }
func (*link) SetWriteDeadline(time.Time) error    { return nil }

func (l *link) said() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.texts)
}

// dial opens an association and a channel with pion.
func (l *link) dial(t *testing.T, stream uint16) (*sctp.Association, *datachannel.DataChannel) {
	t.Helper()
	quiet := &logging.DefaultLoggerFactory{Writer: io.Discard}
	a, err := sctp.ClientWithOptions(sctp.WithNetConn(l), sctp.WithLoggerFactory(quiet))
	if err != nil {
		t.Fatal(err)
	}
	ch, err := datachannel.Dial(a, stream, &datachannel.Config{Label: "data", LoggerFactory: quiet})
	if err != nil {
		t.Fatal(err)
	}
	return a, ch
}

// TestPion: what pion says arrives whole and in order, and so does what it is
// answered, however much of it gets lost.
func TestPion(t *testing.T) {
	for _, percent := range []int{0, 5, 25} {
		t.Run(fmt.Sprintf("loss=%d", percent), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(3, 4))
				l := newLink(t, func() bool { return rng.IntN(100) < percent })
				l.answers = true
				stop := make(chan struct{})
				defer close(stop)
				go l.run(stop)
				a, ch := l.dial(t, 3)
				var said, heard []string
				b := make([]byte, 2000)
				for i := range 40 {
					text := fmt.Sprintf("%d ", i) + strings.Repeat("x", 1+i*i*20)
					if _, err := ch.WriteDataChannel([]byte(text), true); err != nil {
						t.Fatal(err)
					}
					said = append(said, text)
					n, isText, err := ch.ReadDataChannel(b)
					if err != nil || !isText {
						t.Fatalf("read: %v, text %t", err, isText)
					}
					heard = append(heard, string(b[:n]))
				}
				if got := l.said(); !slices.Equal(got, said) {
					t.Errorf("got %d texts, want %d", len(got), len(said))
				}
				for i, text := range heard {
					if text != said[i][:min(len(said[i]), MaxSend)] {
						t.Errorf("answer %d is %.20q", i, text)
					}
				}
				<-time.After(time.Minute) // confirmations are delayed, and get lost
				l.mu.Lock()
				if !slices.Equal(l.opened, []uint16{3}) || l.ours.flight != 0 || l.ours.held != 0 {
					t.Errorf("opened %v, %d bytes unconfirmed, %d held", l.opened, l.ours.flight, l.ours.held)
				}
				l.mu.Unlock()
				a.Abort("done")
				_ = l.theirs.Close()
				_ = a.Close()
			})
		})
	}
}

// TestRestart: a client that begins anew is heard, and its end is understood.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(t, func() bool { return false })
		for round, end := range []func(*sctp.Association){
			func(*sctp.Association) {},
			func(a *sctp.Association) { a.Abort("bye") },
			func(a *sctp.Association) { _ = a.Shutdown(t.Context()) },
		} {
			a, ch := l.dial(t, 0)
			text := fmt.Sprintf("round %d", round)
			if _, err := ch.WriteDataChannel([]byte(text), true); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := l.said(); got[len(got)-1] != text || len(got) != round+1 {
				t.Fatalf("got %q", got)
			}
			end(a)
			synctest.Wait()
			l.mu.Lock()
			if up := l.ours.up; up != (round == 0) {
				t.Errorf("round %d: up %t after its end", round, up)
			}
			l.theirs.Close()
			l.mu.Unlock()
			_ = a.Close()
			l.mu.Lock()
			l.theirs = packetio.NewBuffer()
			l.mu.Unlock()
		}
	})
}

// TestSilence: nothing is sent for ever to a client that confirms nothing.
func TestSilence(t *testing.T) {
	e := establish(t)
	for e.a.Send(0, 7, []byte("x")) {
	}
	if n := len(e.a.waiting); n != maxQueued {
		t.Errorf("%d messages wait", n)
	}
	e.packets = nil
	for s := range 1000 {
		e.a.Tick(time.Duration(s) * time.Second)
	}
	if len(e.packets) < maxTries || len(e.packets) > maxTries+1 || e.a.up || e.a.waiting != nil {
		t.Errorf("%d packets, up %t", len(e.packets), e.a.up)
	}
	if last := e.packets[len(e.packets)-1]; last[commonHeader] != kindAbort {
		t.Errorf("the last one is of kind %d", last[commonHeader])
	}
	if e.a.Send(0, 7, []byte("x")) {
		t.Error("sent without an association")
	}
}

// end is a client made by hand.
type end struct {
	a       *Association
	packets [][]byte
	texts   []string
	tag     uint32
	tsn     uint32
}

func (e *end) Packet(b []byte)                       { e.packets = append(e.packets, bytes.Clone(b)) }
func (*end) Opened(uint16)                           {}
func (e *end) Message(_ uint16, text bool, b []byte) { e.texts = append(e.texts, string(b)) }

// send sends chunks in a packet.
func (e *end) send(tag uint32, chunks ...[]byte) {
	b := []byte{0x13, 0x88, 0x13, 0x88}
	b = binary.BigEndian.AppendUint32(b, tag)
	b = append(append(b, 0, 0, 0, 0), slices.Concat(chunks...)...)
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b, castagnoli))
	e.a.Receive(0, b)
}

// words makes the body of a chunk.
func words(w ...uint32) (b []byte) {
	for _, v := range w {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// piece makes a DATA chunk of stream 7.
func piece(tsn uint32, flags byte, protocol uint32, b string) []byte {
	return appendChunk(nil, kindData, flags, append(words(tsn, 7<<16, protocol), b...))
}

// establish makes an association with channel 7.
func establish(t testing.TB) *end {
	t.Helper()
	e := &end{tsn: 0xfffffffe}
	e.a = New(e, func(b []byte) { clear(b) })
	e.send(0, appendChunk(nil, kindInit, 0, words(99, 1<<17, 1<<16|1, e.tsn)))
	answer := e.packets[0][commonHeader:]
	e.tag = binary.BigEndian.Uint32(answer[4:])
	e.send(e.tag, appendChunk(nil, kindCookieEcho, 0, answer[len(answer)-cookieSize:]), piece(e.tsn, 3, protocolControl, "\x03"))
	e.tsn++
	if !e.a.up || e.a.channel(7) == nil {
		t.Fatal("not up")
	}
	return e
}

// TestOrder: fragments that come in any order make messages.
func TestOrder(t *testing.T) {
	e := establish(t)
	n := e.tsn // 2^32-1: numbers wrap
	for _, p := range [][]byte{
		piece(n+2, 1, protocolText, "c"), piece(n+4, 2, protocolText, "d"), piece(n+1, 0, protocolText, "b"),
		piece(n+4, 2, protocolText, "d"), piece(n, 2, protocolText, "a"), piece(n, 2, protocolText, "a"),
		piece(n+3, 3, protocolText, "alone"), piece(n+5, 1, protocolText, "e"),
		piece(n+6, 1, protocolText, "no beginning"), piece(n+7, 3, protocolText, "last"),
	} {
		e.send(e.tag, p)
	}
	if want := []string{"abc", "alone", "de", "last"}; !slices.Equal(e.texts, want) {
		t.Errorf("got %q, want %q", e.texts, want)
	}
	if len(e.packets) != 2+10 {
		t.Errorf("%d packets, want one confirmation for each", len(e.packets))
	}
	sack := e.packets[2][commonHeader+chunkHeader:] // of the one that came too early
	if got := binary.BigEndian.Uint32(sack); got != n-1 || !bytes.Equal(sack[8:], []byte{0, 1, 0, 0, 0, 3, 0, 3}) {
		t.Errorf("confirmed %d and %x", got, sack[8:])
	}
}

// TestBounds: what comes too early, or is too long, takes little memory.
func TestBounds(t *testing.T) {
	e := establish(t)
	long := strings.Repeat("x", 1100)
	for i := range uint32(200) {
		e.send(e.tag, piece(e.tsn+1+i*2, 3, protocolText, long))
	}
	if e.a.held > maxHeld || len(e.a.early) > maxEarly {
		t.Errorf("holds %d bytes in %d chunks", e.a.held, len(e.a.early))
	}
	e = establish(t)
	e.send(e.tag, piece(e.tsn, 2, protocolText, long))
	for i := range uint32(100) {
		e.send(e.tag, piece(e.tsn+1+i, 0, protocolText, long))
	}
	if e.a.message != nil {
		t.Errorf("keeps %d bytes of a message", len(e.a.message))
	}
	e.send(e.tag, piece(e.tsn+101, 1, protocolText, "end"), piece(e.tsn+102, 3, protocolText, "next"))
	if !slices.Equal(e.texts, []string{"next"}) {
		t.Errorf("got %d texts", len(e.texts))
	}
	for i := range uint32(2 * maxChannels) {
		e.send(e.tag, appendChunk(nil, kindData, 3, append(words(e.tsn+103+i, i<<16, protocolControl), controlOpen)))
	}
	if n := len(e.a.channels); n != maxChannels {
		t.Errorf("%d channels", n)
	}
}

// TestForeign: without the right tag or checksum nothing is believed.
func TestForeign(t *testing.T) {
	e := establish(t)
	e.send(e.tag+1, piece(e.tsn, 3, protocolText, "x"))
	e.send(e.tag+1, appendChunk(nil, kindAbort, 0, nil))
	e.send(e.tag+1, appendChunk(nil, kindCookieEcho, 0, make([]byte, cookieSize)))
	b := append([]byte{0x13, 0x88, 0x13, 0x88}, make([]byte, 8)...)
	binary.BigEndian.PutUint32(b[4:], e.tag)
	e.a.Receive(0, append(b, piece(e.tsn, 3, protocolText, "x")...))
	if len(e.texts) > 0 || !e.a.up || len(e.packets) != 2 {
		t.Errorf("texts %q, up %t, %d packets", e.texts, e.a.up, len(e.packets))
	}
	e.send(99, appendChunk(nil, kindAbort, flagReflected, nil))
	if e.a.up {
		t.Error("up after an abort")
	}
}

// TestHeartbeat is answered with what it said.
func TestHeartbeat(t *testing.T) {
	e := establish(t)
	e.send(e.tag, appendChunk(nil, kindHeartbeat, 0, []byte("abcde")), appendChunk(nil, 0xc1, 0, []byte("new")), appendChunk(nil, kindHeartbeat, 0, []byte("f")))
	got := e.packets[2][commonHeader:]
	if want := slices.Concat(appendChunk(nil, kindHeartbeatAck, 0, []byte("abcde")), appendChunk(nil, kindHeartbeatAck, 0, []byte("f"))); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	e.send(e.tag, appendChunk(nil, kindHeartbeat, 0, make([]byte, maxPacket)))
	if len(e.packets) != 3 {
		t.Error("one that is too long is answered")
	}
}

// FuzzReceive: chunks of anything leave the association within its bounds.
func FuzzReceive(f *testing.F) {
	f.Add(false, appendChunk(nil, kindInit, 0, words(99, 1<<17, 1<<16|1, 5)))
	f.Add(true, slices.Concat(piece(0xffffffff, 2, protocolText, "ab"), piece(1, 1, protocolText, "c")))
	f.Add(true, appendChunk(nil, kindSack, 0, words(0, 1000, 1<<16, 1<<16|2)))
	f.Fuzz(func(t *testing.T, tagged bool, chunks []byte) {
		e := establish(t)
		for range 4 {
			e.a.Send(0, 7, []byte("hello"))
		}
		tag := uint32(0)
		if tagged {
			tag = e.tag
		}
		for range 2 {
			e.send(tag, chunks)
		}
		e.a.Tick(time.Minute)
		sum := 0
		for _, o := range e.a.waiting[:e.a.flying] {
			sum += len(o.body)
		}
		if e.a.flight != sum || e.a.held < 0 || e.a.held > maxHeld || len(e.a.early) > maxEarly || len(e.a.message) > MaxMessage {
			t.Fatalf("flight %d of %d, holds %d in %d, %d of a message", e.a.flight, sum, e.a.held, len(e.a.early), len(e.a.message))
		}
		for _, p := range e.packets {
			if len(p) > maxPacket || !checked(p) {
				t.Fatalf("wrote %d bytes", len(p))
			}
		}
	})
}
