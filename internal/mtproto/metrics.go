package mtproto

import "sync/atomic"

// Metrics are a server's counters at one moment.
type Metrics struct {
	Conns    int64 // open now
	Sessions int64 // kept now
	Keys     int64 // in memory now
	Queued   int64 // bytes kept for clients now

	Accepted    int64 // connections
	Refused     int64 // connections over a limit
	Exchanged   int64 // keys
	FramesIn    int64
	FramesOut   int64
	Forged      int64 // messages that broke the envelope's rules
	UnknownKeys int64
	BadSalts    int64
	BadMessages int64
	Duplicates  int64 // messages received more than once
	Requests    int64 // handed to the handler
	Failed      int64 // of them, answered with an error
	Internal    int64 // of them, with one that was not meant for clients
	Limited     int64 // requests refused with FLOOD_WAIT
	Pushed      int64 // updates queued
	Dropped     int64 // sessions dropped because their queue was full
}

// stats is what Metrics is read from.
type stats struct {
	accepted, refused, exchanged, framesIn, framesOut, forged, unknownKeys atomic.Int64
	badSalts, badMessages, duplicates, requests, failed, internal, limited atomic.Int64
	pushed, dropped                                                        atomic.Int64
}

// Metrics returns the counters.
func (s *Server) Metrics() Metrics {
	keys, sessions := s.registry.count()
	s.mu.Lock()
	conns := len(s.conns)
	s.mu.Unlock()
	n := &s.stats
	return Metrics{
		Conns: int64(conns), Sessions: int64(sessions), Keys: int64(keys), Queued: s.queued.Load(),
		Accepted: n.accepted.Load(), Refused: n.refused.Load(), Exchanged: n.exchanged.Load(),
		FramesIn: n.framesIn.Load(), FramesOut: n.framesOut.Load(), Forged: n.forged.Load(),
		UnknownKeys: n.unknownKeys.Load(), BadSalts: n.badSalts.Load(), BadMessages: n.badMessages.Load(),
		Duplicates: n.duplicates.Load(), Requests: n.requests.Load(), Failed: n.failed.Load(),
		Internal: n.internal.Load(), Limited: n.limited.Load(), Pushed: n.pushed.Load(), Dropped: n.dropped.Load(),
	}
}
