package app_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// metrics returns the server's metrics page.
func (s *server) metrics(t *testing.T, query string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.http+"/metrics"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", resp.Status, b, err)
	}
	return string(b)
}

// TestMetrics shows figures as Prometheus wants them, each of them documented,
// and those of single calls where they are asked for: the demo's call plays.
func TestMetrics(t *testing.T) {
	s := start(t, config(dataDir(t)))
	d := s.demo(t)
	d.listen()
	d.must("phone.startScheduledGroupCall", object{"call": d.call})
	d.refused("phone.startScheduledGroupCall", object{"call": d.call}, "403 GROUPCALL_ALREADY_STARTED")
	d.playing(t)
	page := s.metrics(t, "?calls=5")
	if want := fmt.Sprintf("\nparley_call_connections{call=%q} 1\n", d.call["id"]); !strings.Contains(page, want) {
		t.Errorf("no %q in the metrics", want)
	}
	for _, name := range []string{"requests_total", "requests_failed_total", "updates_pushed_total"} {
		if strings.Contains(page, "\nparley_"+name+" 0\n") {
			t.Errorf("%s leaves out what came as JSON", name)
		}
	}
	if strings.Contains(s.metrics(t, ""), "{call=") || strings.Contains(s.metrics(t, "?calls=-1"), "{call=") {
		t.Error("calls in the metrics that nobody asked for")
	}
	problems, err := promlint.New(strings.NewReader(page)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "parley_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	doc, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, name := range regexp.MustCompile("`parley_[a-z_]+").FindAllString(string(doc), -1) {
		told[name[1:]] = true
	}
	for lines := bufio.NewScanner(strings.NewReader(page)); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "# TYPE parley_"); ok {
			name = "parley_" + strings.Fields(name)[0]
			if !told[name] {
				t.Errorf("docs/metrics.md says nothing of %s", name)
			}
			delete(told, name)
		}
	}
	for _, reason := range regexp.MustCompile(`reason="[a-z]+`).FindAllString(page, -1) {
		if reason = reason[len(`reason="`):]; !strings.Contains(string(doc), "`"+reason+"`") {
			t.Errorf("docs/metrics.md says nothing of packets dropped as %s", reason)
		}
	}
	if len(told) > 0 {
		t.Errorf("docs/metrics.md tells of %v, which are not there", told)
	}
}
