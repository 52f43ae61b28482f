package mtproto

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"parley/internal/transport"
)

// WebSocket returns the handler of MTProto over WebSocket, for /apiws and what
// clients append to it (_test, _premium). Pages of any origin may connect: the
// endpoint knows no cookies.
func (s *Server) WebSocket() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.join() {
			http.Error(w, "closing", http.StatusServiceUnavailable)
			return
		}
		defer s.work.Done()
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
			Subprotocols: []string{"binary"}, InsecureSkipVerify: true, // any origin
			CompressionMode: websocket.CompressionDisabled,
		})
		if err != nil {
			return // Accept has answered
		}
		defer func() { _ = ws.CloseNow() }()
		addr := remoteAddr(r)
		t, err := transport.WebSocket(s.ctx, ws, addr)
		if err != nil {
			return
		}
		s.newConn(t, addrIP(addr)).serve()
	})
}

// remoteAddr returns the address of the connection a request came on.
func remoteAddr(r *http.Request) net.Addr {
	p, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return &net.TCPAddr{}
	}
	return net.TCPAddrFromAddrPort(p)
}

// PlainHTTP returns the handler of MTProto over HTTP, for POST /api and
// /apiw1: each request carries one frame, the answer what the server has to
// say next, for which it waits (http_wait).
func (s *Server) PlainHTTP() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Allow-Methods", "POST, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "*")
		switch r.Method {
		case http.MethodOptions:
			w.WriteHeader(http.StatusNoContent)
			return
		case http.MethodPost:
		default:
			http.Error(w, "POST only", http.StatusMethodNotAllowed)
			return
		}
		body, err := s.large.ReadAll(http.MaxBytesReader(w, r.Body, transport.MaxRead))
		if err != nil {
			http.Error(w, "request too large", http.StatusRequestEntityTooLarge)
			return
		}
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // a recorder has none
		s.poll(w, r, body)
	})
}

// poll answers one plain HTTP request.
func (s *Server) poll(w http.ResponseWriter, r *http.Request, body []byte) {
	addr := remoteAddr(r)
	p := &polled{body: body, remote: addr, closed: make(chan struct{})}
	c := s.newConn(p, addrIP(addr))
	c.once = true
	c.timer.Reset(s.limits.LongestPoll)
	defer context.AfterFunc(r.Context(), c.close)()
	c.serve()
	if p.code != 0 {
		http.Error(w, strconv.Itoa(int(p.code)), int(-p.code))
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(p.reply) // the client is there or not
}

// polled is a plain HTTP request as a connection: one frame in, one frame out.
type polled struct {
	body   []byte // owned by the reader
	remote net.Addr
	reply  []byte // owned by the writer
	code   int32  // owned by the writer

	once   sync.Once
	closed chan struct{}
}

// ReadFrame returns the request's body and then waits for the end.
func (p *polled) ReadFrame() (transport.Frame, error) {
	if p.body != nil {
		f := transport.Frame{Payload: p.body}
		p.body = nil
		return f, nil
	}
	<-p.closed
	return transport.Frame{}, io.EOF
}

// WriteFrame sets the answer.
func (p *polled) WriteFrame(b []byte) error {
	p.reply = slices.Clone(b)
	return nil
}

// WriteQuickAck does nothing: HTTP has no quick acks.
func (p *polled) WriteQuickAck(uint32) error { return nil }

// WriteError makes code the status of the answer.
func (p *polled) WriteError(code int32) error {
	p.code = code
	return nil
}

// SetReadDeadline does nothing: the time of the answer bounds the request.
func (p *polled) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing: the answer is written after the end.
func (p *polled) SetWriteDeadline(time.Time) error { return nil }

// RemoteAddr returns the client's address.
func (p *polled) RemoteAddr() net.Addr { return p.remote }

// Share does nothing: the frame has come.
func (p *polled) Share(transport.Slots) {}

// Close ends the wait for an answer.
func (p *polled) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}
