// Package sfu is the media server: one UDP port, ICE-lite, DTLS in both roles,
// SRTP, and the forwarding of sound and video between the connections of a call
// (media.md, perf.md 6).
//
// Sound keeps its SSRC: a source is forwarded to the subscriptions of all while
// it is among the loudest. A video has layers; each receiver that wants it has
// a view, one stream made of runs of the layers that its path has room for.
//
// A room lives on one shard, a goroutine that owns everything a packet touches:
// it takes no lock, starts no timer and allocates nothing per packet. Whoever
// wants something done hands it a function. The first shard reads datagrams in
// batches, and hands those of others over; all send by themselves. Handshakes
// run on goroutines of their own; a connection that is made has none.
package sfu

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3/pkg/crypto/selfsign"

	"parley/internal/media/udp"
)

const (
	// defaultTimeout is how long a connection may be silent, or be in the making.
	defaultTimeout = 30 * time.Second
	// maxShards is how many shards there are at most: an ufrag's letters name more.
	maxShards = 8
)

// ErrClosed is returned once the server has stopped.
var ErrClosed = errors.New("sfu: closed")

var errNoCandidate = errors.New("sfu: no public address is of the socket's family")

// Listener hears of what happens to connections. Its methods are called one
// after another, and may call the Server.
type Listener interface {
	// Gone tells that a connection of a call ended by itself: it timed out, or
	// the client closed it. It is forgotten already.
	Gone(call, conn int64)
	// Spoke tells that someone speaks, at most every few seconds.
	Spoke(call, conn int64, at time.Time)
}

// Config is what a Server needs.
type Config struct {
	Listen    string       // host:port of the UDP socket; port 0 takes a free one
	PublicIPs []netip.Addr // told to clients; none: the machine's own
	Listener  Listener     // nil: nobody listens
	Log       *slog.Logger
	Timeout   time.Duration // 0: 30 s
	Portable  bool          // use the socket that works everywhere
	Shards    int           // goroutines that forward, 8 at most; 0: one for each processor
	// Wait is how long packets of a busy server may wait for others, so that
	// those for one receiver leave as one; 0: not at all.
	Wait time.Duration
	// Loudest is how many voices a participant hears at a time, MostLoudest at
	// most; 0: 8.
	Loudest int
}

// Server is a running media server.
type Server struct {
	log        *slog.Logger // immutable
	socket     udp.Trunk    // immutable; read and batched sends belong to the first shard
	shards     []*shard     // immutable; each owns its state
	places     places
	candidates []netip.AddrPort
	cert       tls.Certificate
	print      [sha256.Size]byte
	events     *notifier
	timeout    time.Duration
	loudest    int // immutable

	ctx    context.Context // of the handshakes
	cancel context.CancelFunc
	detach func() bool    // from the context of Start
	work   sync.WaitGroup // handshakes and the notifier
	closed atomic.Bool
	down   chan struct{} // closed once all is over
}

// Start binds the media socket and serves until Close, or until ctx ends.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	open := udp.Listen
	if cfg.Portable {
		open = udp.ListenPortable
	}
	socket, err := open(cfg.Listen)
	if err != nil {
		return nil, err
	}
	s := &Server{log: cfg.Log, socket: socket, timeout: cfg.Timeout, loudest: min(cfg.Loudest, MostLoudest), down: make(chan struct{})}
	if s.loudest <= 0 {
		s.loudest = loudest
	}
	if s.timeout == 0 {
		s.timeout = defaultTimeout
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.candidates, err = candidates(socket.LocalAddr(), cfg.PublicIPs); err == nil {
		s.cert, err = selfsign.GenerateSelfSigned()
	}
	if err != nil {
		_ = socket.Close()
		return nil, fmt.Errorf("start media server: %w", err)
	}
	s.print = sha256.Sum256(s.cert.Certificate[0])
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.events = newNotifier(cfg.Listener)
	s.work.Go(s.events.run)
	s.grow(cfg.Shards, cfg.Wait)
	s.detach = context.AfterFunc(ctx, s.stop)
	return s, nil
}

// grow makes the shards and starts them.
func (s *Server) grow(n int, wait time.Duration) {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	s.places.of = map[int64]*place{}
	s.shards = []*shard{newShard(s, steering{away: map[udp.Peer]*shard{}}, s.socket)}
	for i := 1; i < min(n, maxShards); i++ {
		branch := s.socket.Branch()
		s.shards = append(s.shards, newShard(s, steering{index: i, branch: branch}, branch))
	}
	for _, sh := range s.shards {
		sh.most = wait
		go sh.run()
	}
}

// Addr returns the address the media socket is bound to.
func (s *Server) Addr() netip.AddrPort { return s.socket.LocalAddr() }

// Close ends all connections and stops the server.
func (s *Server) Close() {
	s.detach()
	s.stop()
	<-s.down
}

// stop takes the server down in order: connections say goodbye while the
// socket is still there.
func (s *Server) stop() {
	if !s.closed.CompareAndSwap(false, true) {
		return
	}
	for _, sh := range s.shards {
		_ = sh.do(context.Background(), func() { sh.draining = true })
	}
	s.cancel()
	s.events.close()
	s.work.Wait()
	for _, sh := range s.shards {
		sh.post(func() { sh.farewell(); sh.stopped = true })
	}
	for _, sh := range s.shards {
		<-sh.done
	}
	_ = s.socket.Close()
	close(s.down)
}

// candidates lists where clients find the socket.
func candidates(bound netip.AddrPort, public []netip.Addr) ([]netip.AddrPort, error) {
	ips := public
	switch {
	case len(ips) > 0:
	case !bound.Addr().IsUnspecified():
		ips = []netip.Addr{bound.Addr()}
	default:
		var err error
		if ips, err = localIPs(); err != nil {
			return nil, err
		}
	}
	var all []netip.AddrPort
	for _, ip := range ips {
		if ip = ip.Unmap(); ip.Is4() || bound.Addr().Is6() {
			all = append(all, netip.AddrPortFrom(ip, bound.Port()))
		}
	}
	if len(all) == 0 {
		return nil, errNoCandidate
	}
	return all, nil
}

// localIPs returns the machine's addresses that others may reach, or the
// loopback address when there is none.
func localIPs() ([]netip.Addr, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list interface addresses: %w", err)
	}
	var ips []netip.Addr
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.IsGlobalUnicast() {
			ips = append(ips, ip.Unmap())
		}
	}
	if len(ips) == 0 {
		ips = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	return ips, nil
}
