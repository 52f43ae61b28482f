package sfu

import "parley/internal/media/udp"

// Metrics counts what the media server did since its start.
type Metrics struct {
	Rooms, Conns, Ready int // now; ready ones finished their handshake

	PacketsIn, BytesIn uint64 // RTP that proved right
	Forwarded          uint64 // packets sealed for receivers
	BytesOut           uint64 // of them
	Stun, RTCPIn       uint64
	RTCPOut            uint64
	Joins, Gone        uint64
	ReadErrors         uint64
	SealErrors         uint64
	HandshakeErrors    uint64

	Switches  uint64 // of what a receiver sees, to another layer or to a first one
	KeysAsked uint64 // of senders
	KeysIn    uint64 // that receivers asked for
	NacksOut  uint64 // packets that senders were asked for
	Recovered uint64 // that came by RTX
	NacksIn   uint64 // packets that receivers asked for
	NacksLost uint64 // of them, that were not there any more
	Repeated  uint64 // sent again
	Padding   uint64 // packets that only ask for the room there is

	Drops Drops
	Sent  udp.Sent
}

// Drops counts packets not used, by reason.
type Drops struct {
	Unknown   uint64 // from an address nobody proved to be at
	Malformed uint64
	Stun      uint64 // checks with a wrong name or password
	Early     uint64 // before the keys
	Source    uint64 // of an SSRC that was not announced
	Replay    uint64
	Auth      uint64
	Muted     uint64
	Quiet     uint64 // beyond the loudest
	Type      uint64 // of another codec, or padding only
	Unwatched uint64 // of a layer that nobody sees
	Queue     uint64 // DTLS records faster than they are handled
}

// Metrics returns the counters as of at most a second ago.
func (s *Server) Metrics() Metrics { return *s.shard.published.Load() }

// publish makes the counters visible.
func (sh *shard) publish() {
	m := sh.count
	m.Rooms, m.Conns, m.Sent = len(sh.rooms), len(sh.order), sh.socket.Sent()
	sh.published.Store(&m)
}
