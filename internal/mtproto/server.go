// Package mtproto serves Telegram's API to MTProto clients: it accepts their
// connections, lets them exchange keys, keeps their sessions, and hands each
// query to a Handler.
//
// State has one keeper each. A conn is read by one goroutine and written by
// another. A session outlives its connections; its inbox (what the client
// sent), its outbox (what the client has not acknowledged) and its running
// requests are guarded by its mutex. The registry knows the keys and which
// sessions they have. No two of these mutexes are ever held together, and
// nothing is sent under one.
//
// It follows https://core.telegram.org/mtproto/description, service_messages,
// service_messages_about_messages, security_guidelines and /api/pfs.
package mtproto

import (
	"context"
	"crypto/rsa"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"parley/internal/rpc"
	"parley/internal/transport"
)

// Handler answers queries.
type Handler interface {
	// Handle answers one query, all wrappers removed, with the boxed result for
	// s.Layer() or an error that is shown through rpc.Visible.
	Handle(ctx context.Context, s *rpc.Session, query []byte) ([]byte, error)
	// Forget tells that s is gone for good. No call of Handle for s is running.
	Forget(s *rpc.Session)
}

// Config is what a Server needs.
type Config struct {
	RSA      *rsa.PrivateKey
	Secret   []byte // of obfuscated connections that come as if through a proxy; may be nil
	Keys     rpc.Keys
	Handler  Handler
	HTTP     http.Handler // gets the HTTP requests; nil: they are refused
	Log      *slog.Logger // nil: nothing is logged
	MinLayer int          // lower layers are refused; 0: none
	PQBits   int          // size of the primes clients have to find, see exchange.Config; 0: full
	Limits   Limits       // zero fields mean their defaults
}

// Server serves MTProto.
type Server struct {
	cfg       Config // immutable
	limits    Limits // immutable
	started   time.Time
	ids       idSource
	registry  registry
	gate      gate
	exchanges *exchanges
	stats     stats
	queued    atomic.Int64    // bytes in all outboxes
	large     transport.Slots // immutable: of frames that come in

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup // connections and requests

	mu     sync.Mutex
	closed bool               // guarded by mu
	conns  map[*conn]struct{} // guarded by mu
}

// New returns a server that serves nothing yet. It is to be closed, which the
// end of Serve does.
func New(cfg Config) (*Server, error) {
	switch {
	case cfg.RSA == nil:
		return nil, errors.New("mtproto: no RSA key")
	case cfg.Keys == nil, cfg.Handler == nil:
		return nil, errors.New("mtproto: no keys or no handler")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.HTTP == nil {
		cfg.HTTP = http.NotFoundHandler()
	}
	limits := cfg.Limits.withDefaults()
	s := &Server{
		cfg: cfg, limits: limits, started: time.Now().Truncate(time.Second),
		registry: newRegistry(limits), gate: newGate(limits), conns: map[*conn]struct{}{},
		large: transport.NewSlots(limits.LargeFrames),
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.exchanges = startExchanges(s)
	return s, nil
}

// DropKey closes the sessions of the permanent key id and of the temporary
// keys bound to it. A session that is answering a request first sends the
// answer.
func (s *Server) DropKey(id int64) {
	for _, session := range s.registry.drop(id) {
		if session.doom() {
			s.begin(func() { s.drop(session, "key dropped") })
		}
	}
}

// Close ends all connections and requests and waits for them.
func (s *Server) Close() {
	s.stop()
	for _, c := range s.shut() {
		c.close()
	}
	s.work.Wait()
	s.exchanges.close()
	for _, session := range s.registry.all() {
		s.drop(session, "server closed")
	}
}

// shut lets no connection in any more and returns those that are.
func (s *Server) shut() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	open := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		open = append(open, c)
	}
	return open
}

// enter lets c in, unless the server is closed.
func (s *Server) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = struct{}{}
	s.work.Add(1)
	return true
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.work.Done()
}

// join counts the caller among the work that Close waits for, unless the
// server is closed; s.work.Done ends it.
func (s *Server) join() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.work.Add(1)
	return true
}

// begin starts f in a goroutine that Close waits for, unless the server is closed.
func (s *Server) begin(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.work.Go(f)
	return true
}
