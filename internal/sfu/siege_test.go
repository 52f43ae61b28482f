package sfu

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtp"
	"github.com/pion/stun/v3"

	"parley/internal/calls"
	"parley/internal/colibri"
)

// mostWords is how many words are said in a second: more are no sound any more.
const mostWords = 1500

// siege is a call of two, with a camera, that goes on while others send the
// server whatever they can think of.
type siege struct {
	t      *testing.T
	server *Server
	ear    ear
	rng    *rand.Rand
	noise  []byte // scratch
	a, b   *client
	camera *camera
	screen *screen
	shot   time.Time // the last picture
	shots  int
	words  int // that a said
	began  time.Time
	heard  *rtp.Packet

	insider   *insider
	digger    *client // sends junk where SCTP belongs
	strangers []*net.UDPConn
	port      int               // the stranger whose turn it is to get a new port
	checks    [2][]byte         // with the right password and a wrong one
	hello     [][]byte          // a client's first flight, in pieces
	join      calls.MediaJoin   // of newcomers
	attacks   []attack          // of one round
	rounds    int               //
	sent      uint64            // by attackers
	exactly   map[string]uint64 // dropped by reason
	maybe     map[string]uint64 // may have been dropped for it
}

// attack is something that is sent in every round.
type attack struct {
	times int
	send  func()
	drops string // reasons that it may be counted under; of one, it must be
}

// ports is from how many addresses strangers send at a time.
const ports = 32

// newcomers have numbers from here on.
const newcomers = 100

// besiege starts a call and those who are going to attack it.
func besiege(t *testing.T) *siege {
	t.Helper()
	server, e := start(t)
	s := &siege{
		t: t, server: server, ear: e, rng: rand.New(rand.NewPCG(7, 8)), noise: make([]byte, 1500),
		exactly: map[string]uint64{}, maybe: map[string]uint64{}, began: time.Now(),
	}
	s.a = connect(t, server, options{conn: 1, user: 1, ssrc: 0x1000})
	s.b = connect(t, server, options{conn: 2, user: 2, ssrc: 0x2000, silent: true})
	i := connect(t, server, options{conn: 3, user: 3, ssrc: 0x3000, groups: simulcast(0x3000, 3)})
	s.digger = connect(t, server, options{conn: 4, user: 4, ssrc: 0x4000})
	ready(t, server, 4)
	s.camera, s.screen = film(s.a, 720), watch(s.b, s.a.ssrc+1)
	s.insider = newInsider(s, i)
	view := s.b.channel()
	view.want(t, 720, endpoint(s.a), endpoint(i))
	go drain(t, view.messages)
	go drain(t, s.a.rtp)
	for _, c := range []*client{s.b, s.digger} {
		go drain(t, c.rtcp)
	}
	go drain(t, s.digger.rtp)
	go func() {
		b := make([]byte, recordSize)
		for _, err := s.digger.dtls.Read(b); err == nil; {
			_, err = s.digger.dtls.Read(b)
		}
	}()
	s.strangers = make([]*net.UDPConn, ports)
	for range s.strangers {
		s.reopen()
	}
	t.Cleanup(func() {
		for _, socket := range s.strangers {
			_ = socket.Close()
		}
	})
	s.prepare()
	eventually(t, func() string { // until the picture is there
		s.camera.shoot(true)
		<-time.After(20 * time.Millisecond)
		if s.screen.drain(); s.screen.pictures == 0 {
			return "no picture"
		}
		return ""
	})
	s.speak()
	s.screen.pictures, s.shots = 0, 0
	return s
}

func endpoint(c *client) string { return fmt.Sprintf("e%015x", c.conn) }

// drain takes from a channel until the test ends.
func drain[T any](t *testing.T, from <-chan T) {
	for {
		select {
		case <-from:
		case <-t.Context().Done():
			return
		}
	}
}

// reopen gives a stranger another address.
func (s *siege) reopen() {
	s.t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		s.t.Fatal(err)
	}
	if old := s.strangers[s.port]; old != nil {
		_ = old.Close()
	}
	s.strangers[s.port] = socket
	s.port = (s.port + 1) % ports
}

