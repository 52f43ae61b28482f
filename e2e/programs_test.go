package e2e

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"parley/e2e/harness"
)

// programTime bounds a scenario that is a program of its own.
const programTime = 4 * time.Minute

// TestMtcute runs the seed scenario with mtcute on Node.
func TestMtcute(t *testing.T) {
	s := harness.Start(t)
	program(t, "node", append([]string{"mtcute/seed.mjs", s.File()}, people(2)...)...)
}

// TestTDLib runs the seed scenario with TDLib.
func TestTDLib(t *testing.T) {
	s := harness.Start(t)
	program(t, "python3", append([]string{"tdlib/seed.py", s.File(), t.TempDir()}, people(2)...)...)
}

// people returns phones and codes as the programs take them.
func people(n int) []string {
	var all []string
	for range n {
		p := harness.NewPhone()
		all = append(all, p.Number+":"+p.Code)
	}
	return all
}

// program runs a scenario, fails when it does, and returns what it printed.
func program(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := command(t, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	t.Logf("%s", out)
	return string(out)
}

// command returns a scenario's command. It ends with the test, and with the
// test binary.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	if _, err := os.Stat("node_modules"); err != nil {
		t.Fatalf("no client libraries: run npm ci in e2e: %v", err)
	}
	ctx, stop := context.WithTimeout(t.Context(), programTime)
	t.Cleanup(stop)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	cmd.WaitDelay = 5 * time.Second
	return cmd
}
