package sfu

import (
	"slices"

	"parley/internal/media/rtp"
	"parley/internal/media/stun"
	"parley/internal/media/udp"
)

// receive sorts one datagram by its first byte (RFC 7983), and returns it, or
// another one to read into if it is for another shard. Only STUN may come from
// an address nobody proved to be at; it leaves no state behind unless its
// password is right.
func (sh *shard) receive(d *udp.Datagram) *udp.Datagram {
	b := d.Bytes()
	sh.came = sh.arrivedAt(d)
	if len(b) == 0 {
		sh.count.Drops.Malformed++
		return d
	}
	if b[0] < 4 {
		return sh.check(d)
	}
	if sh.sheds(b) {
		sh.count.Drops.Late++
		return d
	}
	c := sh.byAddr[d.From]
	if c == nil {
		if to := sh.away[d.From]; to != nil {
			return sh.hand(d, to)
		}
		sh.count.Drops.Unknown++
		return d
	}
	switch {
	case b[0]>>6 == 2 && rtp.IsRTCP(b):
		sh.reported++
		sh.rtcp(c, b, d.From)
	case b[0]>>6 == 2:
		sh.rtp(c, b, d.From)
	case b[0] >= 20 && b[0] < 64:
		sh.record(c, b, d.From)
	default:
		sh.count.Drops.Malformed++
	}
	return d
}

// check takes in a Binding request of a client that knows the password.
func (sh *shard) check(d *udp.Datagram) *udp.Datagram {
	var r stun.Request
	if !r.Parse(d.Bytes()) {
		sh.count.Drops.Malformed++
		return d
	}
	if to := sh.server.named(r.Local); to != sh && to != nil && sh.branch == nil {
		d.Known = sh.away[d.From] == to
		return sh.hand(d, to)
	}
	c := sh.byUfrag[string(r.Local)]
	switch {
	case c == nil || c.builtin || !c.auth.Check(&r):
		sh.count.Drops.Stun++
	case sh.has(d):
		sh.respond(c, &r, d.From)
	default:
		sh.acquire(d.Bytes(), d.From)
	}
	return d
}

// reply responds to a check that proved right.
func (sh *shard) reply(check []byte, from udp.Peer) {
	var r stun.Request
	if !r.Parse(check) {
		return
	}
	if c := sh.byUfrag[string(r.Local)]; c != nil {
		sh.respond(c, &r, from)
	}
}

// respond answers a connection's check.
func (sh *shard) respond(c *conn, r *stun.Request, from udp.Peer) {
	if !sh.claim(c, from) {
		sh.count.Drops.Stun++
		return
	}
	sh.count.Stun++
	c.seen, c.controlling = sh.now, r.Controlling
	n := c.auth.Respond(sh.socket.Space(stun.ResponseSize), r, from.AddrPort)
	sh.socket.Send(n, from)
	switch {
	case c.addr == from:
		if r.UseCandidate {
			c.nominated = udp.Peer{}
		}
	// Who can't choose an address, and can't be followed yet, may be out of reach at one.
	case !c.addr.IsValid() || c.in == nil && (r.UseCandidate || !r.Controlling) || sh.now-c.addrSeen > lost:
		sh.move(c, from)
	case r.UseCandidate:
		c.nominated = from // anybody can send a copy: the client has to be there
	}
	if c.addr == from {
		c.addrSeen = sh.now
	}
	if c.session == nil && !sh.draining {
		sh.shake(c)
	}
}

// claim notes that a connection's client is at an address. One where another
// client talks right now stays that one's.
func (sh *shard) claim(c *conn, from udp.Peer) bool {
	if sh.byAddr[from] == c {
		return true
	}
	if !sh.yield(from) {
		return false
	}
	if len(c.addrs) == maxAddrs {
		oldest := 0
		if c.addrs[0] == c.addr {
			oldest = 1
		}
		sh.giveUp(c.addrs[oldest])
		c.addrs = slices.Delete(c.addrs, oldest, oldest+1)
	}
	c.addrs = append(c.addrs, from)
	sh.byAddr[from] = c
	return true
}

// move sends to an address from now on. What was learnt of the way to another
// one says little of this one's.
func (sh *shard) move(c *conn, to udp.Peer) {
	if c.addr != to && c.addr.IsValid() {
		c.rtt, c.movedAt = 0, sh.now
		if c.path != nil {
			c.path.probe.ID, c.path.fell, c.path.doubt, c.path.doubted = 0, 0, 0, 0
			c.path.estimate.Moved()
		}
	}
	c.addr, c.addrSeen, c.nominated = to, sh.now, udp.Peer{}
	if c.session != nil {
		c.session.remote.Store(&to)
	}
}

// follow notes an authenticated packet. A client that cannot nominate is where
// its packets come from; one that can, is where it nominated, or anywhere once
// its old address fell silent.
func (sh *shard) follow(c *conn, from udp.Peer) {
	c.seen = sh.now
	switch {
	case c.addr == from:
		c.addrSeen = sh.now
	case !c.controlling || c.nominated == from || sh.now-c.addrSeen > stale:
		sh.move(c, from)
	}
}
