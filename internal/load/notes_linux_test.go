package load

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestNotes notes more samples than a ring holds, with packets among them that
// reach the socket: what is left is told in order and with its time, once.
func TestNotes(t *testing.T) {
	if _, err := shared(); errors.Is(err, unix.EPERM) {
		t.Skip(err)
	}
	const (
		sent  = ringSize + 3000
		plain = sent - 10
	)
	start := time.Now()
	var all []*socket
	for range 2 {
		s, _, err := listen(netip.MustParseAddr("127.0.0.1"), false, true)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		if s.notes == nil {
			t.Fatal("no notes")
		}
		s.hush()
		all = append(all, s)
	}
	to, err := unix.Getsockname(int(all[0].file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	from, err := net.Dial("udp4", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(to.(*unix.SockaddrInet4).Port)).String())
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	// the kernel begins to note when packets reach sockets a moment after it is asked to
	time.Sleep(wait(false))
	for i := range uint16(sent) {
		kind := uint8(vp8Type | 0x80)
		if i == plain {
			kind++ // a repeated packet
		}
		b := header(t, vp8Type, 1, i, i)
		b[1] = kind
		if _, err := from.Write(append(b, make([]byte, noteSize)...)); err != nil {
			t.Fatal(err)
		}
	}
	next, last := uint16(sent-ringSize-1), start
	told := func(noted bool) take {
		return func(b []byte, at time.Time) {
			seq, ok := transportSequence(b)
			if !ok || seq != next || noted == (seq == plain) {
				t.Fatalf("packet %d, noted %v; want %d", seq, noted, next)
			}
			if at.Before(last) || at.After(time.Now()) {
				t.Errorf("packet %d came at %v after %v", seq, at, last)
			}
			next, last = seq+1, at
		}
	}
	all[0].collect(told(false), told(true))
	if next != sent {
		t.Errorf("the last packet is %d", next-1)
	}
	for _, s := range all {
		s.collect(told(false), told(true))
	}
}
