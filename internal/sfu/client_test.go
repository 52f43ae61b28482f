package sfu

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/pion/stun/v3"
	"github.com/pion/transport/v4/packetio"

	"parley/internal/calls"
	"parley/internal/colibri"
	ours "parley/internal/media/rtcp"
)

const patience = 10 * time.Second

// client is one engine, made of pion's parts: ICE by hand, DTLS in the role
// its setup names, SRTP.
type client struct {
	t      *testing.T
	server *Server
	call   int64
	conn   int64
	ssrc   uint32
	ufrag  string
	pwd    string
	cert   tls.Certificate
	answer answer

	socket  atomic.Pointer[net.UDPConn]
	remote  netip.AddrPort
	padding atomic.Int64 // packets of nothing else
	silent  bool         // reports nothing of what came
	limit   atomic.Int64 // bits per second that reach the client; 0 = all
	records *packetio.Buffer
	lose    func([]byte) bool // DTLS records on their way to the client
	dtls    *dtls.Conn
	in, out *srtp.Context
	sealing sync.Mutex // around out
	rtp     chan *rtp.Packet
	rtcp    chan []rtcp.Packet
	raw     chan []byte // protected, as received
	checks  chan struct{}
	seq     uint16
	number  uint16   // transport-wide, of video
	sent    [][]byte // protected, as sent
}

type answer struct {
	Transport struct {
		Ufrag, Pwd   string
		Fingerprints []colibri.Fingerprint
		Candidates   []struct{ IP, Port string }
	}
}

type options struct {
	call, conn int64
	ssrc       uint32
	setup      string // passive when empty
	profiles   []dtls.SRTPProtectionProfile
	mtu        int
	muted      bool
	screen     bool
	wrongCert  bool
	controlled bool
	user       int64
	groups     string // of sources, JSON
	endpoint   string
	unseen     bool // its video is not forwarded
	silent     bool
}

