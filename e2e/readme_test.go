package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/e2e/harness"
)

// blocks returns the code of a language in one of the project's texts.
func blocks(t *testing.T, name, language string) (all []string) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		all = append(all, block)
	}
	return all
}

// TestReadme runs what README.md tells strangers to type: the main job with
// curl.
func TestReadme(t *testing.T) {
	script := ""
	for _, block := range blocks(t, "README.md", "sh") {
		if strings.Contains(block, "curl") {
			script += block
		}
	}
	if !strings.Contains(script, "phone.startScheduledGroupCall") {
		t.Fatalf("README.md starts no call with curl:\n%s", script)
	}
	s := harness.Start(t)
	dir := t.TempDir()
	if err := os.Symlink(filepath.Dir(s.File()), filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	for _, want := range []string{`"Demo"`, `"groupCall"`, "GROUPCALL_ALREADY_STARTED"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %s in what it printed:\n%s", want, out)
		}
	}
}
