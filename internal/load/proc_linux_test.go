package load

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestProcessOfAddress has two processes listen on a port, each on an address
// of its own, and then both on one.
func TestProcessOfAddress(t *testing.T) {
	ours, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	here := ours.Addr().(*net.TCPAddr).AddrPort()
	there := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), here.Port())
	given, err := net.Listen("tcp4", there.String())
	if err != nil {
		t.Skip(err) // the port is taken there
	}
	defer given.Close()
	file, err := given.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	command := baselineCommand(t)
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.ExtraFiles = []*os.File{file}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = stdin.Close(), cmd.Wait() }()

	if _, err := findPID(there); !errors.Is(err, ErrSetting) || !strings.Contains(err.Error(), "--pid") || strings.Contains(err.Error(), "\n") {
		t.Errorf("both listen: %v", err)
	}
	_, _ = file.Close(), given.Close()
	if pid, err := findPID(there); err != nil || pid != cmd.Process.Pid {
		t.Errorf("%s belongs to %d, %v; want %d", there, pid, err, cmd.Process.Pid)
	}
	if _, err := (Config{PID: os.Getpid()}).process(there); !errors.Is(err, ErrSetting) || !strings.Contains(err.Error(), strconv.Itoa(cmd.Process.Pid)) {
		t.Errorf("another process is named: %v", err)
	}
	if pid, err := (Config{PID: 1}).process(nowhere(t)); err != nil || pid != 1 {
		t.Errorf("nobody is seen to listen: %d, %v", pid, err)
	}
	if pid, err := findPID(here); err != nil || pid != os.Getpid() {
		t.Errorf("%s belongs to %d, %v; want %d", here, pid, err, os.Getpid())
	}
}

// nowhere returns an address that nobody listens on.
func nowhere(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}