// prepare makes what attacks are made of.
func (s *siege) prepare() {
	s.t.Helper()
	s.checks[0] = s.a.binding(s.a.answer.Transport.Pwd)
	s.checks[0] = s.checks[0][:len(s.checks[0])-8] // without a fingerprint
	binary.BigEndian.PutUint16(s.checks[0][2:], uint16(len(s.checks[0])-20))
	s.checks[1] = s.a.binding(strings.Repeat("x", 26))
	s.hello = flight(s.t, s.a.cert)
	payload, err := colibri.ParseJoin([]byte(`{"ufrag":"news","pwd":"Fus4hRjMrpP46HRkXRz+RPdL","ssrc":1,"fingerprints":[{"hash":"sha-256","setup":"active","fingerprint":"` +
		s.a.answer.Transport.Fingerprints[0].Fingerprint + `"}]}`))
	if err != nil {
		s.t.Fatal(err)
	}
	s.join = calls.MediaJoin{Call: 2, Conn: newcomers, Payload: payload}
	s.attacks = slices.Concat(s.outside(), s.spoofed(), s.inside())
}

// flight returns the first flight of a handshake, in pieces.
func flight(t *testing.T, cert tls.Certificate) (pieces [][]byte) {
	t.Helper()
	from, to := listen(t), listen(t)
	d, err := dtls.ClientWithOptions(from, to.LocalAddr(), dtls.WithMTU(90), dtls.WithInsecureSkipVerify(true),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM), dtls.WithCertificates(cert))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = d.HandshakeContext(ctx) }()
	for range 3 {
		b := make([]byte, 1500)
		n, err := to.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		pieces = append(pieces, b[:n])
	}
	stop()
	<-done
	_ = d.Close()
	return pieces
}

// listen opens a socket that is closed with the test.
func listen(t *testing.T) *net.UDPConn {
	t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	_ = socket.SetReadDeadline(time.Now().Add(patience))
	return socket
}

// random returns some random bytes, after those given.
func (s *siege) random(least, most int, begin ...byte) []byte {
	b := s.noise[:least+s.rng.IntN(most-least+1)]
	for i := 0; i < len(b); i += 8 {
		var word [8]byte
		binary.NativeEndian.PutUint64(word[:], s.rng.Uint64())
		copy(b[i:], word[:])
	}
	copy(b, begin)
	return b
}

// bent returns a copy of b with some bits changed, that may be cut.
func (s *siege) bent(b []byte) []byte {
	b = s.noise[:copy(s.noise, b)]
	for range 1 + s.rng.IntN(3) {
		b[s.rng.IntN(len(b))] ^= 1 << s.rng.IntN(8)
	}
	if s.rng.IntN(8) == 0 {
		b = b[:s.rng.IntN(len(b))]
	}
	return b
}

// stranger sends from an address that nobody knows.
func (s *siege) stranger(b []byte) {
	if _, err := s.strangers[s.rng.IntN(ports)].WriteToUDPAddrPort(b, s.a.remote); err != nil {
		s.t.Error(err)
	}
}

// piece returns a changed piece of a handshake.
func (s *siege) piece() []byte { return s.bent(s.hello[s.rng.IntN(len(s.hello))]) }

// old returns something that a said just now.
func (s *siege) old() []byte {
	recent := s.a.sent[max(0, len(s.a.sent)-16):]
	return s.noise[:copy(s.noise, recent[s.rng.IntN(len(recent))])]
}

// forged returns a packet of a's source that is not from a.
func (s *siege) forged() []byte {
	b := s.old()
	binary.BigEndian.PutUint16(b[2:], s.a.seq+uint16(s.rng.IntN(1000)))
	b[len(b)-1-s.rng.IntN(16)] ^= 1 << s.rng.IntN(8)
	return b
}

// outside are attacks from addresses that nobody proved to be at.
func (s *siege) outside() []attack {
	from := func(f func() []byte) func() { return func() { s.stranger(f()) } }
	return []attack{
		{8, from(func() []byte { return s.random(0, 1400) }), "Unknown Malformed"},
		{4, from(func() []byte { return s.random(1, 100, 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42) }), "Malformed Stun"},
		{4, from(func() []byte { return s.bent(s.checks[0]) }), "Unknown Malformed Stun"},
		{2, from(func() []byte { return s.checks[1] }), "Stun"},
		{2, from(func() []byte { return s.hello[0] }), "Unknown"},
		{2, from(s.piece), "Unknown Malformed"},
		{2, from(s.old), "Unknown"},
		{2, from(s.forged), "Unknown"},
		{2, from(func() []byte { return s.random(2, 300, 0x80, 200) }), "Unknown"},
	}
}

