package udp

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What leaves must find nobody who waits for the socket: the kernel would look
// at them for each packet, and wake a thread. Only a Read that has nothing to
// read waits, and for nothing but what comes.
func TestWatchedOnlyByRead(t *testing.T) {
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
	to := trunk.LocalAddr()
	ds := []*Datagram{new(Datagram)}
	for range 3 {
		read := make(chan error)
		go func() {
			n, err := trunk.Read(ds)
			if err == nil && n != 1 {
				err = fmt.Errorf("%d datagrams", n)
			}
			read <- err
		}()
		all := watches(t, st.Ino)
		for end := time.Now().Add(10 * time.Second); len(all) == 0 && time.Now().Before(end); all = watches(t, st.Ino) {
			time.Sleep(time.Millisecond)
		}
		if len(all) != 1 || all[0]&unix.EPOLLIN == 0 || all[0]&unix.EPOLLOUT != 0 {
			t.Errorf("a Read waits: watched for %#x", all)
		}
		if err := s.WriteTo([]byte("x"), to); err != nil {
			t.Fatal(err)
		}
		if err := <-read; err != nil {
			t.Fatal(err)
		}
		if all := watches(t, st.Ino); len(all) != 0 {
			t.Errorf("nobody waits: watched for %#x", all)
		}
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