// join announces a client to the server; connect makes its media.
func join(t *testing.T, s *Server, o options) *client {
	t.Helper()
	cert, err := selfsign.GenerateSelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	c := &client{
		silent: o.silent, t: t, server: s, call: max(o.call, 1), conn: o.conn, ssrc: o.ssrc, ufrag: "Jpbd" + strconv.FormatInt(o.conn, 10), pwd: "Fus4hRjMrpP46HRkXRz+RPdL",
		cert: cert, records: packetio.NewBuffer(), rtp: make(chan *rtp.Packet, 4096), rtcp: make(chan []rtcp.Packet, 256),
		raw: make(chan []byte, 4096), checks: make(chan struct{}, 64), seq: 1000,
	}
	if o.groups == "" {
		o.groups = fmt.Sprintf(`[{"semantics":"FID","sources":[%d,%d]}]`, int32(o.ssrc+1), int32(o.ssrc+2))
	}
	if o.endpoint == "" {
		o.endpoint = fmt.Sprintf("e%015x", o.conn)
	}
	sum := sha256.Sum256(cert.Certificate[0])
	if o.wrongCert {
		sum[0]++
	}
	if o.setup == "" {
		o.setup = "passive"
	}
	payload, err := colibri.ParseJoin(fmt.Appendf(nil, `{"ufrag":%q,"pwd":%q,"ssrc":%d,"fingerprints":[{"hash":"sha-256","setup":%q,"fingerprint":%q}],
		"ssrc-groups":%s}`, c.ufrag, c.pwd, int32(o.ssrc), o.setup, colibri.Print(sum), o.groups))
	if err != nil {
		t.Fatal(err)
	}
	data, err := s.Join(t.Context(), calls.MediaJoin{
		Call: c.call, Conn: o.conn, User: o.user, Payload: payload, Presentation: o.screen, Endpoint: o.endpoint, Audio: !o.muted, Video: !o.unseen,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &c.answer); err != nil {
		t.Fatal(err)
	}
	at := c.answer.Transport.Candidates[0]
	c.remote = netip.MustParseAddrPort(net.JoinHostPort(at.IP, at.Port))
	c.bind()
	return c
}

// bind moves the client to another address.
func (c *client) bind() {
	network, ip := "udp4", net.IPv4(127, 0, 0, 1)
	if c.remote.Addr().Is6() {
		network, ip = "udp6", net.IPv6loopback
	}
	socket, err := net.ListenUDP(network, &net.UDPAddr{IP: ip})
	if err != nil {
		c.t.Fatal(err)
	}
	c.socket.Store(socket)
	c.t.Cleanup(func() { _ = socket.Close() })
	go c.read(socket)
}

// read sorts what comes.
func (c *client) read(socket *net.UDPConn) {
	type delayed struct {
		packet []byte
		at     time.Time
	}
	queue := make(chan delayed, 1<<14)
	defer close(queue)
	go func() {
		for d := range queue {
			if wait := time.Until(d.at); wait > 0 {
				<-time.After(wait)
			}
			c.sort(d.packet)
		}
	}()
	b := make([]byte, 4096)
	for busy := time.Now(); ; {
		n, from, err := socket.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		if from != c.remote {
			continue // ICE and NATs want answers from where they asked
		}
		if limit := c.limit.Load(); limit > 0 {
			if now := time.Now(); busy.Before(now) {
				busy = now
			}
			if time.Until(busy) > 300*time.Millisecond {
				continue // the queue is full
			}
			busy = busy.Add(time.Duration(int64(n+28) * 8 * int64(time.Second) / limit))
		}
		queue <- delayed{slices.Clone(b[:n]), busy}
	}
}

// sort hands a packet to whom it is for.
func (c *client) sort(p []byte) {
	switch {
	case p[0] < 4:
		select {
		case c.checks <- struct{}{}:
		default:
		}
	case p[0] < 64 && c.lose != nil && c.lose(p):
	case p[0] < 64:
		_, _ = c.records.Write(p)
	default:
		c.raw <- p
	}
}

// check makes one connectivity check and waits for its answer.
func (c *client) check(setters ...stun.Setter) {
	c.t.Helper()
	m := c.binding(c.answer.Transport.Pwd, setters...)
	for {
		c.write(m)
		select {
		case <-c.checks:
			return
		case <-time.After(time.Second):
		case <-c.t.Context().Done():
			c.t.Fatal("no answer to a check")
		}
	}
}

func (c *client) binding(pwd string, setters ...stun.Setter) []byte {
	c.t.Helper()
	all := append([]stun.Setter{stun.TransactionID, stun.BindingRequest, stun.NewUsername(c.answer.Transport.Ufrag + ":" + c.ufrag)}, setters...)
	m, err := stun.Build(append(all, stun.NewShortTermIntegrity(pwd), stun.Fingerprint)...)
	if err != nil {
		c.t.Fatal(err)
	}
	return m.Raw
}

func (c *client) write(b []byte) {
	if _, err := c.socket.Load().WriteToUDPAddrPort(b, c.remote); err != nil && !errors.Is(err, net.ErrClosed) {
		c.t.Error(err)
	}
}

// connect makes ICE and DTLS and takes the keys.
func connect(t *testing.T, s *Server, o options) *client {
	t.Helper()
	c := join(t, s, o)
	if err := c.handshake(o); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *client) handshake(o options) error {
	role := stun.RawAttribute{Type: stun.AttrICEControlling, Value: make([]byte, 8)}
	if o.controlled {
		role.Type = stun.AttrICEControlled
	}
	c.check(role)
	if o.profiles == nil {
		o.profiles = []dtls.SRTPProtectionProfile{dtls.SRTP_AEAD_AES_128_GCM}
	}
	common := []dtls.Option{
		dtls.WithCertificates(c.cert), dtls.WithSRTPProtectionProfiles(o.profiles...), dtls.WithInsecureSkipVerify(true),
		dtls.WithVerifyPeerCertificate(func(raw [][]byte, _ [][]*x509.Certificate) error {
			if colibri.Print(sha256.Sum256(raw[0])) != c.answer.Transport.Fingerprints[0].Fingerprint {
				return errors.New("server's certificate is not the announced one")
			}
			return nil
		}),
		dtls.WithFlightInterval(100 * time.Millisecond),
	}
	if o.mtu > 0 {
		common = append(common, dtls.WithMTU(o.mtu))
	}
	active := o.setup == "active"
	var err error
	if active {
		var all []dtls.ClientOption
		for _, o := range common {
			all = append(all, o)
		}
		c.dtls, err = dtls.ClientWithOptions(clientConn{c}, net.UDPAddrFromAddrPort(c.remote), all...)
	} else {
		all := []dtls.ServerOption{dtls.WithClientAuth(dtls.RequireAnyClientCert)}
		for _, o := range common {
			all = append(all, o)
		}
		c.dtls, err = dtls.ServerWithOptions(clientConn{c}, net.UDPAddrFromAddrPort(c.remote), all...)
	}
	if err != nil {
		return err
	}
	c.t.Cleanup(func() { _ = c.dtls.Close() })
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.dtls.HandshakeContext(ctx); err != nil {
		return err
	}
	return c.keys(active)
}

func (c *client) keys(active bool) error {
	state, _ := c.dtls.ConnectionState()
	profile, _ := c.dtls.SelectedSRTPProtectionProfile()
	cfg := srtp.Config{Profile: srtp.ProtectionProfile(profile)}
	if err := cfg.ExtractSessionKeysFromDTLS(&state, active); err != nil {
		return err
	}
	var err error
	if c.in, err = srtp.CreateContext(cfg.Keys.RemoteMasterKey, cfg.Keys.RemoteMasterSalt, cfg.Profile, srtp.SRTPReplayProtection(1<<14)); err != nil {
		return err
	}
	if c.out, err = srtp.CreateContext(cfg.Keys.LocalMasterKey, cfg.Keys.LocalMasterSalt, cfg.Profile); err != nil {
		return err
	}
	go c.open()
	return nil
}

// open decrypts what comes; a packet that does not open is a fault.
func (c *client) open() {
	var arrivals ours.Arrivals
	began, report := time.Now(), time.NewTicker(50*time.Millisecond)
	defer report.Stop()
	for {
		select {
		case <-c.t.Context().Done():
			return
		case <-report.C:
			for arrivals.Pending() > 0 && !c.silent {
				c.protect(arrivals.Append(nil, c.ssrc, c.ssrc))
			}
		case b := <-c.raw:
			if b[1] >= 192 && b[1] <= 223 {
				plain, err := c.in.DecryptRTCP(nil, b, nil)
				if err != nil {
					c.t.Errorf("conn %d: rtcp: %v", c.conn, err)
					continue
				}
				packets, err := rtcp.Unmarshal(plain)
				if err != nil {
					c.t.Errorf("conn %d: rtcp: %v", c.conn, err)
				}
				c.rtcp <- packets
				continue
			}
			plain, err := c.in.DecryptRTP(nil, b, nil)
			if err != nil {
				c.t.Errorf("conn %d: rtp: %v", c.conn, err)
				continue
			}
			p := new(rtp.Packet)
			if err := p.Unmarshal(plain); err != nil {
				c.t.Errorf("conn %d: rtp: %v", c.conn, err)
			}
			if number := p.GetExtension(3); number != nil {
				arrivals.Note(binary.BigEndian.Uint16(number), time.Since(began))
			}
			if len(p.Payload) == 0 {
				c.padding.Add(1)
				continue
			}
			c.rtp <- p
		}
	}
}

// say sends one packet of sound and returns it.
func (c *client) say(payload string, edit ...func(*rtp.Packet)) {
	c.t.Helper()
	p := &rtp.Packet{
		Header:  rtp.Header{Version: 2, PayloadType: 111, SequenceNumber: c.seq, Timestamp: uint32(c.seq) * 960, SSRC: c.ssrc},
		Payload: []byte(payload),
	}
	c.seq++
	if err := errors.Join(p.SetExtension(1, []byte{0x80 | 20}), p.SetExtension(3, []byte{byte(p.SequenceNumber >> 8), byte(p.SequenceNumber)})); err != nil {
		c.t.Fatal(err)
	}
	for _, f := range edit {
		f(p)
	}
	b, err := p.Marshal()
	if err != nil {
		c.t.Fatal(err)
	}
	c.sent = append(c.sent, c.seal(b))
}

// seal protects a packet and sends it.
func (c *client) seal(b []byte) []byte {
	c.t.Helper()
	c.sealing.Lock()
	defer c.sealing.Unlock()
	b, err := c.out.EncryptRTP(nil, b, nil)
	if err != nil {
		c.t.Error(err)
		return nil
	}
	c.write(b)
	return b
}

// protect sends an RTCP packet.
func (c *client) protect(b []byte) {
	c.t.Helper()
	c.sealing.Lock()
	defer c.sealing.Unlock()
	b, err := c.out.EncryptRTCP(nil, b, nil)
	if err != nil {
		c.t.Error(err)
		return
	}
	c.write(b)
}

// hears waits for a packet of a source with a payload; others are skipped.
func (c *client) hears(ssrc uint32, payload string) *rtp.Packet {
	c.t.Helper()
	for limit := time.After(patience); ; {
		select {
		case p := <-c.rtp:
			if p.SSRC == ssrc && string(p.Payload) == payload {
				return p
			}
		case <-limit:
			c.t.Fatalf("conn %d heard no %q", c.conn, payload)
		}
	}
}

// clientConn lets pion read and write the client's records.
type clientConn struct{ c *client }

func (p clientConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := p.c.records.Read(b)
	return n, net.UDPAddrFromAddrPort(p.c.remote), err
}

func (p clientConn) WriteTo(b []byte, _ net.Addr) (int, error) {
	p.c.write(b)
	return len(b), nil
}
func (p clientConn) Close() error                      { return p.c.records.Close() }
func (p clientConn) LocalAddr() net.Addr               { return p.c.socket.Load().LocalAddr() }
func (p clientConn) SetDeadline(t time.Time) error     { return p.c.records.SetReadDeadline(t) }
func (p clientConn) SetReadDeadline(t time.Time) error { return p.c.records.SetReadDeadline(t) }
func (clientConn) SetWriteDeadline(time.Time) error    { return nil }

// ear is a Listener that passes on what it hears.
type ear struct {
	gone  chan int64 // conn
	spoke chan int64
}

func newEar() ear { return ear{make(chan int64, 1000), make(chan int64, 1000)} }

func (e ear) Gone(_, conn int64) { e.gone <- conn }

func (e ear) Spoke(_, conn int64, _ time.Time) { e.spoke <- conn }

// wait expects one value from a channel.
func wait[T comparable](t *testing.T, from <-chan T, want T) {
	t.Helper()
	for limit := time.After(patience); ; {
		select {
		case got := <-from:
			if got == want {
				return
			}
		case <-limit:
			t.Fatalf("no %v", want)
		}
	}
}

// eventually waits until f has no complaint.
func eventually(t *testing.T, f func() string) {
	t.Helper()
	complaint := ""
	for end := time.Now().Add(patience); time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		if complaint = f(); complaint == "" {
			return
		}
	}
	t.Fatal(complaint)
}

