package transport

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/coder/websocket"
)

// WebSocket returns the framed connection inside c: its binary messages are a
// byte stream, obfuscated without a secret, in any framing. Each frame written
// becomes one message. The connection lives no longer than ctx and is known by
// the address remote. WebSocket blocks for at most SniffTimeout; when it fails,
// the caller closes c.
func WebSocket(ctx context.Context, c *websocket.Conn, remote net.Addr) (Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := wsStream{Conn: websocket.NetConn(ctx, c, websocket.MessageBinary), ws: c, cancel: cancel}
	c.SetReadLimit(MaxWrite) // NetConn has lifted it

	framed := &conn{stream: s, remote: remote, in: &buffer{src: s}}
	if err := framed.sniffWebSocket(); err != nil {
		cancel()
		return nil, fmt.Errorf("sniff websocket: %w", err)
	}
	return framed, nil
}

func (c *conn) sniffWebSocket() error {
	if err := c.SetReadDeadline(time.Now().Add(SniffTimeout)); err != nil {
		return err
	}
	if err := c.sniffObfuscated(nil); err != nil {
		return err
	}
	return c.SetReadDeadline(time.Time{})
}

// wsStream is a WebSocket as a byte stream.
type wsStream struct {
	net.Conn

	ws     *websocket.Conn
	cancel context.CancelFunc // ends what NetConn has started
}

// Close ends the connection without the closing handshake, for which a client
// could let us wait ten seconds.
func (s wsStream) Close() error {
	defer s.cancel()
	return s.ws.CloseNow()
}
