package gateway

import (
	"sync/atomic"

	"parley/internal/rpc"
)

// Metrics are a gateway's counters at one moment.
type Metrics struct {
	Requests int64 // of methods
	Failed   int64 // of them, answered with an error
	Internal int64 // of them, with one that was not meant for clients
	Pushed   int64 // updates queued
	Dropped  int64 // WebSockets cut off because their queue was full
}

// stats is what Metrics is read from.
type stats struct {
	requests, failed, internal, pushed, dropped atomic.Int64
}

// Metrics returns the counters.
func (g *Gateway) Metrics() Metrics {
	n := &g.stats
	return Metrics{
		Requests: n.requests.Load(), Failed: n.failed.Load(), Internal: n.internal.Load(),
		Pushed: n.pushed.Load(), Dropped: n.dropped.Load(),
	}
}

// answered counts a request whose answer is err, or none.
func (n *stats) answered(err error) {
	n.requests.Add(1)
	if err == nil {
		return
	}
	n.failed.Add(1)
	if _, meant := rpc.Visible(err); !meant {
		n.internal.Add(1)
	}
}
