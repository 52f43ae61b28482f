package sfu

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/transport/v4/packetio"
)

const maxMessage = 32 << 10 // of a data channel

// association is a client's SCTP association; it is the net.Conn that pion reads
// and writes.
type association struct {
	out     io.Writer
	packets *packetio.Buffer
}

func newAssociation(out io.Writer) *association {
	a := &association{out: out, packets: packetio.NewBuffer()}
	a.packets.SetLimitCount(128)
	return a
}

// Read implements net.Conn.
func (a *association) Read(b []byte) (int, error) { return a.packets.Read(b) }

// Write implements net.Conn.
func (a *association) Write(b []byte) (int, error) { return a.out.Write(b) }

// Close ends the association and leaves the DTLS connection alone.
func (a *association) Close() error { return a.packets.Close() }

// LocalAddr implements net.Conn.
func (a *association) LocalAddr() net.Addr { return a.RemoteAddr() }

// RemoteAddr implements net.Conn. The address may change: none is told.
func (a *association) RemoteAddr() net.Addr { return net.UDPAddrFromAddrPort(netip.AddrPort{}) }

// SetDeadline implements net.Conn.
func (a *association) SetDeadline(t time.Time) error { return a.packets.SetReadDeadline(t) }

// SetReadDeadline implements net.Conn.
func (a *association) SetReadDeadline(t time.Time) error { return a.packets.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (a *association) SetWriteDeadline(time.Time) error { return nil }

// TestTalkative: of a client that says too much in a second the rest is not
// even read.
func TestTalkative(t *testing.T) {
	s, _ := start(t)
	join(t, s, options{conn: 1, ssrc: 10})
	sh := s.hold(1, false)
	defer s.free(1)
	wants := []byte(`{"colibriClass":"ReceiverVideoConstraints","constraints":{"aa":{"minHeight":1,"maxHeight":360}}}`)
	for _, junk := range []int{heard, 0} {
		err := sh.do(t.Context(), func() {
			ss := &session{shard: sh, conn: sh.conns[connKey{1, 1}], data: data{left: heard}}
			ss.Message(0, true, make([]byte, junk))
			ss.Message(0, true, wants)
		})
		if err != nil {
			t.Fatal(err)
		}
		if w, err := s.Wants(t.Context(), 1, 1); err != nil || w.Of("aa").Max > 0 != (junk == 0) {
			t.Errorf("after %d bytes: wants %+v, %v", junk, w, err)
		}
	}
}
