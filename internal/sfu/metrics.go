package sfu

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"time"

	"parley/internal/media/udp"
)

// Metrics counts what the media server did since its start.
type Metrics struct {
	Rooms, Conns, Ready int // now; ready ones finished their handshake
	Strain              int // how much less than it should a shard does, 0 to 4: the most of all

	Traffic

	Stun, RTCPIn    uint64
	RTCPOut         uint64
	Joins, Gone     uint64
	Refused         uint64 // joins, for lack of time
	Handed          uint64 // datagrams from one shard to another
	ReadErrors      uint64
	SealErrors      uint64
	HandshakeErrors uint64

	Busy time.Duration // of all loops, from a batch's arrival until all it caused was sent
	RTT  RTTs          // to receivers, one for each report of theirs

	Sent udp.Sent
}

// Traffic counts the media of a call, or of all.
type Traffic struct {
	PacketsIn, BytesIn uint64 // RTP that proved right
	LostIn             uint64 // packets that did not come before the next report to their sender
	Forwarded          uint64 // packets sealed for receivers
	BytesOut           uint64 // of them
	Reported, LostOut  uint64 // packets that receivers reported of, and those of them that they lacked

	Switches  uint64 // of what a receiver sees, to another layer or to a first one
	KeysAsked uint64 // of senders
	KeysIn    uint64 // that receivers asked for
	NacksOut  uint64 // packets that senders were asked for
	Recovered uint64 // that came by RTX
	NacksIn   uint64 // packets that receivers asked for
	NacksLost uint64 // of them, that were not there any more
	NacksSoon uint64 // of them, that were on their way again already
	Repeated  uint64 // sent again
	Padding   uint64 // packets that only ask for the room there is

	Drops Drops
}

// came counts a packet from a sender.
func (t *Traffic) came(size int) {
	t.PacketsIn++
	t.BytesIn += uint64(size)
}

// left counts a packet to a receiver.
func (t *Traffic) left(size int) {
	t.Forwarded++
	t.BytesOut += uint64(size)
}

// lose counts packets that a receiver tells of, so many of 256 as lost.
func (t *Traffic) lose(packets int, fraction uint8) {
	t.Reported += uint64(packets)
	t.LostOut += uint64((packets*int(fraction) + 1<<7) >> 8)
}

// Drops counts packets not used, by reason. Those of a call are RTP of its
// participants.
type Drops struct {
	Unknown   uint64 // from an address nobody proved to be at
	Malformed uint64
	Stun      uint64 // checks with a wrong name or password
	Early     uint64 // before the keys
	Source    uint64 // of an SSRC that was not announced
	Replay    uint64
	Auth      uint64
	Queue     uint64 // DTLS records faster than they are handled
	Handed    uint64 // for a shard that has too much to do
	Late      uint64 // RTP that waited for the shard so long that nobody wants it
	Type      uint64 // of another codec, or padding only
	Excess    uint64 // more than a client may have forwarded
	Muted     uint64
	Quiet     uint64 // beyond the loudest
	Unwatched uint64 // of a layer that nobody sees
}

// drop counts a packet of a connection that is not used.
func (sh *shard) drop(c *conn, count func(*Drops)) {
	count(&sh.count.Drops)
	count(&c.room.count.Drops)
}

// RTTBounds are the upper bounds by which round trip times are counted.
var RTTBounds = [...]time.Duration{
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	200 * time.Millisecond, 350 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second,
}

// RTTs counts round trip times: for each bound those that are not above it, and
// above the one before; the last are above all.
type RTTs struct {
	Counts [len(RTTBounds) + 1]uint64
	Sum    time.Duration
}

func (r *RTTs) note(d time.Duration) {
	i := 0
	for i < len(RTTBounds) && d > RTTBounds[i] {
		i++
	}
	r.Counts[i]++
	r.Sum += d
}

// Call is one call now, with what its connections did since its first one.
type Call struct {
	ID           int64
	Conns, Ready int
	RTT          time.Duration // mean of the connections that it is known of; 0 for none
	Busy         time.Duration // its part of the loops', by packets, as of a second ago at most
	Traffic
}

// Metrics returns the counters of all shards as of at most a second ago.
func (s *Server) Metrics() (m Metrics) {
	for _, sh := range s.shards {
		m.add(sh.published.Load())
		m.Strain = max(m.Strain, int(sh.level.Load()))
	}
	return m
}

// Calls returns the calls with the most connections, the largest first.
func (s *Server) Calls(ctx context.Context, most int) (calls []Call, err error) {
	for _, sh := range s.shards {
		if err := sh.do(ctx, func() { calls = append(calls, sh.calls(most)...) }); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(calls, func(a, b Call) int { return cmp.Or(cmp.Compare(b.Conns, a.Conns), cmp.Compare(a.ID, b.ID)) })
	return calls[:min(most, len(calls))], nil
}

// calls returns the largest calls of a shard, the largest first.
func (sh *shard) calls(most int) []Call {
	rooms := make([]*room, 0, len(sh.rooms))
	for _, r := range sh.rooms {
		rooms = append(rooms, r)
	}
	slices.SortFunc(rooms, func(a, b *room) int {
		return cmp.Or(cmp.Compare(len(b.conns), len(a.conns)), cmp.Compare(a.call, b.call))
	})
	var calls []Call
	for _, r := range rooms[:min(most, len(rooms))] {
		calls = append(calls, r.measure())
	}
	return calls
}

// measure tells how a call is doing.
func (r *room) measure() Call {
	m := Call{ID: r.call, Conns: len(r.conns), Busy: r.busy, Traffic: r.count}
	known := time.Duration(0)
	for _, c := range r.conns {
		if c.out != nil {
			m.Ready++
		}
		if c.rtt > 0 {
			m.RTT += c.rtt
			known++
		}
	}
	m.RTT /= max(known, 1)
	return m
}

// publish makes the counters visible.
func (sh *shard) publish() {
	sh.measure()
	m := sh.count
	m.Rooms, m.Conns, m.Sent = len(sh.rooms), len(sh.order), sh.socket.Sent()
	sh.published.Store(&m)
}

// add adds the counters of others.
func (m *Metrics) add(o *Metrics) { sum(reflect.ValueOf(m).Elem(), reflect.ValueOf(o).Elem()) }

// sum adds all numbers of a value to those of another one, so that none is
// forgotten.
func sum(to, from reflect.Value) {
	switch to.Kind() {
	case reflect.Struct:
		for i := range to.NumField() {
			sum(to.Field(i), from.Field(i))
		}
	case reflect.Array:
		for i := range to.Len() {
			sum(to.Index(i), from.Index(i))
		}
	case reflect.Int, reflect.Int64:
		to.SetInt(to.Int() + from.Int())
	default:
		to.SetUint(to.Uint() + from.Uint())
	}
}
