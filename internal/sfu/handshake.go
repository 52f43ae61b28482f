package sfu

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/elliptic"
	"github.com/pion/transport/v4/packetio"

	"parley/internal/media/record"
	"parley/internal/media/srtp"
	"parley/internal/media/udp"
)

const (
	maxRecords = 64       // DTLS records waiting for their connection
	maxBacklog = 64 << 10 // bytes of them
	recordSize = 2 << 10  // what a record of a client holds at most

	flightEvery = 300 * time.Millisecond // first retransmission
	dtlsMTU     = 1200

	// nativePause is how long a native engine is given before our first flight.
	// ntgcalls (GroupCall::connect) makes its channels while it connects and only
	// then begins to watch the connection: on a network quicker than that it
	// never notices that it is connected, and neither sends nor plays.
	nativePause = 300 * time.Millisecond
)

// The SRTP profiles we offer. Native engines have GCM for sure, and one, when it
// may choose, takes a slower profile than any of these.
var (
	allProfiles    = []dtls.SRTPProtectionProfile{dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80}
	nativeProfiles = allProfiles[:1]
)

var (
	errCertificate = errors.New("sfu: certificate is not the announced one")
	errNoProfile   = errors.New("sfu: no srtp profile")
	errHello       = errors.New("sfu: hello was not understood")
)

// handshake is what pion reads and writes, on goroutines of its own, until a
// connection has its keys.
type handshake struct {
	socket  udp.Socket
	records *packetio.Buffer // from the shard
	remote  *atomic.Pointer[udp.Peer]
	active  bool // we are the client of it
	left    atomic.Bool

	mu      sync.Mutex
	done    bool           // nothing is sent any more; guarded by mu
	last    []byte         // the last datagram sent; guarded by mu
	secrets record.Secrets // guarded by mu
}

// shake starts the handshake of a connection whose address is known.
func (sh *shard) shake(c *conn) {
	ctx, cancel := context.WithCancel(sh.server.ctx)
	h := &handshake{socket: sh.socket, records: packetio.NewBuffer(), active: c.client.Active(), remote: new(atomic.Pointer[udp.Peer])}
	h.records.SetLimitCount(maxRecords)
	h.records.SetLimitSize(maxBacklog)
	addr := c.addr
	h.remote.Store(&addr)
	c.session = &session{shard: sh, conn: c, remote: h.remote, shaking: h, cancel: cancel, data: data{height: -1}}
	if c.video != nil {
		c.session.height = c.video.height
	}
	sums, _ := c.client.Certificates() // checked when parsed
	native := h.active && !c.controlling
	sh.server.work.Go(func() {
		defer cancel()
		if native {
			select {
			case <-time.After(nativePause):
			case <-ctx.Done():
			}
		}
		err := sh.serve(ctx, c, h, sums, native)
		if err == nil || ctx.Err() != nil {
			return
		}
		sh.server.log.Debug("media handshake failed", "call", c.call, "conn", c.id, "err", err)
		sh.post(func() {
			sh.count.HandshakeErrors++
			sh.gone(c)
		})
	})
}

// serve shakes hands and gives the shard the keys. What pion read meanwhile of
// what comes after is handed on.
func (sh *shard) serve(ctx context.Context, c *conn, h *handshake, sums [][sha256.Size]byte, native bool) error {
	d, err := sh.server.dtls(h, sums, native)
	if err != nil {
		return fmt.Errorf("open dtls: %w", err)
	}
	defer d.Close()
	limit, cancel := context.WithTimeout(ctx, sh.server.timeout)
	defer cancel()
	if err = d.HandshakeContext(limit); err != nil {
		return fmt.Errorf("shake hands: %w", err)
	}
	k, err := h.finish(d)
	if err != nil {
		return err
	}
	sh.post(func() {
		c.session.secure(k)
		sh.ready(c, k.in, k.out)
		_ = h.records.Close() // pion reads what is left
	})
	b := make([]byte, recordSize)
	for {
		n, err := d.Read(b)
		switch {
		case err == nil:
			data := slices.Clone(b[:n])
			sh.post(func() { c.session.receive(data) })
		case h.left.Load():
			sh.post(func() { sh.part(c) })
			return nil
		case errors.Is(err, io.EOF):
			return nil
		}
	}
}

