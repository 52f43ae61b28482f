package app

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLogLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		log := newLogger(&out, false)
		lines := func(text string) int { return strings.Count(out.String(), text) }
		for n := range 1000 {
			log.Error("request failed", "method", "phone.joinGroupCall", "n", n)
			log.With("node", 1).WithGroup("x").Error("request failed", "method", "phone.joinGroupCall", "n", n)
			log.Error("request failed", "method", "phone.leaveGroupCall")
			log.Warn("update not pushed")
			log.Info("call started", "n", n)
		}
		if lines("joinGroupCall") != 1 || lines("leaveGroupCall") != 1 || lines("update not pushed") != 1 || lines("call started") != 1000 {
			t.Errorf("in the same second: %s", out.String())
		}
		if lines("left_out") != 0 {
			t.Error("something was left out before the first line")
		}
		time.Sleep(time.Second)
		out.Reset()
		log.Error("request failed", "method", "phone.joinGroupCall")
		if lines("left_out=1999") != 1 {
			t.Errorf("a second later: %s", out.String())
		}
		time.Sleep(time.Second)
		out.Reset()
		log.Error("request failed", "method", "phone.joinGroupCall")
		if lines("joinGroupCall") != 1 || lines("left_out") != 0 {
			t.Errorf("two seconds later: %s", out.String())
		}
	})
}

func TestLogKindsAreBounded(t *testing.T) {
	l := newLogLimit(slog.DiscardHandler)
	for n := range 3 * maxLogKinds {
		if _, pass := l.lines.pass(logKind{method: fmt.Sprint(n)}, time.Now()); !pass {
			t.Fatal("the first line of a kind is left out")
		}
	}
	if n := len(l.lines.kinds); n > maxLogKinds {
		t.Errorf("%d kinds are remembered", n)
	}
}
