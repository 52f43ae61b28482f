package web

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
	h := Metrics([]Gauge{
		{Name: "calls", Help: "Calls.", Read: func() float64 { return 3 }},
		{Name: "packets_total", Help: "Packets.", Counter: true, Read: func() float64 { return 4 }},
	})
	text := get(h, "/metrics", "192.0.2.1:1", nil).Body.String()
	for _, line := range []string{
		"# TYPE parley_calls gauge", "parley_calls 3", "# TYPE parley_packets_total counter", "parley_packets_total 4", "go_goroutines ",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in the metrics", line)
		}
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
