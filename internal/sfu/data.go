package sfu

import (
	"context"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/datachannel"
	"github.com/pion/sctp"
	"github.com/pion/transport/v4/packetio"

	"parley/internal/colibri"
	"parley/internal/media/record"
)

const (
	maxMessage      = 32 << 10 // of a data channel
	maxChannels     = 8        // of one association
	maxAssociations = 100      // one after another on one connection
	sctpBuffer      = 128 << 10
	chunkQueue      = 128 // SCTP packets waiting
)

// receive takes application data: SCTP, if the client opens it. Clients restart
// it when it dies.
func (s *session) receive(b []byte) {
	sh := s.shard
	if s.ended || sh.draining {
		return
	}
	if s.channel.ended() {
		if s.started == maxAssociations {
			return
		}
		s.started++
		a := newAssociation(sealed{s})
		s.channel = a
		sh.server.work.Go(func() {
			defer context.AfterFunc(sh.server.ctx, a.close)()
			s.associate(a)
		})
	}
	_, _ = s.channel.packets.Write(b) // full: SCTP sends again
}

// sealed writes application data.
type sealed struct{ *session }

// Write implements io.Writer.
func (s sealed) Write(b []byte) (int, error) {
	data := slices.Clone(b)
	s.shard.post(func() { s.send(record.Data, data) })
	return len(b), nil
}

// association is one SCTP association; it is the net.Conn that pion reads and
// writes.
type association struct {
	out     io.Writer
	packets *packetio.Buffer
	done    chan struct{}
	once    sync.Once
}

func newAssociation(out io.Writer) *association {
	a := &association{out: out, packets: packetio.NewBuffer(), done: make(chan struct{})}
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
func (a *association) Write(b []byte) (int, error) { return a.out.Write(b) }

// Close ends the association and leaves the DTLS connection alone.
func (a *association) Close() error {
	a.once.Do(func() {
		close(a.done)
		_ = a.packets.Close()
	})
	return nil
}

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

// associate accepts the association and reads the channels on it.
func (s *session) associate(a *association) {
	defer a.close()
	assoc, err := sctp.ServerWithOptions(
		sctp.WithNetConn(a), sctp.WithLoggerFactory(quiet{}),
		sctp.WithMaxReceiveBufferSize(sctpBuffer), sctp.WithMaxMessageSize(maxMessage))
	if err != nil {
		return
	}
	var readers sync.WaitGroup
	defer readers.Wait()
	defer assoc.Close()
	for range maxChannels {
		ch, err := datachannel.Accept(assoc, &datachannel.Config{LoggerFactory: quiet{}})
		if err != nil {
			return
		}
		readers.Go(func() { s.read(ch) })
	}
	<-a.done
}

// channel reads colibri messages; those that make no sense are ignored.
func (s *session) read(ch *datachannel.DataChannel) {
	done := make(chan struct{})
	var writer sync.WaitGroup
	defer writer.Wait()
	defer close(done)
	writer.Go(func() { s.heights.write(ch, done) })
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
			s.shard.post(func() { s.shard.want(s.conn, wants) })
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
