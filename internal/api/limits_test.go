package api

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/rpc"
)

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimits()
		s := rpc.NewSession(7, func(rpc.Body) {})
		for range requestBurst {
			if err := l.allow(s, 1); err != nil {
				t.Fatal(err)
			}
		}
		var wait *rpc.Error
		if err := l.allow(s, 1); !errors.As(err, &wait) || *wait != *rpc.FloodWait(time.Second) {
			t.Errorf("beyond the burst: %v", err)
		}
		if err := l.allow(s, 2); err != nil {
			t.Errorf("another user: %v", err)
		}
		if err := l.allow(s, 0); err != nil {
			t.Errorf("the key before login: %v", err)
		}
		time.Sleep(time.Second)
		for range requestRate {
			if err := l.allow(s, 1); err != nil {
				t.Fatalf("after a second: %v", err)
			}
		}
		if l.allow(s, 1) == nil {
			t.Error("more than the rate after a second")
		}
	})
}

// TestLimitsForget checks that the table does not grow for ever, and that
// those who still have to wait stay in it.
func TestLimitsForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimits()
		for range requestBurst {
			_ = l.bucket(-1).Allow()
		}
		time.Sleep(time.Second)
		for who := range int64(maxRequesters) {
			l.bucket(who + 1)
		}
		if n := len(l.buckets); n > 3 {
			t.Errorf("%d buckets are kept", n)
		}
		if l.buckets[-1] == nil {
			t.Error("who has to wait is forgotten")
		}
	})
}