// shards is how many a server of these tests has; a call lives on the one that
// its number says, so that most do not live on the one that reads.
var shards = flag.Int("shards", 2, "shards of the servers that are tested")

// home returns the shard of call 1.
func home(s *Server) *shard { return s.shards[1%len(s.shards)] }

// total runs f on all shards of a server, one after another, and adds what it
// returns.
func total(s *Server, f func(sh *shard) int) (n int) {
	for _, sh := range s.shards {
		_ = sh.do(context.Background(), func() { n += f(sh) })
	}
	return n
}

// start starts a server on the loopback address.
func start(t *testing.T, edit ...func(*Config)) (*Server, ear) {
	t.Helper()
	e := newEar()
	cfg := Config{Listen: "127.0.0.1:0", Listener: e, Shards: *shards}
	for _, f := range edit {
		f(&cfg)
	}
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	for call := range 2 * len(s.shards) {
		s.places.of[int64(call)] = &place{shard: s.shards[call%len(s.shards)], holds: 1}
	}
	return s, e
}

// ready waits until n connections have their keys.
func ready(t *testing.T, s *Server, n int) {
	t.Helper()
	eventually(t, func() string {
		if got := total(s, func(sh *shard) int { return sh.count.Ready }); got != n {
			return fmt.Sprintf("%d connections ready, want %d", got, n)
		}
		return ""
	})
}
