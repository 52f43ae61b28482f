package mtproto

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/gotd/td/bin"

	"parley/internal/rpc"
	"parley/internal/tg"
	"parley/internal/transport"
)

// Queries that a temporary key may make before it is bound, and those that are
// answered here.
const (
	idGetConfig    = 0xc4f9186b // help.getConfig
	idGetNearestDC = 0x1fb33026 // help.getNearestDc
	idBindTempKey  = 0xcdd42a05 // auth.bindTempAuthKey
	idDropTempKeys = 0x8e48a188 // auth.dropTempAuthKeys
)

// errNotBound is what a temporary key gets that is not bound.
var errNotBound = rpc.Err(401, "AUTH_KEY_PERM_EMPTY")

// request is a query that is being answered.
type request struct {
	incoming // without wrappers, in memory of its own

	after   []int64            // immutable: messages to be answered first
	done    chan struct{}      // closed when answered
	cancel  context.CancelFunc // immutable
	dropped bool               // guarded by the session's mutex: the client wants no answer
}

// dispatch processes one message.
func (s *session) dispatch(c *conn, m incoming) error {
	if serve, ok := services[constructor(m.body)]; ok {
		b := &bin.Buffer{Buf: m.body}
		b.Skip(4)
		return serve(s, c, m, b)
	}
	s.query(m)
	return nil
}

// query begins to answer a query. All that a query costs comes after the limit.
func (s *session) query(m incoming) {
	perm := s.key.principal()
	if !cmp.Or(perm, s.key).limiter.Allow() {
		s.srv.stats.limited.Add(1)
		s.answer(m, nil, rpc.FloodWait(time.Second))
		return
	}
	w, err := unwrap(m.body)
	m.body = w.query
	if w.layer != 0 {
		err = errors.Join(s.declare(perm, w.layer), err)
	}
	if err != nil {
		s.answer(m, nil, err)
		return
	}
	switch id := constructor(w.query); {
	case id == idBindTempKey:
		err = s.bind(m.id, w.query)
		s.answer(m, words(idBoolTrue), err)
		return
	case perm == nil && id != idGetConfig && id != idGetNearestDC:
		s.answer(m, nil, errNotBound)
		return
	case id == idDropTempKeys:
		err = s.dropTemps(perm, w.query)
		s.answer(m, words(idBoolTrue), err)
		return
	}
	s.begin(m, w, perm)
}

// declare notes the layer that the client speaks; a permanent key remembers it
// for its next sessions.
func (s *session) declare(perm *authKey, layer int) error {
	if layer < s.srv.cfg.MinLayer {
		return errLayer
	}
	s.mu.Lock()
	s.layer = layer
	if s.rpc != nil {
		s.rpc.SetLayer(layer)
	}
	s.mu.Unlock()
	if perm != nil && perm.layer.Swap(int32(layer)) != int32(layer) && !perm.storing.Swap(true) {
		s.srv.work.Go(func() { s.srv.storeLayer(perm) })
	}
	return nil
}

// storeLayer stores the layer of a permanent key until it is the one last
// declared; a key has one such goroutine at a time.
func (s *Server) storeLayer(k *authKey) {
	for {
		layer := k.layer.Load()
		ctx, cancel := context.WithTimeout(s.ctx, s.limits.Request)
		if err := s.cfg.Keys.SetKeyLayer(ctx, k.id, int(layer)); err != nil {
			s.cfg.Log.Error("layer not stored", "key", k.id, "err", err)
		}
		cancel()
		k.storing.Store(false)
		if k.layer.Load() == layer || k.storing.Swap(true) {
			return
		}
	}
}

// begin starts a request.
func (s *session) begin(m incoming, w call, perm *authKey) {
	rs := s.identity(perm)
	if rs.Layer() == 0 {
		s.answer(m, nil, errNoLayer)
		return
	}
	if !w.quiet {
		rs.WantUpdates()
	}
	if w.device != "" {
		rs.SetDevice(w.device)
	}
	ctx, cancel := context.WithTimeout(s.srv.ctx, s.srv.limits.Request)
	m.body = slices.Clone(m.body) // the frame it came in may be large
	r := &request{incoming: m, after: w.after, done: make(chan struct{}), cancel: cancel}
	slots, err := s.enter(r)
	if err != nil {
		cancel()
		s.answer(m, nil, err)
		return
	}
	s.srv.work.Go(func() { s.run(ctx, r, rs, slots) })
}

// enter notes that r is being answered.
func (s *session) enter(r *request) (chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.dead:
		return nil, rpc.ErrInternal // nobody will hear it
	case len(s.pending) >= s.srv.limits.Pending, s.pendingBytes+len(r.body) > s.srv.limits.PendingBytes && len(s.pending) > 0:
		s.srv.stats.limited.Add(1)
		return nil, rpc.FloodWait(time.Second)
	}
	if s.pending == nil {
		s.pending = map[int64]*request{}
		s.slots = make(chan struct{}, s.srv.limits.Running)
	}
	s.pending[r.id] = r
	s.pendingBytes += len(r.body)
	s.in.mark(r.id, running)
	return s.slots, nil
}

