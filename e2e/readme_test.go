package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
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

// TestBotOfDocs runs the bot of docs/media.md, and hears what it plays.
func TestBotOfDocs(t *testing.T) {
	const hertz, rate, seconds = 660, 48000, 60
	dir := t.TempDir()
	var sound []byte
	for i := range rate * seconds {
		v := uint16(int16(8000 * math.Sin(2*math.Pi*hertz*float64(i)/rate)))
		sound = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(sound, v), v)
	}
	bot, file := filepath.Join(dir, "bot.py"), filepath.Join(dir, "sound.pcm")
	if err := errors.Join(os.WriteFile(bot, []byte(blocks(t, "docs/media.md", "python")[0]), 0o600), os.WriteFile(file, sound, 0o600)); err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t)
	ctx, stop := context.WithTimeout(t.Context(), seconds*time.Second)
	cmd := exec.CommandContext(ctx, python, bot, s.File(), file)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stop() // it plays for ever
		if _ = cmd.Wait(); t.Failed() {
			t.Logf("the bot printed\n%s", &out)
		}
	}()
	harness.Eventually(t, func() string {
		if n := s.Metrics(t)["parley_media_ready"]; n == 0 {
			return "the bot is not in the call"
		}
		return ""
	})
	guest := launch(t, "chromium", (*exec.Cmd).Start).enter(t, s, "Guest", harness.NewPhone(), media{Style: "offers", Hertz: 880})
	guest.receive(t)
	participants, _ := guest.list(t)
	harness.Eventually(t, func() (complaint string) {
		for _, p := range participants {
			if source, _ := p["source"].(float64); int(source) != guest.source() {
				if complaint = (ear{guest, int(source), hertz}).hears(t); complaint == "" {
					return ""
				}
			}
		}
		return complaint
	})
}
