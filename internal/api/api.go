// Package api answers the API's methods: one file per family, one short
// function per method, each under its TL line. It decodes, passes the gate
// (signed in, users only, rate), asks a service and encodes for the caller's
// layer. It keeps no state but the rate limits.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"

	"parley/internal/calls"
	"parley/internal/directory"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
	"parley/internal/updates"
)

// Config is what the methods need to know of the server.
type Config struct {
	Directory *directory.Service
	Updates   *updates.Service
	Calls     *calls.Service
	Hasher    peer.Hasher
	Log       *slog.Logger
	DC        int        // this_dc for clients that name none
	Host      netip.Addr // address that dc_options name
	Port      int
	// SignedOut tells that nobody is signed in with a key any more.
	SignedOut func(key int64)
	// Draining tells whether the server is about to stop.
	Draining func() bool
}

// API is the table of methods; it never changes after New.
type API struct {
	Config
	methods map[string]method
	limits  *limits
}

// gate says who may call a method.
type gate uint8

const (
	usersOnly gate = iota // signed-in users, no bots
	signedIn              // users and bots
	open                  // everybody, before login too
)

// method is one entry of the table.
type method struct {
	gate gate
	do   func(ctx context.Context, c rpc.Caller, req tg.Object) (tg.Object, error)
}

// New returns the API over its services.
func New(cfg Config) *API {
	a := &API{Config: cfg, methods: map[string]method{}, limits: newLimits()}
	for _, family := range []func(*API){
		configMethods, authMethods, accountMethods, userMethods, contactMethods,
		chatMethods, channelMethods, memberMethods, messageMethods, updateMethods,
		phoneMethods, participantMethods, phoneRefused, sendAsMethods, fileMethods,
		loginTokenMethods, defaultMethods,
	} {
		family(a)
	}
	return a
}

// on enters a method into the table under the name of its request.
func on[R tg.Object, A tg.Object](a *API, g gate, do func(ctx context.Context, c rpc.Caller, req R) (A, error)) {
	var req R
	a.methods[req.TypeName()] = method{g, func(ctx context.Context, c rpc.Caller, o tg.Object) (tg.Object, error) {
		r, ok := o.(R)
		if !ok {
			return nil, fmt.Errorf("dispatch %s: got %T", req.TypeName(), o)
		}
		res, err := do(ctx, c, r)
		if err != nil {
			return nil, err
		}
		return res, nil
	}}
}

var errConstructor = rpc.Err(400, "INPUT_CONSTRUCTOR_INVALID")

// Handle answers one query in TL: what MTProto sessions ask.
func (a *API) Handle(ctx context.Context, s *rpc.Session, query []byte) ([]byte, error) {
	req, err := tg.DecodeMethod(query)
	if err != nil {
		a.Log.Debug("request not decoded", "session", s.ID, "err", err)
		return nil, undecoded(query, err)
	}
	res, err := a.Call(ctx, s, req)
	if err != nil {
		return nil, err
	}
	return tg.EncodeResult(req, res, s.Layer())
}

// undecoded returns what a query answers that can't be decoded: because its
// method is not known, or something within, or because it breaks the rules.
func undecoded(query []byte, err error) error {
	if !errors.Is(err, tg.ErrUnknown) {
		return rpc.ErrInput
	}
	if _, err := tg.DecodeMethod(query[:min(4, len(query))]); errors.Is(err, tg.ErrUnknown) {
		return rpc.ErrMethod
	}
	return errConstructor
}

// Call passes the gate and answers one request.
func (a *API) Call(ctx context.Context, s *rpc.Session, req tg.Object) (res tg.Object, err error) {
	name := req.TypeName()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("answer %s: panic: %v\n%s", name, p, debug.Stack())
		}
		a.Log.Debug("method answered", "method", name, "session", s.ID, "layer", s.Layer(), "err", err)
	}()
	m, ok := a.methods[name]
	if !ok {
		return nil, rpc.ErrMethod
	}
	c, err := a.enter(ctx, s, m.gate)
	if err != nil {
		return nil, err
	}
	if err := a.limits.allow(s, c.User); err != nil {
		return nil, err
	}
	return m.do(ctx, c, req)
}

// enter returns the caller, if the gate lets it through.
func (a *API) enter(ctx context.Context, s *rpc.Session, g gate) (rpc.Caller, error) {
	c := rpc.Caller{Session: s}
	who, err := a.Directory.SignedIn(ctx, s.Key)
	if err != nil {
		return c, err
	}
	c.User, c.Bot = who.User, who.Bot
	switch {
	case c.User == 0 && g != open:
		return c, rpc.ErrUnregistered
	case c.Bot && g == usersOnly:
		return c, rpc.ErrBotMethod
	case c.User != 0 && s.WantsUpdates():
		a.Updates.Attach(c.User, s)
	}
	return c, nil
}

// Listen has a session told of updates from now on, if somebody is signed in
// with its key; else from its first method after a sign-in.
func (a *API) Listen(ctx context.Context, s *rpc.Session) error {
	s.WantUpdates()
	_, err := a.enter(ctx, s, open)
	return err
}

// Forget tells that a session is gone.
func (a *API) Forget(s *rpc.Session) { a.Updates.Detach(s) }
