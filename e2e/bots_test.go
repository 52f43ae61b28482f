package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"parley/e2e/harness"
)

// pcm writes a tone as bots play it, and returns the file's name.
func pcm(t *testing.T, hertz float64, seconds int) string {
	t.Helper()
	const rate = 48000
	var sound []byte
	for i := range rate * seconds {
		v := uint16(int16(8000 * math.Sin(2*math.Pi*hertz*float64(i)/rate)))
		sound = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(sound, v), v)
	}
	name := filepath.Join(t.TempDir(), "sound.pcm")
	if err := os.WriteFile(name, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// hearsBot has a Chromium join a call in which a bot plays a tone, and returns
// it and the bot's source.
func hearsBot(t *testing.T, s *harness.Server, hertz int) (guest *member, source int) {
	t.Helper()
	harness.Eventually(t, func() string {
		if n := s.Metrics(t)["parley_media_ready"]; n == 0 {
			return "the bot is not in the call"
		}
		return ""
	})
	guest = launch(t, "chromium", (*exec.Cmd).Start).enter(t, s, "Guest", harness.NewPhone(), media{Style: "offers", Hertz: 880})
	guest.receive(t)
	participants, _ := guest.list(t)
	harness.Eventually(t, func() (complaint string) {
		for _, p := range participants {
			if n, _ := p["source"].(float64); int(n) != guest.source() {
				source = int(n)
				if complaint = (ear{guest, source, hertz}).hears(t); complaint == "" {
					return ""
				}
			}
		}
		return complaint
	})
	return guest, source
}

// TestBotOfDocs runs the bot of docs/media.md, and hears what it plays.
func TestBotOfDocs(t *testing.T) {
	const hertz, seconds = 660, 60
	bot, file := filepath.Join(t.TempDir(), "bot.py"), pcm(t, hertz, seconds)
	if err := os.WriteFile(bot, []byte(blocks(t, "docs/media.md", "python")[0]), 0o600); err != nil {
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
	hearsBot(t, s, hertz)
}

// puppet is a program that does what it is told, and says when it has done it.
type puppet struct {
	in  io.Writer
	out *bufio.Scanner
}

// newPuppet starts a program, which ends with the test.
func newPuppet(t *testing.T, name string, args ...string) puppet {
	t.Helper()
	cmd := command(t, name, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Wait(); t.Failed() {
			t.Logf("%s: %v\n%s", name, err, &said)
		}
	})
	return puppet{in, bufio.NewScanner(out)}
}

// done waits until it has done what it was told.
func (p puppet) done(t *testing.T) {
	t.Helper()
	for p.out.Scan() {
		if p.out.Text() == "done" {
			return
		}
	}
	t.Fatal("it ended:", p.out.Err())
}

func (p puppet) do(t *testing.T, what string) {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, what); err != nil {
		t.Fatal(err)
	}
	p.done(t)
}

// TestPyTgCalls has a bot of py-tgcalls play, be quieter for all, be muted,
// speak again and leave.
func TestPyTgCalls(t *testing.T) {
	const hertz, seconds = 660, 60
	s := harness.Start(t)
	owner := harness.DemoOwner
	bot := newPuppet(t, python, "ntgcalls/bot.py", s.File(), owner.Number+":"+owner.Code, pcm(t, hertz, seconds))
	bot.done(t)
	guest, source := hearsBot(t, s, hertz)
	bot.do(t, "quiet")
	if p := guest.entry(t, source); p["volume"] != 5000.0 || p["volume_by_admin"] != true {
		t.Errorf("quieter: %v", p)
	}
	bot.do(t, "mute")
	guest.silent(t, source)
	if p := guest.entry(t, source); p["muted"] != true {
		t.Errorf("muted: %v", p)
	}
	bot.do(t, "unmute")
	guest.hears(t, source, hertz)
	bot.do(t, "leave")
	if p := guest.entry(t, source); p != nil {
		t.Errorf("who left is there: %v", p)
	}
}

// entry returns what the list says of a source, nil for nothing.
func (v *member) entry(t *testing.T, source int) object {
	t.Helper()
	participants, _ := v.list(t)
	for _, p := range participants {
		if p["source"] == float64(source) {
			return p
		}
	}
	return nil
}
