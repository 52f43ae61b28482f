package mtproto

import (
	"time"

	"parley/internal/transport"
)

// Limits bounds what clients can make the server hold or do.
type Limits struct {
	Conns         int // open connections; with more sessions, those without one are dropped
	ConnsPerIP    int // open connections of one address (IPv6: of one /64)
	LargeFrames   int // frames above 64 KiB that come in at the same time; a further one ends its connection
	Exchanges     int // key exchanges that compute at the same time
	ExchangesRate int // key exchanges one address may begin per minute
	TempKeys      int // temporary keys; a further one replaces one that nobody uses
	BoundKeys     int // temporary keys bound to one permanent key; a further one replaces the oldest. TDLib binds one for each of its sessions, up to 25
	Sessions      int // sessions of one key; a further one replaces the longest unused
	SessionConns  int // connections of one session; a further one replaces the oldest
	Pending       int // unanswered requests of one session; more get FLOOD_WAIT
	PendingBytes  int // their size
	Running       int // requests of one session that run at the same time
	Rate          int // requests of one key per second, ten times that at once; more get FLOOD_WAIT
	Unacked       int // messages a session keeps for its client; when full the session is dropped
	UnackedBytes  int // their size
	QueuedBytes   int // size of all sessions' messages; above it sessions that hold much or have no connection are dropped

	Idle        time.Duration // of a connection without any frame
	Greeting    time.Duration // until a connection's first valid encrypted message
	Write       time.Duration // of one write
	Request     time.Duration // of one request
	Wait        time.Duration // of a request for the one it names in invokeAfterMsg
	Ack         time.Duration // until a message without an answer is acknowledged
	Detached    time.Duration // of a session without connections; at least 6 minutes
	Unused      time.Duration // of a permanent key without a sign-in or a connection
	LongestPoll time.Duration // of a plain HTTP request
}

// withDefaults returns l with defaults in place of zeros.
func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.Conns, 100_000},
		{&l.ConnsPerIP, 2_000},
		{&l.LargeFrames, 128},
		{&l.Exchanges, 8},
		{&l.ExchangesRate, 600},
		{&l.TempKeys, 100_000},
		{&l.BoundKeys, 32},
		{&l.Sessions, 64},
		{&l.SessionConns, 8},
		{&l.Pending, 256},
		{&l.PendingBytes, 8 << 20},
		{&l.Running, 16},
		{&l.Rate, 500},
		{&l.Unacked, 2048},
		{&l.UnackedBytes, 16 << 20},
		{&l.QueuedBytes, 512 << 20},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&l.Idle, 10 * time.Minute},
		{&l.Greeting, time.Minute},
		{&l.Write, 15 * time.Second},
		{&l.Request, time.Minute},
		{&l.Wait, 10 * time.Second},
		{&l.Ack, 30 * time.Millisecond},
		{&l.Detached, tooOld + tooNew + 30*time.Second},
		{&l.Unused, 48 * time.Hour},
		{&l.LongestPoll, 25 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return l
}

// Limits that the protocol sets.
const (
	maxContainer = 1024 // messages in a container
	maxIDs       = 8192 // ids in an acknowledgment or a state request
	maxInflated  = 1 << 20
	maxMessage   = transport.MaxWrite - 256<<10 // of the server, with room for what goes with it
	maxWrappers  = 16
	maxAfter     = 64 // messages one request may wait for

	tooOld = 300 * time.Second // a message id's time behind the server's
	tooNew = 30 * time.Second  // and before it
)
