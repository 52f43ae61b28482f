package calls

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"parley/internal/call"
	"parley/internal/colibri"
	"parley/internal/rpc"
)

// endpointBytes makes endpoint ids of 16 hex characters, as clients know them.
const endpointBytes = 8

// MediaJoin is one client connection that the media server is to open.
type MediaJoin struct {
	Call, Conn   int64 // Conn is unique in this process
	User         int64 // nobody gets what they send themselves
	Payload      colibri.Join
	Presentation bool
	Endpoint     string // id of the client's own video
	Audio, Video bool   // what is forwarded at first
}

// Media forwards what participants send. It tells a Service of connections
// that died (Gone) and of who speaks (Spoke).
type Media interface {
	// Join opens a connection and returns the answer for the client, JSON. It
	// replaces nothing by itself.
	Join(ctx context.Context, j MediaJoin) (answer []byte, err error)
	// Gate sets what of a connection is forwarded.
	Gate(call, conn int64, audio, video bool)
	// Leave closes a connection.
	Leave(call, conn int64)
	// End closes all connections of a call.
	End(call int64)
}

// Gone tells that a connection has died; it does not wait.
func (s *Service) Gone(id, conn int64) {
	if l := s.find(call.ID(id)); l != nil {
		l.signal(func(p *pending) { p.gone[conn] = struct{}{} })
	}
}

// Spoke tells that sound came over a connection; it does not wait.
func (s *Service) Spoke(id, conn int64, at time.Time) {
	if l := s.find(call.ID(id)); l != nil {
		l.signal(func(p *pending) { p.spoke[conn] = at })
	}
}

// payload reads a join payload.
func (s *Service) payload(params []byte) (colibri.Join, call.Connection, error) {
	j, err := colibri.ParseJoin(params)
	if err != nil {
		return j, call.Connection{}, call.ErrDataJSON.Because(fmt.Errorf("params: %w", err))
	}
	n := call.Connection{Conn: s.conns.Add(1), Endpoint: newEndpoint()}
	if j.HasSSRC {
		n.Source = j.SSRC
	}
	for _, g := range j.Groups {
		n.Groups = append(n.Groups, call.SourceGroup{Semantics: g.Semantics, Sources: g.Sources})
	}
	return j, n, nil
}

func newEndpoint() string {
	b := make([]byte, endpointBytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// open opens a media connection with its gates closed.
func (l *live) open(ctx context.Context, user int64, j colibri.Join, n call.Connection, presentation bool) ([]byte, error) {
	answer, err := l.s.links.Media.Join(ctx, MediaJoin{
		Call: int64(l.id), Conn: n.Conn, User: user, Payload: j, Presentation: presentation, Endpoint: n.Endpoint,
	})
	var visible *rpc.Error
	switch {
	case err == nil:
		return answer, nil
	case errors.As(err, &visible):
		return nil, err
	case errors.Is(err, colibri.ErrNoFingerprint) || errors.Is(err, colibri.ErrShape):
		return nil, call.ErrDataJSON.Because(fmt.Errorf("params: %w", err))
	}
	l.log().Warn("media connection refused", "err", err)
	return nil, call.ErrAddFailed
}
