package sfu

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"
	"github.com/pion/transport/v4/packetio"

	"parley/internal/media/srtp"
	"parley/internal/media/udp"
)

const (
	maxRecords = 64       // DTLS records waiting for their connection
	maxBacklog = 64 << 10 // bytes of them
	recordSize = 8 << 10

	flightEvery = 300 * time.Millisecond // first retransmission
	dtlsMTU     = 1200

	// nativePause is how long a native engine is given before our first flight.
	// ntgcalls (GroupCall::connect) makes its channels while it connects and only
	// then begins to watch the connection: on a network quicker than that it
	// never notices that it is connected, and neither sends nor plays.
	nativePause = 300 * time.Millisecond
)

var (
	errCertificate = errors.New("sfu: certificate is not the announced one")
	errNoProfile   = errors.New("sfu: no srtp profile")
)

// session is the DTLS side of a connection, on goroutines of its own.
type session struct {
	socket  udp.Socket
	records *packetio.Buffer // from the shard
	remote  atomic.Pointer[netip.AddrPort]
	cancel  context.CancelFunc
	quiet   logging.LoggerFactory
	heights mailbox // wanted of the client
}

// push hands a record over; it is dropped when too many wait.
func (s *session) push(b []byte) bool {
	if s == nil {
		return false
	}
	_, err := s.records.Write(b)
	return err == nil
}

// ask tells the client how high its picture needs to be.
func (s *session) ask(height int) {
	if s != nil {
		s.heights.put(height)
	}
}

// end lets the session say goodbye and return.
func (s *session) end() { s.cancel() }

// shake starts the handshake of a connection whose address is known.
func (sh *shard) shake(c *conn) {
	ctx, cancel := context.WithCancel(sh.server.ctx)
	s := &session{
		socket: sh.socket, records: packetio.NewBuffer(), cancel: cancel,
		quiet: &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled},
	}
	s.heights.init()
	if c.video != nil {
		s.heights.put(c.video.height)
	}
	s.records.SetLimitCount(maxRecords)
	s.records.SetLimitSize(maxBacklog)
	addr := c.addr
	s.remote.Store(&addr)
	c.session = s
	sums, _ := c.client.Certificates() // checked when parsed
	active := c.client.Active()
	pause := time.Duration(0)
	if active && !c.controlling { // only native engines are ever controlled
		pause = nativePause
	}
	sh.server.work.Go(func() {
		defer cancel()
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		err := sh.server.serve(ctx, s, c, sums, active)
		left := ctx.Err() != nil
		sh.post(func() {
			if err != nil && !left {
				sh.count.HandshakeErrors++
			}
			sh.gone(c)
		})
		if err != nil && !left {
			sh.server.log.Debug("media handshake failed", "call", c.call, "conn", c.id, "err", err)
		}
	})
}

// serve shakes hands, gives the shard the keys, and reads until the end.
func (s *Server) serve(ctx context.Context, ss *session, c *conn, sums [][sha256.Size]byte, active bool) error {
	d, err := s.dtls(ss, sums, active)
	if err != nil {
		return fmt.Errorf("open dtls: %w", err)
	}
	defer d.Close()
	stop := context.AfterFunc(ctx, func() { _ = d.Close() })
	defer stop()
	limit, cancel := context.WithTimeout(ctx, s.timeout)
	err = d.HandshakeContext(limit)
	cancel()
	if err != nil {
		return fmt.Errorf("shake hands: %w", err)
	}
	in, out, err := keys(d, active)
	if err != nil {
		return err
	}
	s.shard.post(func() { s.shard.ready(c, in, out) })
	return s.data(ss, c, d)
}

// ready takes the keys: from now on packets flow.
func (sh *shard) ready(c *conn, in, out srtp.Context) {
	if c.removed {
		return
	}
	c.in, c.out, c.seen = in, out, sh.now
	sh.count.Ready++
	if !c.presentation { // an engine plays whatever arrives there (media.md 10.3)
		c.room.addReceiver(c)
		c.readyAt = sh.now
		sh.watch(c)
	}
}

// dtls makes the connection in the role that the client's setup leaves us.
func (s *Server) dtls(ss *session, sums [][sha256.Size]byte, active bool) (*dtls.Conn, error) {
	conn := packetConn{ss}
	common := []dtls.Option{
		dtls.WithCertificates(s.cert),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80),
		dtls.WithInsecureSkipVerify(true), // the announced hash is what counts
		dtls.WithVerifyPeerCertificate(func(raw [][]byte, _ [][]*x509.Certificate) error { return verify(raw, sums) }),
		dtls.WithFlightInterval(flightEvery),
		dtls.WithMTU(dtlsMTU),
		dtls.WithLoggerFactory(ss.quiet),
	}
	if active {
		var options []dtls.ClientOption
		for _, o := range common {
			options = append(options, o)
		}
		return dtls.ClientWithOptions(conn, conn.addr(), options...)
	}
	options := []dtls.ServerOption{
		dtls.WithClientAuth(dtls.RequireAnyClientCert),
		dtls.WithInsecureSkipVerifyHello(true), // ICE proved the address
	}
	for _, o := range common {
		options = append(options, o)
	}
	return dtls.ServerWithOptions(conn, conn.addr(), options...)
}

// verify compares the peer's certificate with the announced hashes.
func verify(raw [][]byte, sums [][sha256.Size]byte) error {
	if len(raw) == 0 || !slices.Contains(sums, sha256.Sum256(raw[0])) {
		return errCertificate
	}
	return nil
}

// keys exports the SRTP keys of a finished handshake.
func keys(d *dtls.Conn, active bool) (in, out srtp.Context, err error) {
	profile, ok := d.SelectedSRTPProtectionProfile()
	state, have := d.ConnectionState()
	if !ok || !have {
		return nil, nil, errNoProfile
	}
	p := srtp.Profile(profile)
	material, err := state.ExportKeyingMaterial(srtp.Label, nil, p.Material())
	if err != nil {
		return nil, nil, fmt.Errorf("export srtp keys: %w", err)
	}
	return srtp.Pair(p, material, active)
}

// packetConn lets pion read the session's records and write to its address.
type packetConn struct{ *session }

func (p packetConn) addr() net.Addr { return net.UDPAddrFromAddrPort(*p.remote.Load()) }

func (p packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := p.records.Read(b)
	return n, p.addr(), err //nolint:wrapcheck // io.EOF and timeouts are meant for the caller
}

func (p packetConn) WriteTo(b []byte, _ net.Addr) (int, error) {
	if err := p.socket.WriteTo(b, *p.remote.Load()); err != nil {
		return 0, fmt.Errorf("send record: %w", err)
	}
	return len(b), nil
}

func (p packetConn) Close() error { return p.records.Close() }

func (p packetConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(p.socket.LocalAddr()) }

func (p packetConn) SetDeadline(t time.Time) error     { return p.records.SetReadDeadline(t) }
func (p packetConn) SetReadDeadline(t time.Time) error { return p.records.SetReadDeadline(t) }
func (packetConn) SetWriteDeadline(time.Time) error    { return nil }
