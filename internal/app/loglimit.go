package app

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// maxLogKinds bounds the kinds of lines that are remembered.
const maxLogKinds = 4096

// logLimit passes on at most one warning or error of a kind in a second, and
// says with it how many were left out before: what a client can cause, it can
// cause often. Of one kind are lines with the same message and method.
type logLimit struct {
	slog.Handler

	lines *logLines
}

func newLogLimit(h slog.Handler) logLimit {
	return logLimit{h, &logLines{kinds: map[logKind]*logLine{}}}
}

// Handle passes a line on, or leaves it out.
func (l logLimit) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return l.Handler.Handle(ctx, r)
	}
	kind := logKind{message: r.Message}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "method" {
			kind.method = a.Value.String()
		}
		return kind.method == ""
	})
	leftOut, pass := l.lines.pass(kind, r.Time)
	if !pass {
		return nil
	}
	if leftOut > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("left_out", leftOut))
	}
	return l.Handler.Handle(ctx, r)
}

// WithAttrs returns a handler that shares the limit.
func (l logLimit) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logLimit{l.Handler.WithAttrs(attrs), l.lines}
}

// WithGroup returns a handler that shares the limit.
func (l logLimit) WithGroup(name string) slog.Handler {
	return logLimit{l.Handler.WithGroup(name), l.lines}
}

type logKind struct{ message, method string }

// logLine is when a line of a kind was last passed on, and how many were not
// since.
type logLine struct {
	at      time.Time
	leftOut int
}

type logLines struct {
	mu    sync.Mutex
	kinds map[logKind]*logLine // guarded by mu
}

// pass tells whether a line goes on, and how many were left out before it.
func (l *logLines) pass(kind logKind, now time.Time) (leftOut int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.kinds[kind]
	switch {
	case line == nil:
		if len(l.kinds) >= maxLogKinds {
			clear(l.kinds)
		}
		line = &logLine{}
		l.kinds[kind] = line
	case now.Sub(line.at) < time.Second:
		line.leftOut++
		return 0, false
	}
	leftOut, line.at, line.leftOut = line.leftOut, now, 0
	return leftOut, true
}
