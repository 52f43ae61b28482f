package load

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"parley/internal/app"
)

const (
	patience = 20 * time.Second
	asServer = "baseline" // the only argument of the baseline's process
)

// baselineCommand makes this program a baseline.
func baselineCommand(t *testing.T) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self, asServer}
}

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == asServer {
		if err := RunBaseline(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	before := runtime.NumGoroutine()
	code := m.Run()
	if flag.Lookup("test.fuzz").Value.String() != "" { // fuzzing keeps goroutines of its own
		os.Exit(code)
	}
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before && time.Now().Before(end); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before && code == 0 {
		buf := make([]byte, 1<<16)
		fmt.Fprintf(os.Stderr, "%d goroutines, %d before\n%s", n, before, buf[:runtime.Stack(buf, true)])
		code = 1
	}
	os.Exit(code)
}

// serve runs a Parley server and returns the URL of its JSON API.
func serve(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	a, err := app.New(t.Context(), app.Config{
		Dev: true, Data: dir, Listen: "127.0.0.1:0", Media: "127.0.0.1:0", Out: io.Discard, Log: io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	var client struct{ HTTP string }
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		b, err := os.ReadFile(filepath.Join(dir, "client.json"))
		if err == nil && json.Unmarshal(b, &client) == nil {
			return client.HTTP
		}
	}
	t.Fatal("no client.json")
	return ""
}
