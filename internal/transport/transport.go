// Package transport frames MTProto over TCP and WebSocket.
//
// Sniff tells from a client's first bytes what it speaks: abridged,
// intermediate, padded intermediate or full framing, any of the first three
// under obfuscation with or without the proxy secret, or plain HTTP. Both
// directions of a connection are independent: one goroutine reads frames, one
// writes them, and each owns its half of the state.
//
// The formats are those of https://core.telegram.org/mtproto/mtproto-transports.
package transport

import (
	"errors"
	"net"
	"time"
)

// SniffTimeout is how long a client may take to show what it speaks.
const SniffTimeout = 10 * time.Second

// WriteTimeout is how long one write to a client that speaks HTTP may take.
const WriteTimeout = 30 * time.Second

// Limits of one frame's payload in bytes. A client sends at most 1 MiB of
// content and what the protocol wraps around it.
const (
	MaxRead  = 1<<20 + 4<<10
	MaxWrite = 2 << 20
)

// Errors of a connection that cannot go on: the caller closes it.
var (
	ErrUnknown   = errors.New("transport: unknown protocol")
	ErrMalformed = errors.New("transport: malformed frame")
	ErrTooLarge  = errors.New("transport: frame too large")
)

// Frame is what a client sent in one piece.
type Frame struct {
	Payload  []byte // valid until the next ReadFrame
	QuickAck bool   // the client wants to hear of the arrival at once
}

// Conn is a framed connection. One goroutine may read and one other may write.
type Conn interface {
	Frames
	// SetReadDeadline bounds ReadFrame, now and later; zero lifts the bound. A
	// WebSocket that runs into a deadline is closed.
	SetReadDeadline(t time.Time) error
	// SetWriteDeadline bounds all Write methods in the same way.
	SetWriteDeadline(t time.Time) error
	// Share has large frames take slots while they come in. It is called before
	// the first ReadFrame.
	Share(slots Slots)
	// RemoteAddr returns the client's address.
	RemoteAddr() net.Addr
	// Close ends the connection at once, also under a running ReadFrame.
	Close() error
}

// Frames is a stream of frames in both directions. Each Write method issues
// exactly one Write on what lies below; after an error the stream is unusable.
type Frames interface {
	// ReadFrame waits for the next frame.
	ReadFrame() (Frame, error)
	// WriteFrame sends p, a whole number of 4-byte words.
	WriteFrame(p []byte) error
	// WriteQuickAck confirms the arrival of the message with the given token;
	// full framing has no quick acks, there it does nothing.
	WriteQuickAck(token uint32) error
	// WriteError sends a transport error such as -404.
	WriteError(code int32) error
}
