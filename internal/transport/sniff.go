package transport

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"time"
)

// HTTPConn is a connection that speaks HTTP, with the bytes that told so put back.
type HTTPConn struct {
	net.Conn

	seen []byte // owned by the reader
}

// Read returns what was put back and then what the connection sends.
func (c *HTTPConn) Read(p []byte) (int, error) {
	if len(c.seen) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.seen)
	if c.seen = c.seen[n:]; len(c.seen) == 0 {
		c.seen = nil
	}
	return n, nil
}

// Write sends p, if the client takes it within WriteTimeout: what answers HTTP
// knows no other bound.
func (c *HTTPConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(WriteTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Sniff tells from the first bytes of c what the client speaks and returns
// either its framed connection or, when it speaks HTTP, c with those bytes put
// back. It blocks for at most SniffTimeout, so it belongs in a goroutine of its
// own; when it fails, the caller closes c. secret is the proxy secret of 16
// bytes, or 17 with a leading 0xdd, or nil.
func Sniff(c net.Conn, secret []byte) (Conn, *HTTPConn, error) {
	if err := c.SetReadDeadline(time.Now().Add(SniffTimeout)); err != nil {
		return nil, nil, fmt.Errorf("sniff transport: %w", err)
	}
	in := &buffer{src: c}
	framed := &conn{stream: c, remote: c.RemoteAddr(), in: in}
	isHTTP, err := framed.sniff(secret)
	if err != nil {
		return nil, nil, fmt.Errorf("sniff transport: %w", err)
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return nil, nil, fmt.Errorf("sniff transport: %w", err)
	}
	if isHTTP {
		return nil, &HTTPConn{Conn: c, seen: in.rest()}, nil
	}
	return framed, nil, nil
}

// sniff sets the framing, or tells that the client speaks HTTP. Obfuscating
// clients avoid the beginnings that are looked for here.
func (c *conn) sniff(secret []byte) (isHTTP bool, err error) {
	head, err := c.in.peek(1)
	if err != nil {
		return false, err
	}
	if head[0] == tagAbridged {
		c.in.take(1)
		c.framing = abridged{}
		return false, nil
	}
	if head, err = c.in.peek(4); err != nil {
		return false, err
	}
	switch tag := tagOf(head); {
	case tag == tagIntermediate || tag == tagPadded:
		c.in.take(4)
		c.framing = framingOf(tag)
		return false, nil
	case commonMethod(string(head)):
		return true, nil
	}
	if head, err = c.in.peek(8); err != nil {
		return false, err
	}
	switch {
	case tagOf(head[4:]) == 0: // the first frame's number
		c.framing = &full{}
		return false, nil
	case rareMethod(string(head)):
		return true, nil
	}
	return false, c.sniffObfuscated(secret)
}

// sniffObfuscated sets framing and key streams from an obfuscation header,
// made without a secret or with the given one.
func (c *conn) sniffObfuscated(secret []byte) error {
	secret, err := cleanSecret(secret)
	if err != nil {
		return err
	}
	header, err := c.in.peek(obfuscationHeader)
	if err != nil {
		return err
	}
	o := deobfuscate(header, nil)
	if framingOf(o.tag) == nil && len(secret) > 0 {
		o = deobfuscate(header, secret)
	}
	c.framing = framingOf(o.tag)
	if c.framing == nil {
		return ErrUnknown
	}
	c.in.take(obfuscationHeader)
	o.in.XORKeyStream(c.in.rest(), c.in.rest())
	c.in.ctr, c.ctr = o.in, o.out
	return nil
}

func tagOf(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

// framingOf returns the framing that tag names inside an obfuscation header,
// nil if none.
func framingOf(tag uint32) framing {
	switch tag {
	case tagAbridgedLong:
		return abridged{}
	case tagIntermediate:
		return intermediate{}
	case tagPadded:
		return padded{}
	default:
		return nil
	}
}

// commonMethod tells whether a request starts with a method that obfuscating
// clients never imitate.
func commonMethod(head string) bool {
	switch head {
	case "GET ", "POST", "HEAD", "OPTI":
		return true
	default:
		return false
	}
}

// rareMethod tells whether a request starts with any other method. Obfuscating
// clients do not avoid these: eight bytes make an accident unlikely.
func rareMethod(head string) bool {
	for _, method := range []string{"PUT /", "DELETE /", "PATCH /", "CONNECT ", "TRACE /", "PRI * HT"} {
		if strings.HasPrefix(head, method) {
			return true
		}
	}
	return false
}
