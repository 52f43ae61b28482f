// Package rtx wraps packets for retransmission on a stream of their own, and
// unwraps such packets: the payload begins with the original sequence number
// (RFC 4588 4). Nothing here allocates where the caller has room.
package rtx

import "encoding/binary"

// Overhead is how many bytes longer a wrapped payload is.
const Overhead = 2

const (
	headerSize = 12 // of RTP without sources and extensions
	paddingBit = 0x20
	markerBit  = 0x80
)

// Stream is where packets go: to the stream of retransmissions, or back to
// that of media.
type Stream struct {
	SSRC uint32
	Type uint8 // of the payload
}

// Split returns the original sequence number and payload of a payload without
// padding. A payload that only probes the path holds neither.
func Split(payload []byte) (seq uint16, original []byte, ok bool) {
	if len(payload) <= Overhead {
		return 0, nil, false
	}
	return binary.BigEndian.Uint16(payload), payload[Overhead:], true
}

// SetOriginal writes the original sequence number to the first bytes of a
// payload with room for it.
func SetOriginal(payload []byte, seq uint16) { binary.BigEndian.PutUint16(payload, seq) }

// Wrap appends to b a retransmission of a packet whose payload begins at size,
// with sequence number seq on the stream s.
func (s Stream) Wrap(b, packet []byte, size int, seq uint16) ([]byte, bool) {
	if size < headerSize || size > len(packet) {
		return b, false
	}
	start := len(b)
	b = append(b, packet[:size]...)
	b = append(b, packet[2], packet[3])
	s.address(b[start:], seq)
	return append(b, packet[size:]...), true
}

// Unwrap restores in place the packet that a retransmission carries, as a
// packet of the stream s; its payload begins at size, too. ok is false when it
// carries none.
func (s Stream) Unwrap(packet []byte, size int) (original []byte, ok bool) {
	if size < headerSize || size > len(packet) {
		return nil, false
	}
	payload := packet[size:]
	if packet[0]&paddingBit != 0 && len(payload) > 0 {
		n := int(payload[len(payload)-1])
		if n == 0 || n > len(payload) {
			return nil, false
		}
		payload = payload[:len(payload)-n]
	}
	seq, _, ok := Split(payload)
	if !ok {
		return nil, false
	}
	copy(packet[Overhead:], packet[:size])
	packet = packet[Overhead:]
	s.address(packet, seq)
	return packet, true
}

// address makes a packet one of the stream.
func (s Stream) address(packet []byte, seq uint16) {
	packet[1] = packet[1]&markerBit | s.Type
	binary.BigEndian.PutUint16(packet[2:], seq)
	binary.BigEndian.PutUint32(packet[8:], s.SSRC)
}