// run answers a request. Those that wait for others do so without a slot.
func (s *session) run(ctx context.Context, r *request, rs *rpc.Session, slots chan struct{}) {
	defer r.cancel()
	var result []byte
	err := s.waitFor(ctx, r)
	if err == nil {
		select {
		case slots <- struct{}{}:
			result, err = s.handle(ctx, rs, r.body)
			<-slots
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	s.conclude(r, s.answerBody(r.incoming, result, err), err != nil)
}

// handle has the handler answer.
func (s *session) handle(ctx context.Context, rs *rpc.Session, query []byte) (result []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, fmt.Errorf("handler panicked: %v\n%s", p, debug.Stack())
		}
	}()
	s.srv.stats.requests.Add(1)
	return s.srv.cfg.Handler.Handle(ctx, rs, query)
}

// waitFor waits until the messages named by r are answered, all without error.
func (s *session) waitFor(ctx context.Context, r *request) error {
	if len(r.after) == 0 {
		return nil
	}
	timeout := time.NewTimer(s.srv.limits.Wait)
	defer timeout.Stop()
	for _, id := range r.after {
		before, known := s.outcome(id)
		if !known || id >= r.id {
			return errWaitFailed
		}
		if before != nil {
			select {
			case <-before.done:
			case <-timeout.C:
				return errWaitTime
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if s.hasFailed(id) {
			return errWaitFailed
		}
	}
	return nil
}

// outcome returns the request with the given id if it is being answered, and
// whether the session knows the id at all.
func (s *session) outcome(id int64) (*request, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending[id], s.in.find(id) != nil
}

func (s *session) hasFailed(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.in.find(id)
	return m != nil && m.state == failed
}

// answer answers a query at once.
func (s *session) answer(m incoming, result []byte, err error) {
	body := s.answerBody(m, result, err)
	s.mu.Lock()
	full, to := s.queueAnswer(m.id, body, err != nil)
	s.mu.Unlock()
	s.sent(full, to)
}

// conclude ends a request. The last one of a dropped session tells the handler.
func (s *session) conclude(r *request, body []byte, hasFailed bool) {
	var full bool
	var to *conn
	var forgotten []*rpc.Session
	s.mu.Lock()
	delete(s.pending, r.id)
	s.pendingBytes -= len(r.body)
	if r.dropped {
		s.in.mark(r.id, answered)
		to = s.newest()
	} else {
		full, to = s.queueAnswer(r.id, body, hasFailed)
	}
	if s.dead && len(s.pending) == 0 {
		forgotten = s.forget()
	}
	over := s.over() && to == nil
	s.mu.Unlock()

	close(r.done)
	s.sent(full, to)
	for _, f := range forgotten {
		s.srv.cfg.Handler.Forget(f)
	}
	if over {
		s.srv.drop(s, "key dropped")
	}
}

// queueAnswer queues an answer, which acknowledges its request. It runs under
// mu; sent is to be called with what it returns.
func (s *session) queueAnswer(id int64, body []byte, hasFailed bool) (full bool, to *conn) {
	s.out.unack(id)
	s.in.mark(id, answered)
	if hasFailed {
		s.in.mark(id, failed)
	}
	return s.queue(&message{body: body, answers: id, content: true})
}

// answerBody returns the rpc_result with the result of a query, or an error.
func (s *session) answerBody(m incoming, result []byte, err error) []byte {
	if err == nil {
		if result = deflate(result); len(result) <= maxMessage {
			return resultBody(m.id, result)
		}
		err = fmt.Errorf("send result of %d bytes: %w", len(result), transport.ErrTooLarge)
	}
	s.srv.stats.failed.Add(1)
	visible, meant := rpc.Visible(err)
	if !meant {
		s.srv.stats.internal.Add(1)
		rpc.LogFailed(s.srv.cfg.Log, s.identity(s.key.principal()), tg.MethodName(constructor(m.body)), err)
	}
	return resultBody(m.id, rpcError(visible))
}

// rpcError returns rpc_error#2144ca19 error_code:int error_message:string.
func rpcError(e *rpc.Error) []byte {
	var b bin.Buffer
	b.PutID(idRPCError)
	b.PutInt(e.Code)
	b.PutString(e.Name)
	return b.Buf
}

// dropTemps answers auth.dropTempAuthKeys#8e48a188 except_auth_keys:Vector<long> = Bool;
func (s *session) dropTemps(perm *authKey, query []byte) error {
	b := &bin.Buffer{Buf: query[4:]}
	except, err := readIDs(b, maxIDs)
	if err != nil {
		return fmt.Errorf("%w: %w", rpc.ErrInput, err)
	}
	keep := func(id int64) bool { return id == s.key.id || slices.Contains(except, id) }
	for _, old := range s.srv.registry.dropTempsExcept(perm, keep) {
		s.srv.drop(old, "temporary key dropped")
	}
	return nil
}

// appendInt appends a TL int.
func appendInt(b []byte, v int32) []byte { return binary.LittleEndian.AppendUint32(b, uint32(v)) }
