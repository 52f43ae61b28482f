package gateway

import (
	"context"
	"errors"
	"strings"
	"testing"

	"parley/internal/rpc"
	"parley/internal/tg"
)

func TestMetrics(t *testing.T) {
	f := serve(t, func(ctx context.Context, s *rpc.Session, req tg.Object) (tg.Object, error) {
		switch req.(type) {
		case *tg.HelpGetConfigRequest:
			return nil, rpc.ErrUnregistered
		case *tg.HelpGetNearestDCRequest:
			return nil, errors.New("disk full")
		}
		return named(ctx, s, req)
	})
	for _, method := range []string{"updates.getState", "help.getConfig", "help.getNearestDc", "nothing"} {
		f.do("POST", "/api/"+method, "Bearer "+f.token, strings.NewReader("{}"))
	}
	c := f.dial(f.token)
	_ = f.send(c, `{"method":"updates.getState"}`)
	_, _ = f.read(c)
	if got, want := f.Metrics(), (Metrics{Requests: 5, Failed: 3, Internal: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
