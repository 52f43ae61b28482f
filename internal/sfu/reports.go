package sfu

import (
	"time"

	"parley/internal/media/rtcp"
)

const (
	unknownTrip = 50 * time.Millisecond // a guess
	maxTrip     = 10 * time.Second      // longer ones are not believed
	smoothTrip  = 8                     // a new one weighs an eighth (RFC 6298 2.3)
)

// passed remembers when the last sender reports of a stream were passed on, by
// the middle of their NTP time, which stays the sender's.
type passed struct {
	middle [2]uint32
	at     [2]time.Duration
}

func (p *passed) note(ntp uint64, now time.Duration) {
	p.middle[1], p.at[1] = p.middle[0], p.at[0]
	p.middle[0], p.at[0] = uint32(ntp>>16), now
}

// trip returns the round trip time that a receiver's report shows (RFC 3550
// 6.4.1); ok is false when it answers none of these, or one that went another
// way, before since.
func (p *passed) trip(r rtcp.Report, since, now time.Duration) (trip time.Duration, ok bool) {
	for i, middle := range p.middle {
		if middle == r.LastSR && middle != 0 && p.at[i] >= since {
			trip = now - p.at[i] - time.Duration(r.Delay)*time.Second/(1<<16)
			return trip, trip >= 0 && trip < maxTrip
		}
	}
	return 0, false
}

// reports takes in what a receiver says of the streams it gets: what it lost,
// and by the way how long packets travel.
func (sh *shard) reports(c *conn, p rtcp.Packet) {
	shortest := never
	for i := 0; ; i++ {
		r, ok := p.Reports(i)
		if !ok {
			break
		}
		reported, sent := c.reported(r.SSRC)
		if reported == nil {
			continue
		}
		if trip, ok := sent.trip(r, c.movedAt, sh.came); ok {
			shortest = min(shortest, trip)
		}
		packets := newer(reported, r.Highest)
		sh.count.lose(packets, r.Fraction)
		c.room.count.lose(packets, r.Fraction)
		if c.viewBy(r.SSRC) != nil && packets > 0 { // it counts where there is nothing better
			sh.suffers(c, r.Fraction, packets)
		}
	}
	if shortest != never {
		sh.count.RTT.note(shortest)
		c.note(shortest)
		if c.path != nil {
			c.path.estimate.Trip(shortest, sh.came)
		}
	}
}

// reported finds what is known of a stream that a receiver speaks of: the
// number that it told of last, and the sender reports it got. Both are nil for
// streams it does not get now.
func (c *conn) reported(ssrc uint32) (number *uint16, sent *passed) {
	if w := c.viewBy(ssrc); w != nil {
		return &w.reported, &w.passed
	}
	for _, s := range c.room.ranked {
		if s != nil && s.ssrc == ssrc && c.place >= 0 && c.sub(s) != nil {
			return &c.sub(s).reported, &s.passed
		}
	}
	return nil, nil
}

// newer returns how many packets a receiver tells of for the first time, and
// notes it; the number is 0 before that.
func newer(number *uint16, highest uint32) (packets int) {
	if packets = int(uint16(highest) - *number); packets >= 1<<15 || *number == 0 {
		packets = 0
	}
	*number = uint16(highest)
	return packets
}

// note takes in a round trip time.
func (c *conn) note(trip time.Duration) {
	if c.rtt == 0 {
		c.rtt = max(trip, 1)
	}
	c.rtt += (trip - c.rtt) / smoothTrip
}

// trip returns how long it takes to hear of what was sent to a connection.
func (c *conn) trip() time.Duration {
	if c.rtt == 0 {
		return unknownTrip
	}
	return c.rtt
}
