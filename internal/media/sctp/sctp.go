// Package sctp is the server's end of the data channels of one WebRTC client
// (RFC 9260, 8831, 8832): the client opens the association and the channels,
// sends messages, and gets small ones. It has no goroutine, no timer and no
// socket: its owner hands it packets and the time, and sends what it writes.
//
// What comes is delivered in the order it was sent in, whatever its channel;
// what goes out is little enough to need no congestion control: it stays within
// what RFC 9260 7.2.1 lets a sender begin with.
package sctp

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

const (
	commonHeader = 12
	chunkHeader  = 4

	kindData         = 0
	kindInit         = 1
	kindInitAck      = 2
	kindSack         = 3
	kindHeartbeat    = 4
	kindHeartbeatAck = 5
	kindAbort        = 6
	kindShutdown     = 7
	kindShutdownAck  = 8
	kindCookieEcho   = 10
	kindCookieAck    = 11
	kindShutdownDone = 14

	flagReflected = 1 // of an ABORT and a SHUTDOWN COMPLETE: the tag is the sender's

	initSize    = 16
	dataHeader  = 12
	sackSize    = 12
	cookieParam = 7
	cookieSize  = 16
	maxStreams  = 65535
	// skip is set in the kinds of chunks that one may go on after without
	// knowing them.
	skip = 0x80

	maxPacket = 1150 // of ours
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Handler is what an Association's owner does. It is called from the
// Association's own methods; what it gets is valid during the call.
type Handler interface {
	// Packet sends a packet.
	Packet(b []byte)
	// Opened tells that the client opened a channel.
	Opened(stream uint16)
	// Message tells what came on a channel.
	Message(stream uint16, text bool, b []byte)
}

// peering is what both ends agreed on. The cookie names it.
type peering struct {
	cookie [cookieSize]byte
	local  uint32 // tag of packets to us
	remote uint32 // tag of packets to the client
	first  uint32 // our first TSN
	last   uint32 // TSN before the client's first one
	room   uint32 // bytes the client takes at first
	ports  [4]byte
}

// Association is the end of one client. A client that starts anew replaces what
// was. It belongs to one goroutine.
type Association struct {
	handler Handler
	random  func([]byte)
	peering // the association, while up
	up      bool
	offered *peering // by the last INIT, until its cookie comes
	inbound
	outbound
	now     time.Duration
	sack    bool   // is owed
	scratch []byte // the packet being written; nil between calls
	to      uint32 // its tag
}

// New waits for a client. Random fills a slice with randomness.
func New(h Handler, random func([]byte)) *Association {
	return &Association{handler: h, random: random}
}

// Receive takes a packet. What is wrong is ignored.
func (a *Association) Receive(now time.Duration, b []byte) {
	if len(b) < commonHeader+chunkHeader || !checked(b) {
		return
	}
	a.now = now
	tag := binary.BigEndian.Uint32(b[4:])
	ports := [4]byte{b[2], b[3], b[0], b[1]}
	for rest := b[commonHeader:]; len(rest) >= chunkHeader; {
		size := int(binary.BigEndian.Uint16(rest[2:]))
		if size < chunkHeader || size > len(rest) {
			break
		}
		kind, flags, body := rest[0], rest[1], rest[chunkHeader:size]
		if !a.chunk(kind, flags, body, tag, ports) {
			break
		}
		rest = rest[min((size+3)&^3, len(rest)):]
	}
	if a.sack && a.up {
		a.appendSack()
	}
	a.sack = false
	a.transmit()
	a.flush()
}

// chunk handles one chunk and tells whether to go on after it.
func (a *Association) chunk(kind, flags byte, body []byte, tag uint32, ports [4]byte) bool {
	switch {
	case kind == kindInit:
		if tag == 0 {
			a.init(body, ports)
		}
		return false // is alone in its packet
	case kind == kindCookieEcho:
		return a.echo(body, tag)
	case kind == kindAbort || kind == kindShutdownDone:
		if a.up && (tag == a.local || flags&flagReflected != 0 && tag == a.remote) {
			a.close()
		}
		return false
	case !a.up || tag != a.local:
		return false
	}
	switch kind {
	case kindData:
		a.data(flags, body)
	case kindSack:
		a.acknowledge(body)
	case kindHeartbeat:
		if commonHeader+chunkHeader+len(body) <= maxPacket-3 { // with padding
			a.append(kindHeartbeatAck, 0, body)
		}
	case kindShutdown:
		a.append(kindShutdownAck, 0, nil)
	default:
		return kind&skip != 0
	}
	return a.up
}

// init answers a client that wants to begin, or to begin anew.
func (a *Association) init(body []byte, ports [4]byte) {
	if len(body) < initSize {
		return
	}
	p := peering{
		remote: binary.BigEndian.Uint32(body), room: binary.BigEndian.Uint32(body[4:]),
		last: binary.BigEndian.Uint32(body[12:]) - 1, ports: ports,
	}
	if p.remote == 0 {
		return
	}
	if o := a.offered; o == nil || o.remote != p.remote || o.last != p.last {
		var b [8]byte
		a.random(p.cookie[:])
		a.random(b[:])
		p.local = binary.BigEndian.Uint32(b[:]) | 1 // not 0
		p.first = binary.BigEndian.Uint32(b[4:])
		a.offered = &p
	}
	o := a.offered
	answer := binary.BigEndian.AppendUint32(nil, o.local)
	answer = binary.BigEndian.AppendUint32(answer, maxHeld)
	answer = binary.BigEndian.AppendUint16(answer, maxStreams)
	answer = binary.BigEndian.AppendUint16(answer, maxStreams)
	answer = binary.BigEndian.AppendUint32(answer, o.first)
	answer = append(answer, 0, cookieParam, 0, 4+cookieSize)
	a.appendTo(ports, o.remote, kindInitAck, append(answer, o.cookie[:]...))
}

// echo lets what was offered begin.
func (a *Association) echo(body []byte, tag uint32) bool {
	if len(body) != cookieSize {
		return false
	}
	cookie := [cookieSize]byte(body)
	switch o := a.offered; {
	case o != nil && cookie == o.cookie && tag == o.local:
		a.close()
		a.peering, a.up, a.offered = *o, true, nil
		a.inbound.begin(a.last)
		a.outbound.begin(a.first, a.room)
	case !a.up || cookie != a.cookie || tag != a.local:
		return false
	}
	a.append(kindCookieAck, 0, nil)
	return true
}

// close forgets the association.
func (a *Association) close() {
	a.up = false
	a.inbound, a.outbound = inbound{}, outbound{}
}

// append writes a chunk to the client.
func (a *Association) append(kind, flags byte, body []byte) {
	if len(a.scratch)+chunkHeader+(len(body)+3)&^3 > maxPacket {
		a.flush()
	}
	a.to = a.remote
	if len(a.scratch) == 0 {
		a.scratch = a.header(a.ports)
	}
	a.scratch = appendChunk(a.scratch, kind, flags, body)
}

// appendTo writes a packet with one chunk, outside of an association.
func (a *Association) appendTo(ports [4]byte, tag uint32, kind byte, body []byte) {
	a.scratch, a.to = appendChunk(a.header(ports), kind, 0, body), tag
	a.flush()
}

func (a *Association) header(ports [4]byte) []byte {
	return append(append(make([]byte, 0, 64), ports[:]...), 0, 0, 0, 0, 0, 0, 0, 0)
}

func appendChunk(b []byte, kind, flags byte, body []byte) []byte {
	b = binary.BigEndian.AppendUint16(append(b, kind, flags), uint16(chunkHeader+len(body)))
	b = append(b, body...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// flush sends the packet being written.
func (a *Association) flush() {
	b := a.scratch
	a.scratch = nil
	if len(b) <= commonHeader {
		return
	}
	binary.BigEndian.PutUint32(b[4:], a.to)
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b, castagnoli))
	a.handler.Packet(b)
}

// checked tells whether a packet's checksum is right.
func checked(b []byte) bool {
	var none [4]byte
	sum := crc32.Update(0, castagnoli, b[:8])
	sum = crc32.Update(sum, castagnoli, none[:])
	sum = crc32.Update(sum, castagnoli, b[12:])
	return sum == binary.LittleEndian.Uint32(b[8:])
}
