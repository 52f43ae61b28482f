package web

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func get(h http.Handler, path, from string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr = from
	if header != nil {
		r.Header = header
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHealth(t *testing.T) {
	var state error
	h := Health(func() error { return state })
	if w := get(h, "/healthz", "192.0.2.1:1", nil); w.Code != 200 || w.Body.String() != "ok\n" {
		t.Errorf("healthy: %d %q", w.Code, w.Body)
	}
	state = errors.New("draining")
	if w := get(h, "/healthz", "192.0.2.1:1", nil); w.Code != 503 || !strings.Contains(w.Body.String(), "draining") {
		t.Errorf("draining: %d %q", w.Code, w.Body)
	}
}

func TestMetrics(t *testing.T) {
	h := Metrics(func(r *http.Request) []Figure {
		all := []Figure{
			{Name: "calls", Help: "Calls.", Value: 3},
			{Name: "packets_total", Help: "Packets.", Counter: true, Value: 4},
			{Name: "drops_total", Help: "Drops.", Counter: true, Value: 5, Labels: []string{"reason"}, Values: []string{"muted"}},
			{Name: "drops_total", Help: "Drops.", Counter: true, Value: 6, Labels: []string{"reason"}, Values: []string{"quiet"}},
			{Name: "rtt_seconds", Help: "Times.", Spread: &Spread{Count: 3, Sum: 4.5, Within: map[float64]uint64{0.5: 1, 1: 2}}},
		}
		if r.URL.Query().Has("more") {
			all = append(all, Figure{Name: "more", Help: "More."})
		}
		return all
	})
	text := get(h, "/metrics", "192.0.2.1:1", nil).Body.String()
	for _, line := range []string{
		"# TYPE parley_calls gauge", "parley_calls 3", "# TYPE parley_packets_total counter", "parley_packets_total 4", "go_goroutines ",
		`parley_drops_total{reason="muted"} 5`, `parley_drops_total{reason="quiet"} 6`, "# TYPE parley_rtt_seconds histogram",
		`parley_rtt_seconds_bucket{le="0.5"} 1`, `parley_rtt_seconds_bucket{le="+Inf"} 3`, "parley_rtt_seconds_sum 4.5",
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("no %q in the metrics", line)
		}
	}
	if strings.Contains(text, "parley_more") {
		t.Error("more than was asked for")
	}
	if text := get(h, "/metrics?more", "192.0.2.1:1", nil).Body.String(); !strings.Contains(text, "\nparley_more 0\n") {
		t.Error("less than was asked for")
	}
}

// deadlined is an answer over a connection with a deadline.
type deadlined struct {
	*httptest.ResponseRecorder

	until time.Time
}

func (d *deadlined) SetReadDeadline(t time.Time) error {
	d.until = t
	return nil
}

// TestLongProfile takes a profile for longer than a request may take to arrive.
func TestLongProfile(t *testing.T) {
	mux := http.NewServeMux()
	Profiles(mux)
	r := httptest.NewRequest(http.MethodGet, "/debug/pprof/goroutine", nil)
	r.RemoteAddr = "127.0.0.1:5"
	w := &deadlined{httptest.NewRecorder(), time.Now()}
	if mux.ServeHTTP(w, r); w.Code != 200 || !w.until.IsZero() {
		t.Errorf("%d, and the deadline is %v", w.Code, w.until)
	}
}

func TestProfiles(t *testing.T) {
	mux := http.NewServeMux()
	Profiles(mux)
	for _, tt := range []struct {
		from   string
		header http.Header
		want   int
	}{
		{"127.0.0.1:5", nil, 200},
		{"[::1]:5", nil, 200},
		{"[::ffff:127.0.0.1]:5", nil, 200},
		{"192.0.2.1:5", nil, 404},
		{"nonsense", nil, 404},
		{"127.0.0.1:5", http.Header{"X-Forwarded-For": {"192.0.2.1"}}, 404},
		{"127.0.0.1:5", http.Header{"Forwarded": {"for=192.0.2.1"}}, 404},
	} {
		if w := get(mux, "/debug/pprof/goroutine", tt.from, tt.header); w.Code != tt.want {
			t.Errorf("from %s %v: %d, want %d", tt.from, tt.header, w.Code, tt.want)
		}
	}
}
