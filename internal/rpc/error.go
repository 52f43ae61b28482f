// Package rpc holds what everything that answers clients shares: the errors
// they can see, their sessions, and the keys those sessions belong to.
package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Error is an rpc_error: what a client reads and acts on.
type Error struct {
	Code int    // 400
	Name string // GROUPCALL_INVALID
}

// Err returns the error with the given code and name.
func Err(code int, name string) *Error { return &Error{Code: code, Name: name} }

func (e *Error) Error() string { return fmt.Sprintf("%d %s", e.Code, e.Name) }

// Because returns an error that clients see as e, and that says why to whoever
// can be told in words.
func (e *Error) Because(why error) error { return &because{e, why} }

// Why returns what Because was given, or nothing.
func Why(err error) string {
	if b, ok := errors.AsType[*because](err); ok {
		return b.why.Error()
	}
	return ""
}

type because struct {
	e   *Error
	why error
}

func (b *because) Error() string { return fmt.Sprintf("%v: %v", b.e, b.why) }
func (b *because) Unwrap() error { return b.e }

// ErrInternal stands for every error that is nobody's business but ours.
var ErrInternal = Err(500, "INTERNAL")

// Visible returns the error a client may see in place of err, and whether err
// was meant for it; one that was not belongs in the log.
func Visible(err error) (e *Error, meant bool) {
	if errors.As(err, &e) {
		return e, true
	}
	return ErrInternal, false
}

// Errors that more than one package returns.
var (
	ErrBotMethod    = Err(400, "BOT_METHOD_INVALID")
	ErrUnregistered = Err(401, "AUTH_KEY_UNREGISTERED")
	ErrMethod       = Err(400, "METHOD_INVALID")
	ErrInput        = Err(400, "INPUT_METHOD_INVALID")
	ErrPeerID       = Err(400, "PEER_ID_INVALID")
)

// FloodWait returns the error that tells a client to wait: 420 FLOOD_WAIT_X,
// X in whole seconds, at least 1.
func FloodWait(d time.Duration) *Error {
	return Err(420, fmt.Sprintf("FLOOD_WAIT_%d", max(1, int((d+time.Second-1)/time.Second))))
}

// LogFailed logs the failure of a method that s called, unless err is nil,
// meant for clients, or says that nobody waits any more.
func LogFailed(log *slog.Logger, s *Session, method string, err error) {
	if _, meant := Visible(err); err == nil || meant || errors.Is(err, context.Canceled) {
		return
	}
	log.Error("request failed", "method", method, "layer", s.Layer(), "device", s.Device(), "key", s.Key, "err", err)
}
