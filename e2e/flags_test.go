package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/e2e/harness"
)

// TestWrongFlags checks that a wrong setting is told in one line, with exit
// code 2.
func TestWrongFlags(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good := []string{"serve", "--data", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0", "--media", "127.0.0.1:0"}
	for _, tt := range []struct {
		name string
		args []string
		says string
	}{
		{"unknown command", []string{"frobnicate"}, "frobnicate"},
		{"unknown flag", append(good, "--frobnicate"), "--frobnicate"},
		{"listen", append(good, "--listen", "nowhere"), "--listen"},
		{"media", append(good, "--media", "127.0.0.1:99999"), "--media"},
		{"public ip", append(good, "--public-ip", "example"), "--public-ip"},
		{"data is a file", append(good, "--data", file), file},
		{"data cannot be made", append(good, "--data", "/proc/parley"), "/proc/parley"},
		{"unknown database", append(good, "--db", "mysql://localhost"), "mysql://localhost"},
		{"log level", append(good, "--log", "loud"), "--log"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := harness.Command(t, tt.args...)
			stop := time.AfterFunc(harness.Patience, func() { _ = cmd.Process.Kill() })
			defer stop.Stop()
			out, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != 2 {
				t.Errorf("exit code %d (%v), want 2", code, err)
			}
			if text := strings.TrimSpace(string(out)); strings.Contains(text, "\n") || !strings.Contains(text, tt.says) {
				t.Errorf("says %q, want one line about %s", text, tt.says)
			}
		})
	}
}
