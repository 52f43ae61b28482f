package transport

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"
)

// framing is one way of cutting a stream into frames.
type framing interface {
	// read takes the next frame from in.
	read(in *buffer) (Frame, error)
	// frame appends p to dst as one frame.
	frame(dst, p []byte) []byte
	// quickAck appends the confirmation of token to dst.
	quickAck(dst []byte, token uint32) []byte
}

// conn is a Conn over a byte stream.
type conn struct {
	stream  stream // immutable
	remote  net.Addr
	framing framing

	in *buffer // owned by the reader

	ctr cipher.Stream // owned by the writer; nil when the stream is not obfuscated
	out []byte        // owned by the writer
}

// stream is what conn needs of a net.Conn.
type stream interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

func (c *conn) ReadFrame() (Frame, error) {
	f, err := c.framing.read(c.in)
	if err != nil {
		c.in.release() // Close may have been before the slot was taken
		return Frame{}, fmt.Errorf("read frame: %w", err)
	}
	return f, nil
}

func (c *conn) WriteFrame(p []byte) error {
	switch {
	case len(p) > MaxWrite:
		return fmt.Errorf("write frame: %w", ErrTooLarge)
	case len(p) == 0 || len(p)%4 != 0:
		return fmt.Errorf("write frame: %w", ErrMalformed)
	}
	return c.send(c.framing.frame(c.out[:0], p))
}

func (c *conn) WriteQuickAck(token uint32) error {
	b := c.framing.quickAck(c.out[:0], token)
	if len(b) == 0 {
		return nil
	}
	return c.send(b)
}

func (c *conn) WriteError(code int32) error {
	var p [4]byte
	binary.LittleEndian.PutUint32(p[:], uint32(code))
	return c.send(c.framing.frame(c.out[:0], p[:]))
}

// send writes b, which was made in c.out, with a single Write.
func (c *conn) send(b []byte) error {
	if cap(b) <= keepBuffer {
		c.out = b
	} else {
		c.out = nil
	}
	if c.ctr != nil {
		c.ctr.XORKeyStream(b, b)
	}
	if _, err := c.stream.Write(b); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error  { return c.stream.SetReadDeadline(t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.stream.SetWriteDeadline(t) }
func (c *conn) RemoteAddr() net.Addr               { return c.remote }
func (c *conn) Share(slots Slots)                  { c.in.slots = slots }

func (c *conn) Close() error {
	defer c.in.release()
	return c.stream.Close()
}
