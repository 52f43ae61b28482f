package h264

const (
	maxGolomb     = 31  // leading zeros of a number
	maxCycle      = 255 // of picture order
	maxDimension  = 1 << 14
	macroblock    = 16
	chroma420     = 1
	chroma444     = 3
	smallList     = 16
	largeList     = 64
	smallLists    = 6
	lists         = 8
	lists444      = 12
	neutralScale  = 8
	orderByCycles = 1
)

// size reads the size of the picture, after cropping, from a sequence parameter
// set without its first byte (ITU-T H.264 7.3.2.1.1).
func size(b []byte) (width, height int, ok bool) {
	r := reader{b: b}
	profile := r.bits(8)
	r.bits(16) // constraints, level
	r.golomb() // id
	chroma := uint32(chroma420)
	if high(profile) {
		chroma = r.high()
	}
	r.golomb() // log2 of the greatest frame number
	r.order()
	r.golomb() // reference frames
	r.bits(1)  // gaps
	w, h := r.golomb()+1, r.golomb()+1
	fields := uint32(1)
	if r.bits(1) == 0 {
		fields = 2
		r.bits(1)
	}
	r.bits(1) // direct inference
	if r.failed || w > maxDimension/macroblock || h > maxDimension/macroblock {
		return 0, 0, false
	}
	w, h = w*macroblock, h*macroblock*fields
	if r.bits(1) == 1 {
		x, y := cropUnits(chroma)
		y *= fields
		left, right, top, bottom := r.golomb(), r.golomb(), r.golomb(), r.golomb()
		if left > w || right > w || top > h || bottom > h || (left+right)*x >= w || (top+bottom)*y >= h {
			return 0, 0, false
		}
		w, h = w-(left+right)*x, h-(top+bottom)*y
	}
	return int(w), int(h), !r.failed
}

// high tells whether a profile has the fields that reader.high reads.
func high(profile uint32) bool {
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		return true
	}
	return false
}

// cropUnits returns how many samples cropping goes by (table 6-1).
func cropUnits(chroma uint32) (x, y uint32) {
	switch chroma {
	case chroma420:
		return 2, 2
	case 2:
		return 2, 1
	}
	return 1, 1
}

// high reads the fields of high profiles and returns the chroma format.
func (r *reader) high() uint32 {
	chroma := r.golomb()
	n := lists
	separate := uint32(0)
	if chroma == chroma444 {
		separate = r.bits(1)
		n = lists444
	}
	r.golomb() // depths of luma
	r.golomb() // and chroma
	r.bits(1)
	if r.bits(1) == 1 {
		for i := range n {
			if r.bits(1) == 0 {
				continue
			}
			if i < smallLists {
				r.scaling(smallList)
			} else {
				r.scaling(largeList)
			}
		}
	}
	if separate == 1 {
		return 0
	}
	return chroma
}

// scaling skips a list of n (7.3.2.1.1.1).
func (r *reader) scaling(n int) {
	last, next := int32(neutralScale), int32(neutralScale)
	for range n {
		if next != 0 {
			next = (last + r.signed()) & 0xff
		}
		if next != 0 {
			last = next
		}
	}
}

// order skips what is said of the order of pictures.
func (r *reader) order() {
	switch r.golomb() {
	case 0:
		r.golomb()
	case orderByCycles:
		r.bits(1)
		r.golomb()
		r.golomb()
		n := r.golomb()
		if n > maxCycle {
			r.failed = true
			return
		}
		for range n {
			r.golomb()
		}
	}
}

// reader reads bits of a unit, without the bytes that keep start codes away.
// After the end it reads zeros and has failed.
type reader struct {
	b      []byte
	at     int // byte
	bit    uint8
	zeros  int // bytes read before at
	failed bool
}

func (r *reader) one() uint32 {
	if r.bit == 0 && r.zeros >= 2 && r.at < len(r.b) && r.b[r.at] == 3 {
		r.at++
		r.zeros = 0
	}
	if r.at >= len(r.b) {
		r.failed = true
		return 0
	}
	v := uint32(r.b[r.at]>>(7-r.bit)) & 1
	if r.bit++; r.bit == 8 {
		if r.b[r.at] == 0 {
			r.zeros++
		} else {
			r.zeros = 0
		}
		r.bit = 0
		r.at++
	}
	return v
}

func (r *reader) bits(n int) (v uint32) {
	for range n {
		v = v<<1 | r.one()
	}
	return v
}

// golomb reads a number of 9.1.
func (r *reader) golomb() uint32 {
	zeros := 0
	for r.one() == 0 {
		if zeros++; zeros > maxGolomb || r.failed {
			r.failed = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.bits(zeros)
}

// signed reads a number of 9.1.1.
func (r *reader) signed() int32 {
	v := r.golomb()
	if v&1 == 1 {
		return int32(v>>1) + 1
	}
	return -int32(v >> 1)
}
