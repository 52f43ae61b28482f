package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait.
const patience = 60 * time.Second

// asParley makes the test binary be the program.
const asParley = "PARLEY_BE_THE_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asParley) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// command returns the program with arguments; it is killed when it hangs.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(append(os.Environ(), asParley+"=1"), env...)
	return cmd
}

func TestWrongCommandLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		env  string
		args []string
		says string
	}{
		"nothing":      {"", nil, "serve"},
		"command":      {"", []string{"start"}, "start"},
		"flag":         {"", []string{"serve", "--loud"}, "--loud"},
		"public ip":    {"", []string{"serve", "--public-ip", "here"}, `"here" is no IP address`},
		"log":          {"", []string{"serve", "--log", "loud"}, "--log"},
		"log by env":   {"PARLEY_LOG=loud", []string{"serve"}, "loud"},
		"data by env":  {"PARLEY_DATA=" + file, []string{"serve"}, file},
		"no public ip": {"PARLEY_PUBLIC_IP=", []string{"serve"}, "--public-ip"},
		"no listen":    {"PARLEY_LISTEN=", []string{"serve"}, "--listen"},
		"no media":     {"", []string{"serve", "--media="}, "--media"},
		"listen":       {"", []string{"serve", "--listen", "nowhere"}, "--listen nowhere"},
		"db by env":    {"PARLEY_DB=redis://x", []string{"serve", "--listen", "127.0.0.1:0"}, "--db redis://x"},
		"media wait":   {"", []string{"serve", "--media-wait", "1s"}, "--media-wait"},
		"loudest":      {"PARLEY_LOUDEST=11", []string{"serve"}, "--loudest 11"},
		"data is file": {"", []string{"serve", "--data", file}, file},
		"layers":       {"", []string{"load", "--layers", "3"}, "--layers changes nothing about A2"},
		"size":         {"", []string{"load", "--scenario", "v3", "--size", "99"}, "--size changes nothing about V3"},
		"scenario":     {"", []string{"load", "--scenario", "A9"}, "J1"},
		"client.json":  {"", []string{"load", "--scenario", "A2", "--client-json", file}, file},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := command(t, []string{tt.env}, tt.args...)
			out, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != 2 {
				t.Errorf("exit code %d (%v), want 2", code, err)
			}
			text := strings.TrimSpace(string(out))
			if strings.Contains(text, "\n") || !strings.HasPrefix(text, "parley: ") || !strings.Contains(text, tt.says) {
				t.Errorf("says %q, want one line about %s", text, tt.says)
			}
		})
	}
}

// TestPublicIPs gives addresses by the environment and by flags, which count
// alone then.
func TestPublicIPs(t *testing.T) {
	t.Setenv("PARLEY_PUBLIC_IP", "192.0.2.1,2001:db8::1")
	for want, args := range map[string][]string{
		"[192.0.2.1 2001:db8::1]": {"serve"},
		"[192.0.2.2 192.0.2.3]":   {"serve", "--public-ip", "192.0.2.2", "--public-ip=192.0.2.3"},
	} {
		var c cli
		if _, err := parser(&c).Parse(args); err != nil || fmt.Sprint(c.Serve.PublicIP) != want {
			t.Errorf("%v: %v, %v, want %s", args, c.Serve.PublicIP, err, want)
		}
	}
}

// announced starts the program and returns what it prints first.
func announced(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() { stop.Stop() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "parley listens on 127.0.0.1:") {
		t.Errorf("announced %q, %v", line, err)
	}
	return line
}

// anyPort lets servers run side by side.
var anyPort = []string{"PARLEY_LISTEN=127.0.0.1:0", "PARLEY_MEDIA=127.0.0.1:0"}

// TestServe starts the program by its environment and stops it by a signal.
func TestServe(t *testing.T) {
	// What this process catches, its children don't begin by ignoring, even
	// when it runs under nohup.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	for _, stop := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		t.Run(stop.String(), func(t *testing.T) {
			t.Parallel()
			cmd := command(t, anyPort, "serve", "--data", "d")
			var log bytes.Buffer
			cmd.Stderr = &log
			line := announced(t, cmd)
			name := filepath.Join(cmd.Dir, "d", "client.json")
			b, err := os.ReadFile(name)
			var file struct{ TCP string }
			if err != nil || json.Unmarshal(b, &file) != nil || !strings.Contains(line, file.TCP) {
				t.Errorf("client.json: %s, %v", b, err)
			}
			if err := cmd.Process.Signal(stop); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v; log: %s", err, &log)
			}
			if _, err := os.Stat(name); !os.IsNotExist(err) {
				t.Errorf("client.json is left: %v", err)
			}
			if strings.Contains(log.String(), "level=ERROR") {
				t.Errorf("log: %s", &log)
			}
		})
	}
}

// by returns cmd as a shell runs it after a command of its own.
func by(t *testing.T, cmd *exec.Cmd, first string) *exec.Cmd {
	t.Helper()
	sh := exec.CommandContext(t.Context(), "sh", append([]string{"-c", first + `; exec "$0" "$@"`}, cmd.Args...)...)
	sh.Dir, sh.Env = cmd.Dir, cmd.Env
	return sh
}

// TestNohup goes on when the terminal closes, as it was asked to.
func TestNohup(t *testing.T) {
	cmd := by(t, command(t, anyPort, "serve"), "trap '' HUP")
	announced(t, cmd)
	for _, stop := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		if err := cmd.Process.Signal(stop); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestFullDisk starts where not much can be written.
func TestFullDisk(t *testing.T) {
	cmd := by(t, command(t, anyPort, "serve"), "ulimit -f 16")
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 2 {
		t.Errorf("exit code %d (%v), want 2", code, err)
	}
	if text := strings.TrimSpace(string(out)); strings.Contains(text, "\n") || !strings.Contains(text, "free space") {
		t.Errorf("says %q, want one line about space", text)
	}
}
