package transport

import (
	"errors"
	"io"
	"time"
)

// ErrBusy ends a connection that would have taken one Slot too many.
var ErrBusy = errors.New("transport: too much is coming in at the same time")

// largeSize is how many bytes of a frame or a request need no Slot.
const largeSize = 64 << 10

// LargeTimeout is how long the rest of a large frame may take.
const LargeTimeout = 30 * time.Second

// Slots bound how much memory is taken by what has come in part: each large
// frame or request on its way takes one. They are shared by many connections;
// nil has no end.
type Slots chan struct{}

// NewSlots returns n slots.
func NewSlots(n int) Slots { return make(Slots, n) }

func (s Slots) take() bool {
	if s == nil {
		return true
	}
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s Slots) free() {
	if s != nil {
		<-s
	}
}

// ReadAll reads r to its end; it fails with ErrBusy when that is far off and
// no slot is left.
func (s Slots) ReadAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, largeSize+1))
	if err != nil || len(b) <= largeSize {
		return b, err
	}
	if !s.take() {
		return nil, ErrBusy
	}
	defer s.free()
	rest, err := io.ReadAll(r)
	return append(b, rest...), err
}
