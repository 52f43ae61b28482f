// Package harness runs the server for tests that meet it with real clients.
//
// It builds the program with the race detector, starts it as a process of its
// own, reads the client.json it writes, and judges how it ends: exit code 0,
// no data race, no panic, no error in its log. It knows nothing of Telegram:
// the drivers beside it bring the client libraries, each in its own module
// because they pin versions of one library that cannot live together.
package harness

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// How long the server may take to start and to stop. It is slow under the race
// detector on a busy machine.
const (
	startTime = 60 * time.Second
	stopTime  = 30 * time.Second
)

// A Server is one data directory and the process that serves it.
type Server struct {
	Client // as client.json tells; changes with every start

	dir string
	cmd *exec.Cmd
	out *output
	end chan exit
}

// exit is how a process ended.
type exit struct{ err error }

// Start runs a server in dev mode on a fresh data directory until the test
// ends, and judges it then.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartMedia(t, "127.0.0.1:0")
}

// StartMedia is Start with another address for media.
func StartMedia(t testing.TB, media string) *Server {
	t.Helper()
	s := &Server{dir: t.TempDir()}
	t.Cleanup(func() {
		if s.cmd != nil {
			s.Stop(t)
		}
	})
	s.run(t, "127.0.0.1:0", media)
	return s
}

// Restart runs the server again, where clients still look for it.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.run(t, s.TCP, s.Media)
}

// run starts the process and waits for its client.json.
func (s *Server) run(t testing.TB, listen, media string) {
	t.Helper()
	file := s.File()
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	s.cmd = Command(t, "serve", "--dev", "--data", s.dir, "--listen", listen, "--media", media)
	s.out = &output{}
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		t.Fatal("start the server:", err)
	}
	cmd, end := s.cmd, make(chan exit, 1)
	s.end = end
	go func() { end <- exit{cmd.Wait()} }()
	deadline := time.After(startTime)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case e := <-end:
			s.cmd = nil
			t.Fatalf("the server ended before it served: %v\n%s", e.err, s.out)
		case <-deadline:
			t.Fatalf("no %s after %v\n%s", file, startTime, s.out)
		case <-tick.C:
		}
		c, err := readClient(file)
		if err == nil {
			s.Client = c
			return
		}
		if !errors.Is(err, os.ErrNotExist) {
			t.Log(err) // half written: it must be whole the next time
		}
	}
}

// Kill ends the process without warning, as a power cut would.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal("kill the server:", err)
	}
	s.cmd = nil
	select {
	case <-s.end:
	case <-time.After(stopTime):
		t.Fatalf("the server lives %v after SIGKILL", stopTime)
	}
	s.judge(t)
}

// Stop ends the process as an operator would and judges how it went.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	cmd := s.cmd
	s.cmd = nil
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error("stop the server:", err)
	}
	select {
	case e := <-s.end:
		if e.err != nil {
			t.Errorf("the server's end: %v", e.err)
		}
	case <-time.After(stopTime):
		_ = cmd.Process.Signal(syscall.SIGQUIT) // prints its goroutines
		select {
		case <-s.end:
		case <-time.After(time.Second):
			_ = cmd.Process.Kill()
			<-s.end
		}
		t.Errorf("the server lives %v after SIGTERM", stopTime)
	}
	if _, err := os.Stat(s.File()); err == nil {
		t.Error("client.json is still there after a clean stop")
	}
	s.judge(t)
}

// judge looks for what must not be in the server's output.
func (s *Server) judge(t testing.TB) {
	t.Helper()
	out := s.out.String()
	for _, bad := range []string{"DATA RACE", "panic", "level=ERROR", `"level":"ERROR"`} {
		if strings.Contains(out, bad) {
			t.Errorf("the server's output has %q", bad)
		}
	}
	if t.Failed() {
		t.Logf("the server's output:\n%s", out)
	}
}

// Command returns a command that runs the server's program with args. It ends
// with the test binary if nobody ends it before.
func Command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	bin := os.Getenv(envBinary)
	if bin == "" {
		t.Fatal("no server was built: does TestMain call harness.Main?")
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), bin, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// File returns the path of client.json.
func (s *Server) File() string { return filepath.Join(s.dir, "client.json") }

// output collects what a process prints; it keeps the first and the last part
// of what is very long.
type output struct {
	mu   sync.Mutex
	head bytes.Buffer // guarded by mu
	tail []byte       // guarded by mu
}

// maxOutput bounds each of the two parts.
const maxOutput = 1 << 20

// Write adds p.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.head.Len() < maxOutput {
		return o.head.Write(p)
	}
	o.tail = append(o.tail, p...)
	if over := len(o.tail) - maxOutput; over > 0 {
		o.tail = append(o.tail[:0], o.tail[over:]...)
	}
	return len(p), nil
}

// String returns what was kept.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.head.String() + string(o.tail)
}
