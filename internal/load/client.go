package load

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/pion/stun/v3"
	"github.com/pion/transport/v4/packetio"

	"parley/internal/colibri"
)

const (
	maxPacket   = 2048
	controlSize = 64
	bufferSize  = 4 << 20                // of a socket: half a second of the busiest probe
	checkAgain  = 200 * time.Millisecond // a check without an answer
	connectTime = 30 * time.Second
)

// offer is what a client tells a server before they connect.
type offer struct {
	ssrc       uint32 // of its audio
	groups     []colibri.SourceGroup
	ufrag, pwd string
	cert       *certificate
	publishes  bool
}

// remote is a server's end of one connection.
type remote struct {
	addr        netip.AddrPort
	ufrag, pwd  string
	fingerprint string
	endpoint    string // of the client's own video
}

// certificate is the one that all clients share: its making is not a server's
// cost.
type certificate struct {
	tls.Certificate
	fingerprint string
}

// client is one participant's engine made of pion's parts: ICE by hand, DTLS
// as the server of the handshake (as tgcalls is), SRTP.
type client struct {
	offer
	remote
	clock   func() time.Duration
	probe   *probe    // nil: media is counted, not read
	hearing *hearing  // nil: no feedback is sent
	streams []*stream // that it publishes
	sees    bool      // it says which videos it wants to see
	peers   []string  // their endpoints

	socket   *socket
	count    *counter
	records  *packetio.Buffer
	dtls     *dtls.Conn
	data     *messages     // nil without a data channel
	in       *srtp.Context // owned by who reads, once ready
	out      *srtp.Context // owned by the pump
	reports  *srtp.Context // owned by the keeper; for RTCP
	ready    atomic.Bool
	answered atomic.Int64  // when the last check was answered
	sequence uint16        // transport-wide; owned by the pump
	done     chan struct{} // closed when nobody follows the socket
}

// nextTransport returns the next transport-wide sequence number.
func (c *client) nextTransport() uint16 {
	c.sequence++
	return c.sequence
}

// token returns n random hex characters.
func token(n int) string {
	b := make([]byte, (n+1)/2)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)[:n]
}

// randomSSRC returns an SSRC with room for video sources after it.
func randomSSRC() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint32(b[:])&0x7ffffff0 | 1
}

// connect makes ICE and DTLS towards the server's end.
func (c *client) connect(ctx context.Context, r remote) error {
	c.remote = r
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	var err error
	if c.socket, c.count, err = listen(r.addr.Addr(), c.probe != nil, c.hearing != nil); err != nil {
		return err
	}
	c.records, c.done = packetio.NewBuffer(), make(chan struct{})
	go func() { defer close(c.done); c.socket.follow(c.take) }()
	if err = c.reach(ctx); err == nil {
		err = c.handshake(ctx)
	}
	if err == nil && c.sees && r.endpoint != "" {
		err = c.openData()
	}
	if err != nil {
		c.close()
		return fmt.Errorf("connect to %s: %w", r.addr, err)
	}
	if c.probe == nil { // from now on the keeper reads
		c.socket.hush()
		<-c.done
	}
	return nil
}

var errNoAnswer = errors.New("no answer to connectivity checks")

// reach sends checks until one is answered.
func (c *client) reach(ctx context.Context) error {
	for c.answered.Load() == 0 {
		if err := c.check(); err != nil {
			return err
		}
		for wait := time.Millisecond; c.answered.Load() == 0 && wait < checkAgain; wait *= 2 {
			select {
			case <-ctx.Done():
				return errNoAnswer
			case <-time.After(wait):
			}
		}
	}
	return nil
}

// check sends one connectivity check; it keeps the server's consent, too.
func (c *client) check() error {
	role := stun.RawAttribute{Type: stun.AttrICEControlling, Value: make([]byte, 8)}
	priority := stun.RawAttribute{Type: stun.AttrPriority, Value: []byte{0x6e, 0xff, 0xff, 0xff}}
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(c.remote.ufrag+":"+c.offer.ufrag),
		role, priority, stun.RawAttribute{Type: stun.AttrUseCandidate}, stun.NewShortTermIntegrity(c.remote.pwd), stun.Fingerprint)
	if err != nil {
		return fmt.Errorf("build check: %w", err)
	}
	return c.write(m.Raw)
}

func (c *client) write(b []byte) error { return c.socket.write(b, c.addr) }

var errFingerprint = errors.New("the server's certificate is not the announced one")

