package sfu

import (
	"bytes"
	"slices"
	"strings"

	"parley/internal/media/udp"
)

// steering is what a shard knows of the others. The first one, the reader, reads
// the socket, and hands on what is for connections of others: a check names its
// shard by the first character of the user name; all else comes from an address
// that the other shard has. An address is of one shard at a time. Who wants one
// asks the reader, and answers the client's check once it has it: so the reader
// knows it before the client sends more.
type steering struct {
	index  int                 // in the server's shards; immutable
	branch *udp.Branch         // where the reader puts its mail; nil of the reader
	away   map[udp.Peer]*shard // of the reader: addresses that others have
}

// alphabet is that of ICE strings.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// name returns a new user name for a connection of the shard.
func (sh *shard) name() string { return alphabet[sh.index:sh.index+1] + secret(ufragSize-1) }

// named returns the shard that gave a user name, or nil.
func (s *Server) named(name []byte) *shard {
	if i := strings.IndexByte(alphabet, name[0]); i >= 0 && i < len(s.shards) {
		return s.shards[i]
	}
	return nil
}

// reader returns the shard that reads the socket.
func (s *Server) reader() *shard { return s.shards[0] }

// hand gives a datagram to another shard and returns one to read into. A shard
// that can't keep up loses it.
func (sh *shard) hand(d *udp.Datagram, to *shard) *udp.Datagram {
	free, ok := to.branch.Hand(d)
	if ok {
		sh.count.Handed++
	} else {
		sh.count.Drops.Handed++
	}
	return free
}

// has tells whether the address of a check is the shard's, or may be without
// asking. That the reader agrees counts: what was given up between two answers
// would never be handed over again.
func (sh *shard) has(check *udp.Datagram) bool {
	if sh.branch == nil {
		return sh.away[check.From] == nil
	}
	return check.Known && sh.byAddr[check.From] != nil
}

// acquire asks for the address that a check came from, and answers it then.
func (sh *shard) acquire(check []byte, from udp.Peer) {
	check = bytes.Clone(check)
	sh.server.reader().post(func() {
		sh.server.reader().grant(from, sh, func() {
			sh.reply(check, from)
			if sh.byAddr[from] == nil { // its connection went meanwhile
				sh.giveUp(from)
			}
		})
	})
}

// grant gives an address to a shard, and runs done there, unless a client of
// another shard talks from there right now. The reader does it.
func (sh *shard) grant(a udp.Peer, to *shard, done func()) {
	owner := sh.away[a]
	switch {
	case owner != nil && owner != to:
		owner.post(func() {
			if !owner.yield(a) {
				owner.count.Drops.Stun++
				return
			}
			sh.post(func() {
				sh.forget(a, owner)
				sh.grant(a, to, done) // somebody else may have it by now
			})
		})
	case to == sh:
		done()
	case owner == nil && !sh.yield(a):
		sh.count.Drops.Stun++
	default:
		sh.away[a] = to
		to.post(done)
	}
}

// forget notes that a shard gave up an address.
func (sh *shard) forget(a udp.Peer, owner *shard) {
	if sh.away[a] == owner {
		delete(sh.away, a)
	}
}

// yield takes an address from its connection, unless its client talks from
// there right now.
func (sh *shard) yield(a udp.Peer) bool {
	c := sh.byAddr[a]
	if c == nil {
		return true
	}
	if c.addr == a && sh.now-c.addrSeen < lost {
		return false
	}
	c.addrs = slices.DeleteFunc(c.addrs, func(b udp.Peer) bool { return b == a })
	delete(sh.byAddr, a)
	return true
}

// giveUp lets others have addresses.
func (sh *shard) giveUp(addrs ...udp.Peer) {
	for _, a := range addrs {
		delete(sh.byAddr, a)
	}
	if sh.branch == nil || len(addrs) == 0 {
		return
	}
	addrs = slices.Clone(addrs)
	sh.server.reader().post(func() {
		for _, a := range addrs {
			sh.server.reader().forget(a, sh)
		}
	})
}
