package vpx

import "encoding/binary"

// Bits of VP9's descriptor (RFC 9628 4.2).
const (
	pictureBit9  = 0x80
	interBit9    = 0x40
	layersBit    = 0x20
	flexibleBit  = 0x10
	beginBit     = 0x08
	endBit       = 0x04
	structureBit = 0x02

	switchBit = 0x10 // of the layer indices

	sizesBit = 0x10 // of the scalability structure
	groupBit = 0x08
	sizeLen  = 4

	maxReferences = 3
)

// VP9 is what the descriptor of a VP9 payload says.
type VP9 struct {
	Numbers
	Width    uint16 // of the highest spatial layer; 0 when not said
	Height   uint16
	Size     uint16 // of the descriptor: where the frame's bytes start
	Temporal uint8  // layer
	Spatial  uint8  // layer

	Inter     bool // predicted from other pictures
	HasLayers bool
	Flexible  bool
	Switch    bool // a receiver may move up to this temporal layer
	Begin     bool // of a frame of one layer
	End       bool
}

// Parse reads the descriptor at the start of a payload and tells whether it is
// whole and followed by something.
func (d *VP9) Parse(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	bits := b[0]
	*d = VP9{
		Inter: bits&interBit9 != 0, HasLayers: bits&layersBit != 0, Flexible: bits&flexibleBit != 0,
		Begin: bits&beginBit != 0, End: bits&endBit != 0, Size: 1,
	}
	if bits&pictureBit9 != 0 {
		next, ok := d.readID(b, 1)
		if !ok {
			return false
		}
		d.Size = uint16(next)
	}
	if d.HasLayers && !d.layers(b) {
		return false
	}
	if d.Flexible && d.Inter && !d.references(b) || bits&structureBit != 0 && !d.structure(b) {
		return false
	}
	return int(d.Size) < len(b)
}

func (d *VP9) layers(b []byte) bool {
	if int(d.Size)+1 >= len(b) {
		return false
	}
	v := b[d.Size]
	d.Temporal, d.Switch, d.Spatial = v>>5, v&switchBit != 0, v>>1&7
	d.Size++
	if !d.Flexible {
		d.readTL0(b, int(d.Size))
		d.Size++
	}
	return true
}

// references skips the pictures that this one refers to; the last bit of each
// says whether another follows.
func (d *VP9) references(b []byte) bool {
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
func (d *VP9) structure(b []byte) bool {
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

// Key tells whether a key frame begins with the payload. Higher spatial layers
// of one are predicted from its lowest, where alone it can begin.
func (d *VP9) Key() bool { return d.Begin && !d.Inter && d.Spatial == 0 }
