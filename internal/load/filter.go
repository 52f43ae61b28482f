package load

import "sync/atomic"

// sampleEvery is how many packets of sound a filter with a sample keeps one
// of: a power of two.
const sampleEvery = 16

// instruction is one of the kernel's classic packet filter.
type instruction struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

// The instructions that dropMedia needs.
const (
	loadLength = 0x80
	loadHalf   = 0x28
	loadByte   = 0x30
	and        = 0x54
	ifEqual    = 0x15
	ifAtLeast  = 0x35
	ifSet      = 0x45
	give       = 0x06

	udpHeader  = 8       // where packets begin
	keep       = 0x40000 // bytes: all of them
	keepSample = keep - 1
)

// dropMedia is a filter that drops media inside the kernel, which counts it
// and does not wake us up. With sample it keeps sound whose sequence number is
// a multiple of sampleEvery, and the last packet of each picture. Offsets are
// from the UDP header.
func dropMedia(sample bool) []instruction {
	const (
		marker  = 0x80
		media   = 0xe07f // version, padding and type; each load is a call for every packet
		sound   = 0x8000 | opusType
		picture = 0x8000 | vp8Type
	)
	p := []instruction{
		{code: loadLength},
		{ifAtLeast, 0, 4, udpHeader + 12}, // else keep
		{loadHalf, 0, 0, udpHeader},
		{and, 0, 0, media},
		{ifEqual, 2, 0, sound},
		{ifEqual, 1, 0, picture},
		{give, 0, 0, keep},
	}
	if !sample {
		return append(p, instruction{give, 0, 0, 0})
	}
	p[5].jt = 5 // to the pictures
	return append(p,
		instruction{loadByte, 0, 0, udpHeader + 3}, // sound
		instruction{and, 0, 0, sampleEvery - 1},
		instruction{ifEqual, 3, 0, 0},
		instruction{give, 0, 0, 0},
		instruction{loadByte, 0, 0, udpHeader + 1}, // pictures
		instruction{ifSet, 0, 1, marker},
		instruction{give, 0, 0, keepSample},
		instruction{give, 0, 0, 0})
}

// counter counts packets read; what the kernel dropped comes on top.
type counter struct {
	inode uint64
	read  atomic.Int64
}

// received sums up what all counters saw, with the drops of their sockets.
func received(all []*counter) (int64, error) {
	drops, err := readDrops()
	if err != nil {
		return 0, err
	}
	var n int64
	for _, c := range all {
		n += c.read.Load() + drops[c.inode]
	}
	return n, nil
}
