package mtproto

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"parley/internal/transport"
)

// sweepTime is how often expired keys and abandoned sessions are looked for.
const sweepTime = 15 * time.Second

// keySweepTime is how often unused permanent keys are looked for.
const keySweepTime = time.Hour

// requestTime is how long an HTTP request may take to arrive. Handlers that
// take longer to answer lift the bound, which would end their request.
const requestTime = 40 * time.Second

// maxRefusals bounds the clients over a limit that are being told so; others
// are just closed.
const maxRefusals = 64

// Serve accepts connections from l until ctx ends or l fails, and then closes
// the server. What speaks HTTP is handed to Config.HTTP.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer s.Close()
	stopped := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stopped()
	defer context.AfterFunc(s.ctx, func() { _ = l.Close() })()

	handed := &handedListener{conns: make(chan net.Conn), done: s.ctx.Done(), addr: l.Addr()}
	web := &http.Server{
		Handler: s.cfg.HTTP, ReadHeaderTimeout: transport.SniffTimeout, ReadTimeout: requestTime,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = web.Serve(handed) }) // ends with handed
	serving.Go(s.sweep)
	defer serving.Wait()
	defer func() { _ = web.Close() }()
	defer s.stop()

	return s.accept(ctx, l, handed)
}

// accept hands every connection to a goroutine of its own.
func (s *Server) accept(ctx context.Context, l net.Listener, handed *handedListener) error {
	for delay := time.Duration(0); ; {
		c, err := l.Accept()
		if ctx.Err() != nil || s.ctx.Err() != nil {
			if err == nil {
				_ = c.Close()
			}
			return nil
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("accept connection: %w", err)
			}
			s.cfg.Log.Warn("connection not accepted", "err", err)
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			select {
			case <-time.After(delay): // file descriptors may come back
			case <-ctx.Done():
			}
			continue
		}
		delay = 0
		s.welcome(c, handed)
	}
}

// welcome finds out in the background what c speaks and serves it.
func (s *Server) welcome(c net.Conn, handed *handedListener) {
	ip := addrIP(c.RemoteAddr())
	verdict := s.gate.enter(ip)
	if verdict != gateOpen {
		s.stats.refused.Add(1)
	}
	if verdict == gateClosed {
		_ = c.Close()
		return
	}
	counted := &countedConn{Conn: c, leave: func() { s.gate.leave(ip, verdict) }}
	if !s.begin(func() { s.meet(counted, ip, verdict, handed) }) {
		_ = counted.Close()
	}
}

func (s *Server) meet(c net.Conn, ip netip.Addr, verdict gateVerdict, handed *handedListener) {
	stop := context.AfterFunc(s.ctx, func() { _ = c.Close() })
	t, web, err := transport.Sniff(c, s.cfg.Secret)
	stop()
	switch {
	case err != nil:
		_ = c.Close()
	case verdict == gateFull:
		if t != nil {
			_ = t.SetWriteDeadline(time.Now().Add(time.Second))
			_ = t.WriteError(codeFlood) // it is closed either way
		}
		_ = c.Close()
	case web != nil:
		handed.hand(web)
	default:
		s.newConn(t, ip).serve()
	}
}

// sweep drops what has expired until the server closes.
func (s *Server) sweep() {
	tick, keyTick := time.NewTicker(sweepTime), time.NewTicker(keySweepTime)
	defer tick.Stop()
	defer keyTick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case now := <-tick.C:
			s.sweepOnce(now)
		case now := <-keyTick.C:
			s.sweepKeys(now)
		}
	}
}

// sweepKeys deletes the keys that were made and never used for anything, which
// costs a client nothing.
func (s *Server) sweepKeys(now time.Time) {
	ctx, cancel := context.WithTimeout(s.ctx, s.limits.Request)
	defer cancel()
	err := s.cfg.Keys.DeleteUnusedKeys(ctx, now.Add(-s.limits.Unused), s.registry.knows)
	if err != nil && s.ctx.Err() == nil {
		s.cfg.Log.Error("unused keys not deleted", "err", err)
	}
}

func (s *Server) sweepOnce(now time.Time) {
	detached := s.limits.Detached
	if _, sessions := s.registry.count(); sessions > s.limits.Conns || s.queued.Load() > int64(s.limits.QueuedBytes) {
		detached = 0 // who is not there has to find a new session
	}
	for _, old := range s.registry.sweep(now, now.Add(-detached)) {
		s.drop(old, "expired")
	}
	s.exchanges.sweep(now)
}

// handedListener is a listener of the connections handed to it.
type handedListener struct {
	conns chan net.Conn
	done  <-chan struct{}
	addr  net.Addr
}

func (l *handedListener) hand(c net.Conn) {
	select {
	case l.conns <- c:
	case <-l.done:
		_ = c.Close()
	}
}

// Accept waits for the next connection.
func (l *handedListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close does nothing: the listener ends with the server.
func (l *handedListener) Close() error { return nil }

// Addr returns the address connections arrive at.
func (l *handedListener) Addr() net.Addr { return l.addr }

// countedConn tells once that it is closed.
type countedConn struct {
	net.Conn

	once  sync.Once
	leave func()
}

func (c *countedConn) Close() error {
	c.once.Do(c.leave)
	return c.Conn.Close()
}

// gateVerdict is what happens to a new connection.
type gateVerdict int

const (
	gateOpen   gateVerdict = iota
	gateFull               // it is told to come later
	gateClosed             // it is not even told
)

// gate counts connections, in all and by address.
type gate struct {
	most, mostPerIP int // immutable

	mu       sync.Mutex
	all      int                // guarded by mu
	byIP     map[netip.Addr]int // guarded by mu
	refusals int                // guarded by mu
}

func newGate(limits Limits) gate {
	return gate{most: limits.Conns, mostPerIP: limits.ConnsPerIP, byIP: map[netip.Addr]int{}}
}

func (g *gate) enter(ip netip.Addr) gateVerdict {
	ip = network(ip)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all >= g.most || g.byIP[ip] >= g.mostPerIP {
		if g.refusals >= maxRefusals {
			return gateClosed
		}
		g.refusals++
		return gateFull
	}
	g.all++
	g.byIP[ip]++
	return gateOpen
}

func (g *gate) leave(ip netip.Addr, verdict gateVerdict) {
	ip = network(ip)
	g.mu.Lock()
	defer g.mu.Unlock()
	if verdict == gateFull {
		g.refusals--
		return
	}
	g.all--
	if g.byIP[ip]--; g.byIP[ip] == 0 {
		delete(g.byIP, ip)
	}
}

// network returns what limits count as one client: the address, or the /64 of
// an IPv6 address.
func network(ip netip.Addr) netip.Addr {
	if ip = ip.Unmap(); !ip.Is6() {
		return ip
	}
	prefix, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return ip
	}
	return prefix.Addr()
}

// addrIP returns the IP of a network address, the zero Addr if it has none.
func addrIP(a net.Addr) netip.Addr {
	if a == nil {
		return netip.Addr{}
	}
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap()
}
