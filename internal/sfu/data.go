package sfu

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/datachannel"
	"github.com/pion/dtls/v3"
	"github.com/pion/sctp"
	"github.com/pion/transport/v4/packetio"

	"parley/internal/colibri"
)

const (
	maxMessage      = 32 << 10 // of a data channel
	maxChannels     = 8        // of one association
	maxAssociations = 100      // one after another on one connection
	sctpBuffer      = 128 << 10
	chunkQueue      = 128 // SCTP packets waiting
)

// data reads application data until the connection ends: SCTP, if the client
// opens it. Clients restart it when it dies.
func (s *Server) data(ss *session, c *conn, d *dtls.Conn) error {
	var running sync.WaitGroup
	var current *association
	defer running.Wait()
	defer func() { current.close() }()
	b := make([]byte, recordSize)
	for started := 0; ; {
		n, err := d.Read(b)
		switch {
		case errors.Is(err, io.ErrShortBuffer):
			continue
		case err != nil:
			return nil // close_notify, or we ended it
		}
		if current.ended() {
			if started == maxAssociations {
				continue
			}
			started++
			current = newAssociation(d)
			a := current
			running.Go(func() { s.associate(ss, c, a) })
		}
		_, _ = current.packets.Write(b[:n]) // full: SCTP sends again
	}
}

// association is one SCTP association over a DTLS connection; it is the
// net.Conn that pion reads and writes.
type association struct {
	dtls    *dtls.Conn
	packets *packetio.Buffer
	done    chan struct{}
	once    sync.Once
}

func newAssociation(d *dtls.Conn) *association {
	a := &association{dtls: d, packets: packetio.NewBuffer(), done: make(chan struct{})}
	a.packets.SetLimitCount(chunkQueue)
	return a
}

// ended tells whether there is none, or it closed.
func (a *association) ended() bool {
	if a == nil {
		return true
	}
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

func (a *association) close() {
	if a != nil {
		_ = a.Close()
	}
}

// Read implements net.Conn.
func (a *association) Read(b []byte) (int, error) { return a.packets.Read(b) }

// Write implements net.Conn.
func (a *association) Write(b []byte) (int, error) { return a.dtls.Write(b) }

// Close ends the association and leaves the DTLS connection alone.
func (a *association) Close() error {
	a.once.Do(func() {
		close(a.done)
		_ = a.packets.Close()
	})
	return nil
}

// LocalAddr implements net.Conn.
func (a *association) LocalAddr() net.Addr { return a.dtls.LocalAddr() }

// RemoteAddr implements net.Conn. The address may change: none is told.
func (a *association) RemoteAddr() net.Addr { return net.UDPAddrFromAddrPort(netip.AddrPort{}) }

// SetDeadline implements net.Conn.
func (a *association) SetDeadline(t time.Time) error { return a.packets.SetReadDeadline(t) }

// SetReadDeadline implements net.Conn.
func (a *association) SetReadDeadline(t time.Time) error { return a.packets.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (a *association) SetWriteDeadline(time.Time) error { return nil }

// associate accepts the association and reads the channels on it.
func (s *Server) associate(ss *session, c *conn, a *association) {
	defer a.close()
	assoc, err := sctp.ServerWithOptions(
		sctp.WithNetConn(a), sctp.WithLoggerFactory(ss.quiet),
		sctp.WithMaxReceiveBufferSize(sctpBuffer), sctp.WithMaxMessageSize(maxMessage))
	if err != nil {
		return
	}
	var readers sync.WaitGroup
	defer readers.Wait()
	defer assoc.Close()
	for range maxChannels {
		ch, err := datachannel.Accept(assoc, &datachannel.Config{LoggerFactory: ss.quiet})
		if err != nil {
			return
		}
		readers.Go(func() { s.channel(ss, c, ch) })
	}
	<-a.done
}

// channel reads colibri messages; those that make no sense are ignored.
func (s *Server) channel(ss *session, c *conn, ch *datachannel.DataChannel) {
	done := make(chan struct{})
	var writer sync.WaitGroup
	defer writer.Wait()
	defer close(done)
	writer.Go(func() { ss.heights.write(ch, done) })
	defer ch.Close()
	b := make([]byte, maxMessage)
	for {
		n, text, err := ch.ReadDataChannel(b)
		if err != nil {
			return
		}
		if !text {
			continue
		}
		if wants, ok, err := colibri.ParseMessage(b[:n]); err == nil && ok {
			s.shard.post(func() { s.shard.want(c, wants) })
		}
	}
}

// mailbox holds the newest height that is wanted of a client. Of several
// channels the one that opened last gets it.
type mailbox struct {
	height atomic.Int64
	mu     sync.Mutex
	wake   chan struct{} // guarded by mu; closed when there is news
}

func (m *mailbox) init() {
	m.height.Store(-1)
	m.wake = make(chan struct{})
}

// put replaces the height.
func (m *mailbox) put(height int) {
	m.height.Store(int64(height))
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.wake)
	m.wake = make(chan struct{})
}

// news returns the height, and what is closed when there is a newer one.
func (m *mailbox) news() (height int, wake <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int(m.height.Load()), m.wake
}

// write sends the height, and every newer one, until done.
func (m *mailbox) write(ch *datachannel.DataChannel, done <-chan struct{}) {
	for told := -1; ; {
		height, wake := m.news()
		if height != told && ch.BufferedAmount() < sctpBuffer {
			told = height
			if _, err := ch.WriteDataChannel(colibri.SenderConstraints(height), true); err != nil {
				return
			}
		}
		select {
		case <-wake:
		case <-done:
			return
		}
	}
}