// spoofed are attacks of those who write a's address on their datagrams.
func (s *siege) spoofed() []attack {
	from := func(f func() []byte) func() { return func() { s.a.write(f()) } }
	kinds := []byte{20, 21, 22, 23, 25, 63}
	return []attack{
		{1, from(func() []byte { return s.random(1, 1400, byte(64+s.rng.IntN(64))) }), "Malformed"},
		{2, from(s.forged), "Auth"},
		{2, from(s.old), "Replay"},
		{2, from(func() []byte { return s.random(12, 1400, 0x80, 111, 0, 0, 0, 0, 0, 0, 0xff) }), "Source"},
		{2, from(func() []byte { return s.random(2, 300, 0x80, byte(192+s.rng.IntN(32))) }), "Auth"},
		{1, from(func() []byte { return s.random(1, 200, kinds[s.rng.IntN(len(kinds))], 254, 253) }), "Malformed Queue"},
		{1, from(func() []byte {
			return unsealed(kinds[s.rng.IntN(len(kinds))], s.rng.Uint64(), slices.Clone(s.random(0, 50)))
		}), "Malformed Queue"},
		{1, from(s.piece), "Malformed Queue Auth Source Stun"},
		{1, from(func() []byte { return s.bent(s.checks[0]) }), "Malformed Stun Source Auth Replay Queue"},
	}
}

// run sends about so many datagrams, round by round: after each, all that the
// call sent has come.
func (s *siege) run(datagrams uint64) {
	s.t.Helper()
	for end := s.sent + datagrams; s.sent < end; s.rounds++ {
		for _, k := range s.attacks {
			for range k.times {
				k.send()
			}
			s.count(k.drops, k.times)
		}
		switch {
		case s.rounds%8 == 0:
			s.reopen()
		case s.rounds%64 == 1:
			s.newcomer()
		}
		s.speak()
	}
}

// count notes that datagrams were sent.
func (s *siege) count(drops string, n int) {
	s.sent += uint64(n)
	reasons := strings.Fields(drops)
	if len(reasons) == 1 {
		s.exactly[reasons[0]] += uint64(n)
		return
	}
	for _, r := range reasons {
		s.maybe[r] += uint64(n)
	}
}

// speak lets the call go on by a word, and a picture if it is time, and sees
// that they come.
func (s *siege) speak() {
	s.t.Helper()
	if len(s.a.sent) > 1000 {
		s.a.sent = slices.Clone(s.a.sent[900:])
	}
	if time.Since(s.shot) >= pictureEvery {
		s.shot = time.Now()
		s.camera.shoot(false)
		s.shots++
		clear(s.camera.layers[0].sent)
		for _, c := range []*client{s.b, s.digger} { // that send nothing else
			c.write(c.binding(c.answer.Transport.Pwd))
		}
	}
	if ahead := time.Duration(s.words)*time.Second/mostWords - time.Since(s.began); ahead > 0 {
		<-time.After(ahead)
	}
	s.words++
	word := fmt.Sprint("word ", s.words)
	s.a.say(word)
	for limit := time.After(patience); ; {
		select {
		case p := <-s.b.rtp:
			if p.SSRC == s.screen.ssrc {
				s.screen.check(p)
			}
			if p.SSRC != s.a.ssrc {
				continue
			}
			if string(p.Payload) != word || s.heard != nil && p.SequenceNumber != s.heard.SequenceNumber+1 {
				s.t.Fatalf("heard %q as number %d, want %q after %v", p.Payload, p.SequenceNumber, word, s.heard)
			}
			s.heard = p
			return
		case <-limit:
			s.t.Fatalf("%q is not heard", word)
		}
	}
}

// newcomer joins another call, proves where it is, and makes no handshake.
func (s *siege) newcomer() {
	s.t.Helper()
	s.join.Conn++
	data, err := s.server.Join(s.t.Context(), s.join)
	var given answer
	if err == nil {
		err = json.Unmarshal(data, &given)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(given.Transport.Ufrag+":news"),
		stun.NewShortTermIntegrity(given.Transport.Pwd), stun.Fingerprint)
	if err != nil {
		s.t.Fatal(err)
	}
	socket := s.strangers[s.rng.IntN(ports)]
	send := func(b []byte) { _, _ = socket.WriteToUDPAddrPort(b, s.a.remote) }
	send(m.Raw)
	for range 10 {
		send(s.piece())
		send(s.hello[s.rng.IntN(len(s.hello))])
	}
	s.count("Malformed Queue Early Stun", 20)
	s.speak() // the server has read all that
	s.server.Leave(s.join.Call, s.join.Conn)
	total(s.server, func(*shard) int { return 0 }) // all have done it
}
