// Package web serves what operators look at over HTTP: health, metrics and
// profiles. It owns no state.
package web

import (
	"io"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"time"
)

// Health answers 200 while ready returns nil, else 503 and why.
func Health(ready func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
}

// Profiles serves net/http/pprof below /debug/pprof/, to this machine only.
func Profiles(mux *http.ServeMux) {
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET /debug/pprof/":        pprof.Index,
		"GET /debug/pprof/profile": pprof.Profile,
		"GET /debug/pprof/trace":   pprof.Trace,
	} {
		mux.Handle(pattern, local(handler))
	}
}

// local lets only requests from a loopback address through, and none that a
// proxy there passes on.
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		passedOn := r.Header.Get("Forwarded") != "" || r.Header.Get("X-Forwarded-For") != ""
		if err != nil || !from.Addr().Unmap().IsLoopback() || passedOn {
			http.NotFound(w, r)
			return
		}
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // a profile takes as long as is asked for
		next.ServeHTTP(w, r)
	})
}
