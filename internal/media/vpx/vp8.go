package vpx

import "encoding/binary"

// Bits of VP8's descriptor (RFC 7741 4.2).
const (
	extendedBit  = 0x80 // of the first byte
	referenceBit = 0x20
	startBit     = 0x10
	partitionSet = 0x07

	pictureBit8 = 0x80 // of the extension
	tl0Bit      = 0x40
	temporalBit = 0x20
	keyBit      = 0x10

	syncBit = 0x20 // of the temporal layer
	keySet  = 0x1f

	interBit8  = 0x01 // of the frame: not a key frame
	keyHeader  = 10   // bytes of a key frame up to its size
	startCode  = 0x9d012a
	dimension  = 0x3fff // the two bits above are a scale
	heightFrom = 8
	widthFrom  = 6
)

// VP8 is what the descriptor of a VP8 payload says.
type VP8 struct {
	Numbers
	Temporal  uint8 // layer
	KeyIndex  uint8
	Partition uint8
	Size      uint8 // of the descriptor: where the frame's bytes start

	HasTemporal  bool
	HasKeyIndex  bool
	Sync         bool // a receiver may move up to this temporal layer
	Start        bool // of a partition
	NonReference bool // nothing refers to this frame
}

// Parse reads the descriptor at the start of a payload and tells whether it is
// whole and followed by something.
func (d *VP8) Parse(b []byte) bool {
	if len(b) < 2 {
		return false
	}
	*d = VP8{
		Start: b[0]&startBit != 0, NonReference: b[0]&referenceBit != 0, Partition: b[0] & partitionSet, Size: 1,
	}
	if b[0]&extendedBit == 0 {
		return true
	}
	bits := b[1]
	d.Size = 2
	if bits&pictureBit8 != 0 {
		next, ok := d.readID(b, 2)
		if !ok {
			return false
		}
		d.Size = uint8(next)
	}
	if bits&tl0Bit != 0 {
		if !d.readTL0(b, int(d.Size)) {
			return false
		}
		d.Size++
	}
	if bits&(temporalBit|keyBit) != 0 {
		if int(d.Size) >= len(b) {
			return false
		}
		v := b[d.Size]
		d.Size++
		if d.HasTemporal = bits&temporalBit != 0; d.HasTemporal {
			d.Temporal, d.Sync = v>>6, v&syncBit != 0
		}
		if d.HasKeyIndex = bits&keyBit != 0; d.HasKeyIndex {
			d.KeyIndex = v & keySet
		}
	}
	return int(d.Size) < len(b)
}

// Begins tells whether a frame begins with this payload.
func (d *VP8) Begins() bool { return d.Start && d.Partition == 0 }

// Key tells whether a key frame begins with the payload.
func (d *VP8) Key(b []byte) bool {
	return d.Begins() && int(d.Size) < len(b) && b[d.Size]&interBit8 == 0
}

// Dimensions returns the size of the picture of a key frame that begins with
// the payload. End-to-end encryption leaves these bytes clear (media.md 9).
func (d *VP8) Dimensions(b []byte) (width, height int, ok bool) {
	if !d.Key(b) {
		return 0, 0, false
	}
	b = b[d.Size:]
	if len(b) < keyHeader || uint32(b[3])<<16|uint32(b[4])<<8|uint32(b[5]) != startCode {
		return 0, 0, false
	}
	width = int(binary.LittleEndian.Uint16(b[widthFrom:]) & dimension)
	height = int(binary.LittleEndian.Uint16(b[heightFrom:]) & dimension)
	return width, height, width > 0 && height > 0
}
