package transport

import (
	"crypto/cipher"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// Sizes of a connection's buffers: where they start and what an idle
// connection may keep.
const (
	minBuffer  = 2 << 10
	keepBuffer = 16 << 10
)

// buffer reads ahead from a stream and deciphers in place. It grows only as
// bytes arrive, so that announcing a large frame costs the server nothing.
type buffer struct {
	src  io.Reader     // immutable
	ctr  cipher.Stream // nil when the stream is not obfuscated
	data []byte
	r, w int // data[r:w] is read and not yet taken

	slots Slots       // immutable
	slot  atomic.Bool // one of them is taken, because data is large
}

// peek returns the next n bytes without taking them. They stay in place until
// the next peek.
func (b *buffer) peek(n int) ([]byte, error) {
	for b.w-b.r < n {
		if err := b.fill(n); err != nil {
			if errors.Is(err, io.EOF) && b.w > b.r {
				return nil, io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return b.data[b.r : b.r+n], nil
}

// take drops the next n bytes, which peek has returned.
func (b *buffer) take(n int) { b.r += n }

// rest returns what has been read and not yet taken.
func (b *buffer) rest() []byte { return b.data[b.r:b.w] }

// fill reads once.
func (b *buffer) fill(n int) error {
	if err := b.makeRoom(n); err != nil {
		return err
	}
	for range 100 {
		m, err := b.src.Read(b.data[b.w:])
		if m > 0 {
			if b.ctr != nil {
				b.ctr.XORKeyStream(b.data[b.w:b.w+m], b.data[b.w:b.w+m])
			}
			b.w += m
			return nil // an error comes again with the next Read
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// makeRoom makes sure that something can be read, with n bytes from r in view.
func (b *buffer) makeRoom(n int) error {
	if b.r == b.w {
		b.r, b.w = 0, 0
		if len(b.data) > keepBuffer && n <= keepBuffer {
			b.data = nil
			b.release()
		}
	}
	if b.data == nil {
		b.data = make([]byte, minBuffer)
	}
	if b.r > 0 && b.r+n > len(b.data) {
		b.w = copy(b.data, b.data[b.r:b.w])
		b.r = 0
	}
	if b.w < len(b.data) {
		return nil
	}
	if len(b.data) >= largeSize && !b.slot.Load() {
		if !b.slots.take() {
			return ErrBusy
		}
		b.slot.Store(true)
		if s, ok := b.src.(stream); ok {
			_ = s.SetReadDeadline(time.Now().Add(LargeTimeout)) // the caller sets it anew for the next frame
		}
	}
	grown := make([]byte, 2*len(b.data))
	b.w = copy(grown, b.data[b.r:b.w])
	b.r = 0
	b.data = grown
	return nil
}

// release frees the slot. After the connection's end it may be called by
// anybody.
func (b *buffer) release() {
	if b.slot.Swap(false) {
		b.slots.free()
	}
}
