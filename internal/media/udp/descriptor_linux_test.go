//go:build linux && (amd64 || arm64)

package udp

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Who waits for the socket must not be woken by what leaves it: for each packet
// the kernel would wake a thread.
func TestWatchedForReadingOnly(t *testing.T) {
	trunk, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer trunk.Close()
	s, ok := trunk.(*batched)
	if !ok {
		t.Skip("no batched socket here")
	}
	var st unix.Stat_t
	if err := unix.Fstat(s.on.fd, &st); err != nil {
		t.Fatal(err)
	}
	watched := 0
	for _, events := range watches(t, st.Ino) {
		watched++
		if events&unix.EPOLLOUT != 0 {
			t.Errorf("watched for %#x", events)
		}
	}
	if watched != 1 {
		t.Errorf("watched %d times", watched)
	}
}

// watches returns what the process waits for of a file.
func watches(t *testing.T, inode uint64) (all []int) {
	t.Helper()
	infos, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil || len(infos) == 0 {
		t.Fatal("no fdinfo:", err)
	}
	for _, name := range infos {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // closed meanwhile
		}
		for line := range strings.Lines(string(text)) {
			var fd, events, pos int
			var data, ino uint64
			n, _ := fmt.Sscanf(strings.Join(strings.Fields(line), " "), "tfd: %d events: %x data: %x pos:%d ino:%x", &fd, &events, &data, &pos, &ino)
			if n == 5 && ino == inode {
				all = append(all, events)
			}
		}
	}
	return all
}

// TestOffload proves with counts that packets of one tick for one receiver go
// down together: 10 packets for each of 100 receivers.
func TestOffload(t *testing.T) {
	s, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if b, ok := s.(*batched); !ok || !b.gso {
		t.Skip("no segmentation offload here")
	}
	for i := range 100 {
		to := Peer{AddrPort: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(20000+i))}
		for range 10 {
			s.Space(120)
			s.Send(120, to)
		}
	}
	s.Flush()
	if got := s.Sent(); got.Packets+got.Failed != 1000 || got.Messages > 100 || got.Calls > 2+got.Failed/10 {
		t.Errorf("sent %+v", got)
	}
}

// TestFullBuffer: a link that takes nothing more is waited for by all runs
// together, not by each.
func TestFullBuffer(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		defer unix.Close(fd)
	}
	if err = unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_SNDBUF, 1); err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull) // calls back as anything does
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	raw, err := null.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	s := newBatchSender(base{}, &descriptor{fd: fds[0], raw: raw}, false)
	const runs = 100
	for i := range runs {
		copy(s.Space(3), "abc")
		s.Send(3, Peer{AddrPort: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(i)}), 1)})
	}
	s.prepare()
	for i := range s.runs {
		s.out.messages[i].header.Namelen = 0 // it has one other end
	}
	s.push()
	if s.sent.Packets == 0 || s.sent.Packets+s.sent.Failed != runs || s.waits != maxWaits {
		t.Errorf("%+v after %d waits", s.sent, s.waits)
	}
}
