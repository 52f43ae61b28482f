// Package vp9 reads the descriptor before a VP9 payload, tells where key frames
// begin and how large they are, and renumbers pictures in place (RFC 9628).
// Nothing here allocates, and nothing keeps what it is given.
package vp9

import "encoding/binary"

// Bits of the descriptor (RFC 9628 4.2).
const (
	pictureBit   = 0x80
	interBit     = 0x40
	layersBit    = 0x20
	flexibleBit  = 0x10
	beginBit     = 0x08
	endBit       = 0x04
	structureBit = 0x02

	wideBit  = 0x80 // of the picture id
	wideMask = 0x7fff
	slimMask = 0x7f

	switchBit = 0x10 // of the layer indices

	sizesBit = 0x10 // of the scalability structure
	groupBit = 0x08
	sizeLen  = 4

	maxReferences = 3
)

// Descriptor is what the descriptor of a payload says.
type Descriptor struct {
	PictureID uint16
	Width     uint16 // of the highest spatial layer; 0 when not said
	Height    uint16
	Size      uint16 // of the descriptor: where the frame's bytes start
	TL0       uint8  // running index of the lowest temporal layer
	Temporal  uint8  // layer
	Spatial   uint8  // layer

	pictureAt uint8 // 0 when absent
	tl0At     uint8

	Wide      bool // the picture id has 15 bits, not 7
	Inter     bool // predicted from other pictures
	HasLayers bool
	Flexible  bool
	Switch    bool // a receiver may move up to this temporal layer
	Begin     bool // of a frame of one layer
	End       bool
}

// Parse reads the descriptor at the start of a payload and tells whether it is
// whole and followed by something.
func (d *Descriptor) Parse(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	bits := b[0]
	*d = Descriptor{
		Inter: bits&interBit != 0, HasLayers: bits&layersBit != 0, Flexible: bits&flexibleBit != 0,
		Begin: bits&beginBit != 0, End: bits&endBit != 0, Size: 1,
	}
	if bits&pictureBit != 0 && !d.picture(b) || d.HasLayers && !d.layers(b) {
		return false
	}
	if d.Flexible && d.Inter && !d.references(b) || bits&structureBit != 0 && !d.structure(b) {
		return false
	}
	return int(d.Size) < len(b)
}

func (d *Descriptor) picture(b []byte) bool {
	if len(b) < 3 {
		return false
	}
	d.pictureAt = 1
	if d.Wide = b[1]&wideBit != 0; d.Wide {
		d.PictureID, d.Size = binary.BigEndian.Uint16(b[1:])&wideMask, 3
	} else {
		d.PictureID, d.Size = uint16(b[1]), 2
	}
	return true
}

func (d *Descriptor) layers(b []byte) bool {
	if int(d.Size)+1 >= len(b) {
		return false
	}
	v := b[d.Size]
	d.Temporal, d.Switch, d.Spatial = v>>5, v&switchBit != 0, v>>1&7
	d.Size++
	if !d.Flexible {
		d.TL0, d.tl0At = b[d.Size], uint8(d.Size)
		d.Size++
	}
	return true
}

// references skips the pictures that this one refers to; the last bit of each
// says whether another follows.
func (d *Descriptor) references(b []byte) bool {
	for range maxReferences {
		if int(d.Size) >= len(b) {
			return false
		}
		d.Size++
		if b[d.Size-1]&1 == 0 {
			return true
		}
	}
	return false
}

// structure reads the scalability structure (4.2.1).
func (d *Descriptor) structure(b []byte) bool {
	at := int(d.Size)
	if at >= len(b) {
		return false
	}
	bits := b[at]
	at++
	if bits&sizesBit != 0 {
		at += sizeLen * (int(bits>>5) + 1)
		if at > len(b) {
			return false
		}
		d.Width, d.Height = binary.BigEndian.Uint16(b[at-4:]), binary.BigEndian.Uint16(b[at-2:])
	}
	if bits&groupBit != 0 {
		if at >= len(b) {
			return false
		}
		pictures := int(b[at])
		at++
		for range pictures {
			if at >= len(b) {
				return false
			}
			at += 1 + int(b[at]>>2&3)
		}
	}
	d.Size = uint16(min(at, len(b)))
	return true
}

// HasPicture tells whether there is a picture id.
func (d *Descriptor) HasPicture() bool { return d.pictureAt != 0 }

// HasTL0 tells whether there is an index of the lowest temporal layer.
func (d *Descriptor) HasTL0() bool { return d.tl0At != 0 }

// Key tells whether a key frame begins with the payload. Higher spatial layers
// of one are predicted from its lowest, where alone it can begin.
func (d *Descriptor) Key() bool { return d.Begin && !d.Inter && d.Spatial == 0 }

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
