package mtproto

import (
	"sync/atomic"
	"time"
)

// Kinds of message ids: their remainder divided by 4.
const (
	kindClient = 0
	kindAnswer = 1 // answers a message of the client
	kindOther  = 3
)

// idSource makes the server's message ids, each higher than all before it.
type idSource struct{ last atomic.Int64 }

// next returns an id of the given kind.
func (s *idSource) next(kind int64) int64 {
	for {
		last := s.last.Load()
		id := max(idAt(time.Now()), last&^3+4)
		if s.last.CompareAndSwap(last, id) {
			return id | kind
		}
	}
}

// idAt returns the lowest message id of time t.
func idAt(t time.Time) int64 {
	return (t.Unix()<<32 | int64(t.Nanosecond())<<32/1e9) &^ 3
}

// idTime returns the time an id was made, to the second.
func idTime(id int64) time.Time { return time.Unix(id>>32, 0) }
