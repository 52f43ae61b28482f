// Package vp8 reads the descriptor before a VP8 payload and as much of the
// frame as tells a key frame and its size, and renumbers pictures in place, so
// that a receiver sees one stream where the sender's layers change (RFC 7741,
// RFC 6386 9.1). Nothing here allocates, and nothing keeps what it is given.
package vp8

import "encoding/binary"

// Bits of the descriptor (RFC 7741 4.2).
const (
	extendedBit  = 0x80 // of the first byte
	referenceBit = 0x20
	startBit     = 0x10
	partitionSet = 0x07

	pictureBit  = 0x80 // of the extension
	tl0Bit      = 0x40
	temporalBit = 0x20
	keyBit      = 0x10

	wideBit  = 0x80 // of the picture id
	syncBit  = 0x20 // of the temporal layer
	keySet   = 0x1f
	wideMask = 0x7fff
	slimMask = 0x7f

	interBit   = 0x01 // of the frame: not a key frame
	keyHeader  = 10   // bytes of a key frame up to its size
	startCode  = 0x9d012a
	dimension  = 0x3fff // the two bits above are a scale
	heightFrom = 8
	widthFrom  = 6
)

// Descriptor is what the descriptor of a payload says.
type Descriptor struct {
	PictureID uint16
	TL0       uint8 // running index of the lowest temporal layer
	Temporal  uint8 // layer
	KeyIndex  uint8
	Partition uint8
	Size      uint8 // of the descriptor: where the frame's bytes start

	pictureAt uint8 // 0 when absent
	tl0At     uint8

	Wide         bool // the picture id has 15 bits, not 7
	HasTemporal  bool
	HasKeyIndex  bool
	Sync         bool // a receiver may move up to this temporal layer
	Start        bool // of a partition
	NonReference bool // nothing refers to this frame
}

// Parse reads the descriptor at the start of a payload and tells whether it is
// whole and followed by something.
func (d *Descriptor) Parse(b []byte) bool {
	if len(b) < 2 {
		return false
	}
	*d = Descriptor{
		Start: b[0]&startBit != 0, NonReference: b[0]&referenceBit != 0, Partition: b[0] & partitionSet, Size: 1,
	}
	if b[0]&extendedBit == 0 {
		return true
	}
	bits := b[1]
	d.Size = 2
	if bits&pictureBit != 0 && !d.picture(b) {
		return false
	}
	if bits&tl0Bit != 0 {
		if int(d.Size) >= len(b) {
			return false
		}
		d.TL0, d.tl0At = b[d.Size], d.Size
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

func (d *Descriptor) picture(b []byte) bool {
	if len(b) < 3 {
		return false
	}
	d.pictureAt = 2
	if d.Wide = b[2]&wideBit != 0; !d.Wide {
		d.PictureID, d.Size = uint16(b[2]), 3
		return true
	}
	if len(b) < 4 {
		return false
	}
	d.PictureID, d.Size = binary.BigEndian.Uint16(b[2:])&wideMask, 4
	return true
}

// HasPicture tells whether there is a picture id.
func (d *Descriptor) HasPicture() bool { return d.pictureAt != 0 }

// HasTL0 tells whether there is an index of the lowest temporal layer.
func (d *Descriptor) HasTL0() bool { return d.tl0At != 0 }

// Begins tells whether a frame begins with this payload.
func (d *Descriptor) Begins() bool { return d.Start && d.Partition == 0 }

// Key tells whether a key frame begins with the payload.
func (d *Descriptor) Key(b []byte) bool {
	return d.Begins() && int(d.Size) < len(b) && b[d.Size]&interBit == 0
}

// Dimensions returns the size of the picture of a key frame that begins with
// the payload. End-to-end encryption leaves these bytes clear (media.md 9).
func (d *Descriptor) Dimensions(b []byte) (width, height int, ok bool) {
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

// Rewrite numbers the picture anew in a payload, or a copy of it, that begins
// with this descriptor. Each number keeps its width; what is absent stays so.
// What is right already is not written: the payload is read next, and what was
// written in parts keeps the processor waiting.
func (d *Descriptor) Rewrite(b []byte, picture uint16, tl0 uint8) {
	switch {
	case d.pictureAt == 0:
	case d.Wide:
		if n := picture | wideBit<<8; binary.BigEndian.Uint16(b[d.pictureAt:]) != n {
			binary.BigEndian.PutUint16(b[d.pictureAt:], n)
		}
	case b[d.pictureAt] != uint8(picture&slimMask):
		b[d.pictureAt] = uint8(picture & slimMask)
	}
	if d.tl0At != 0 && b[d.tl0At] != tl0 {
		b[d.tl0At] = tl0
	}
}