// ready takes the keys: from now on packets flow.
func (sh *shard) ready(c *conn, in, out srtp.Context) {
	if c.removed {
		return
	}
	c.in, c.out, c.hot, c.seen = in, out, srtp.HotOf(out), sh.now
	sh.count.Ready++
	if !c.presentation { // an engine plays whatever arrives there (media.md 10.3)
		c.room.addReceiver(c)
		c.readyAt = sh.now
		sh.watch(c)
	}
}

// dtls makes pion's connection in the role that the client's setup leaves us.
func (s *Server) dtls(h *handshake, sums [][sha256.Size]byte, native bool) (*dtls.Conn, error) {
	conn, profiles := packetConn{h}, allProfiles
	if native {
		profiles = nativeProfiles
	}
	common := []dtls.Option{
		dtls.WithCertificates(s.cert),
		dtls.WithCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
		dtls.WithEllipticCurves(elliptic.P256, elliptic.X25519), // P-256 is the faster one here
		dtls.WithSRTPProtectionProfiles(profiles...),
		dtls.WithInsecureSkipVerify(true), // the announced hash is what counts
		dtls.WithVerifyPeerCertificate(func(raw [][]byte, _ [][]*x509.Certificate) error { return verify(raw, sums) }),
		dtls.WithFlightInterval(flightEvery),
		dtls.WithMTU(dtlsMTU),
		dtls.WithLoggerFactory(quiet{}),
		dtls.WithKeyLogWriter(h),
	}
	if h.active {
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

// keys is what a handshake leaves behind.
type keys struct {
	in, out srtp.Context
	layer   *record.Layer
	last    []byte // of the server of the handshake: its last flight
}

// finish stops the sending, so that the numbers of records are final, and
// takes the keys.
func (h *handshake) finish(d *dtls.Conn) (k keys, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.active {
		k.last = h.last
	}
	profile, ok := d.SelectedSRTPProtectionProfile()
	state, have := d.ConnectionState()
	if !ok || !have {
		return k, errNoProfile
	}
	p := srtp.Profile(profile)
	material, err := state.ExportKeyingMaterial(srtp.Label, nil, p.Material())
	if err != nil {
		return k, fmt.Errorf("export srtp keys: %w", err)
	}
	if k.in, k.out, err = srtp.Pair(p, material, h.active); err != nil {
		return k, err
	}
	theirs := h.secrets.Client[:]
	if h.active {
		theirs = h.secrets.Server[:]
	}
	if agreed := state.RemoteRandomBytes(); !bytes.HasSuffix(theirs, agreed[:]) {
		return k, errHello
	}
	k.layer, err = record.New(&h.secrets, h.active)
	h.done = err == nil
	return k, err
}

// Write takes the line of a key log that tells the master secret: pion has no
// other way to tell it that is not slow.
func (h *handshake) Write(line []byte) (int, error) {
	text := bytes.TrimSpace(line)
	secret, err := hex.AppendDecode(nil, text[bytes.LastIndexByte(text, ' ')+1:])
	if err != nil {
		return 0, fmt.Errorf("read key log: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.secrets.Master = secret
	return len(line), nil
}

// packetConn lets pion read a handshake's records and write to its address.
type packetConn struct{ *handshake }

func (p packetConn) addr() net.Addr { return net.UDPAddrFromAddrPort(p.remote.Load().AddrPort) }

func (p packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := p.records.Read(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.secrets.Heard(b[:n], !p.active)
	return n, p.addr(), err //nolint:wrapcheck // io.EOF and timeouts are meant for the caller
}

func (p packetConn) WriteTo(b []byte, _ net.Addr) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return len(b), nil
	}
	p.last = append(p.last[:0], b...)
	p.secrets.Said(b, p.active)
	if err := p.socket.WriteTo(b, *p.remote.Load()); err != nil {
		return 0, fmt.Errorf("send record: %w", err)
	}
	return len(b), nil
}

// Close is called by pion when the client says goodbye, and by us at the end.
func (p packetConn) Close() error {
	p.left.Store(true)
	return p.records.Close()
}

func (p packetConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(p.socket.LocalAddr()) }

func (p packetConn) SetDeadline(t time.Time) error     { return p.records.SetReadDeadline(t) }
func (p packetConn) SetReadDeadline(t time.Time) error { return p.records.SetReadDeadline(t) }
func (packetConn) SetWriteDeadline(time.Time) error    { return nil }