// handshake makes DTLS and takes the keys.
func (c *client) handshake(ctx context.Context) (err error) {
	quiet := &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
	c.dtls, err = dtls.ServerWithOptions(records{c}, net.UDPAddrFromAddrPort(c.addr),
		dtls.WithCertificates(c.cert.Certificate),
		dtls.WithClientAuth(dtls.RequireAnyClientCert),
		dtls.WithInsecureSkipVerifyHello(true), // ICE proved the address
		dtls.WithInsecureSkipVerify(true),      // the announced hash is what counts
		dtls.WithVerifyPeerCertificate(func(raw [][]byte, _ [][]*x509.Certificate) error {
			if len(raw) == 0 || colibri.Print(sha256.Sum256(raw[0])) != c.fingerprint {
				return errFingerprint
			}
			return nil
		}),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM),
		dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret),
		dtls.WithLoggerFactory(quiet))
	if err != nil {
		return fmt.Errorf("open dtls: %w", err)
	}
	if err = c.dtls.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("shake hands: %w", err)
	}
	return c.keys()
}

var errNoKeys = errors.New("handshake left no srtp keys")

// keys makes the contexts of both directions.
func (c *client) keys() error {
	state, ok := c.dtls.ConnectionState()
	profile, have := c.dtls.SelectedSRTPProtectionProfile()
	if !ok || !have {
		return errNoKeys
	}
	cfg := srtp.Config{Profile: srtp.ProtectionProfile(profile)}
	err := cfg.ExtractSessionKeysFromDTLS(&state, false)
	if err == nil {
		c.in, err = srtp.CreateContext(cfg.Keys.RemoteMasterKey, cfg.Keys.RemoteMasterSalt, cfg.Profile)
	}
	for _, out := range []**srtp.Context{&c.out, &c.reports} {
		if err == nil {
			*out, err = srtp.CreateContext(cfg.Keys.LocalMasterKey, cfg.Keys.LocalMasterSalt, cfg.Profile)
		}
	}
	if err != nil {
		return fmt.Errorf("make srtp contexts: %w", err)
	}
	c.ready.Store(true)
	return nil
}

// take sorts what comes.
func (c *client) take(b []byte, at time.Time) {
	switch {
	case len(b) < 2:
	case b[0] < 4:
		c.answered.Store(int64(c.clock()))
	case b[0] >= 20 && b[0] < 64:
		_, _ = c.records.Write(b)
	case !c.ready.Load():
	case b[0]>>6 == 2 && b[1] >= 192 && b[1] <= 223:
		c.takeRTCP(b)
	case b[0]>>6 == 2 && len(b) >= 12:
		if c.hearing != nil {
			c.hearing.note(b, c.came(at))
		}
		if isMedia(b) {
			c.takeMedia(b)
		}
	}
}

// noted hears of a sample that the kernel noted, and counted.
func (c *client) noted(b []byte, at time.Time) {
	if c.hearing != nil && c.ready.Load() {
		c.hearing.note(b, c.came(at))
	}
}

// came returns when a packet came, however late it is read.
func (c *client) came(at time.Time) time.Duration {
	now := c.clock()
	if at.IsZero() {
		return now
	}
	return now - time.Since(at)
}

// takeRTCP looks for requests of key frames.
func (c *client) takeRTCP(b []byte) {
	if len(c.streams) == 0 || !c.streams[0].video {
		return
	}
	plain, err := c.in.DecryptRTCP(nil, b, nil)
	if err != nil {
		return
	}
	packets, _ := rtcp.Unmarshal(plain)
	for _, p := range packets {
		switch p.(type) {
		case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
			for _, s := range c.streams {
				if ssrcs := p.DestinationSSRC(); len(ssrcs) > 0 && ssrcs[0] == s.ssrc {
					s.key.Store(true)
				}
			}
		}
	}
}

// takeMedia counts a packet that the kernel let through. A probe's packets
// count once they are decrypted.
func (c *client) takeMedia(b []byte) {
	if c.probe == nil {
		c.count.read.Add(1)
		return
	}
	var h rtp.Header
	plain, err := c.in.DecryptRTP(c.probe.scratch[:0], b, &h)
	if err != nil {
		c.probe.broken.Add(1)
		return
	}
	c.count.read.Add(1)
	c.probe.take(plain[h.MarshalSize():], c.clock())
}

// close says goodbye and ends the client.
func (c *client) close() {
	if c.data != nil {
		c.data.close()
	}
	if c.dtls != nil {
		_ = c.dtls.Close()
	}
	if c.socket != nil {
		c.socket.close()
		<-c.done
	}
	if c.records != nil {
		_ = c.records.Close()
	}
}

// records lets pion read and write a client's DTLS records.
type records struct{ c *client }

func (r records) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := r.c.records.Read(b)
	return n, net.UDPAddrFromAddrPort(r.c.addr), err //nolint:wrapcheck // io.EOF and timeouts are meant for the caller
}

func (r records) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), r.c.write(b) }
func (r records) Close() error                              { return r.c.records.Close() }
func (r records) LocalAddr() net.Addr                       { return r.c.socket.watched.LocalAddr() }

func (r records) SetDeadline(t time.Time) error { return r.c.records.SetReadDeadline(t) }

func (r records) SetReadDeadline(t time.Time) error { return r.c.records.SetReadDeadline(t) }
func (records) SetWriteDeadline(time.Time) error    { return nil }
