package load

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestOnlyProbesAreWoken: what comes to anybody else's socket, or leaves it,
// must not wake a thread, which would take the processor from the server.
func TestOnlyProbesAreWoken(t *testing.T) {
	t.Parallel()
	cfg := Config{Scenario: tiny(t, "V3"), Feedback: true}
	side, err := cfg.open(t.Context(), "parley", newParley(serve(t), cfg.Scenario, false), 0)
	if side != nil {
		defer side.close()
	}
	if err != nil {
		t.Fatal(err)
	}
	watched, seen := watchedFiles(t), 0
	for _, m := range side.crowd.all() {
		if want := m.probe != nil; watched[m.count.inode] != want {
			t.Errorf("probe %v, publishes %v: watched %v", want, m.publishes, !want)
		}
		seen++
	}
	if want := cfg.Scenario.seats(); seen != want {
		t.Errorf("%d clients, want %d", seen, want)
	}
}

// watchedFiles returns the inodes of what the process waits for.
func watchedFiles(t *testing.T) map[uint64]bool {
	t.Helper()
	infos, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil || len(infos) == 0 {
		t.Fatal("no fdinfo:", err)
	}
	all := map[uint64]bool{}
	for _, name := range infos {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // closed meanwhile
		}
		for line := range strings.Lines(string(text)) {
			if _, after, ok := strings.Cut(line, " ino:"); ok && strings.HasPrefix(line, "tfd:") {
				var inode uint64
				if _, err := fmt.Sscanf(after, "%x", &inode); err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				all[inode] = true
			}
		}
	}
	return all
}

// TestReadLate: a packet came when the kernel got it, however late it is read.
func TestReadLate(t *testing.T) {
	s, _, err := listen(netip.MustParseAddr("127.0.0.1"), true, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.hush()
	start := time.Now()
	c := &client{clock: func() time.Duration { return time.Since(start) }}
	// the kernel begins to note times a moment after it is asked to
	for time.Since(start) < patience {
		sent := c.clock()
		if err := s.write([]byte("late"), s.watched.LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
			t.Fatal(err)
		}
		ready := []unix.PollFd{{Fd: int32(s.file.Fd()), Events: unix.POLLIN}}
		if n, err := unix.Poll(ready, int(patience.Milliseconds())); err == nil && n != 1 {
			t.Fatal("the packet does not come")
		}
		there, good := c.clock(), false
		s.collect(func(_ []byte, at time.Time) {
			came := c.came(at)
			good = came <= there && came > sent-time.Second
		}, nil)
		if good {
			return
		}
	}
	t.Error("packets come when they are read")
}
