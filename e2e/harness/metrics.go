package harness

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Usage is what a server must give back when its clients are gone.
type Usage struct {
	Goroutines int
	Files      int // sockets, too
}

// Usage asks the server's own metrics.
func (s *Server) Usage(t testing.TB) Usage {
	t.Helper()
	m := s.Metrics(t)
	return Usage{Goroutines: int(m["go_goroutines"]), Files: int(m["process_open_fds"])}
}

// Settled waits until the server uses no more than a few things more than
// before: the pools of a busy server breathe a little.
func (s *Server) Settled(t testing.TB, before Usage) Usage {
	t.Helper()
	const slack = 3
	var now Usage
	Within(t, 3*Patience, func() string {
		now = s.Usage(t)
		if now.Goroutines > before.Goroutines+slack || now.Files > before.Files+slack {
			return fmt.Sprintf("the server uses %+v, and used %+v before", now, before)
		}
		return ""
	})
	return now
}

// Metrics returns the unlabelled values of the server's metrics page.
func (s *Server) Metrics(t testing.TB) map[string]float64 {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.HTTP+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true // a kept connection would count
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal("get the metrics:", err)
	}
	defer resp.Body.Close()
	values := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, text, ok := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(text, 64); ok && err == nil {
			values[name] = v
		}
	}
	if err := lines.Err(); err != nil || values["go_goroutines"] == 0 || values["process_open_fds"] == 0 {
		t.Fatalf("metrics without go_goroutines or process_open_fds: %s, %v", resp.Status, err)
	}
	return values
}
