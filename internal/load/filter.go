package load

import "sync/atomic"

// sampleEvery is how many media packets a filter with a sample keeps one of: a
// power of two.
const sampleEvery = 16

// instruction is one of the kernel's classic packet filter.
type instruction struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

// dropMedia is a filter that drops media inside the kernel, which counts it
// and does not wake us up. With sample it keeps the packets whose sequence
// number is a multiple of sampleEvery. Offsets are from the UDP header.
func dropMedia(sample bool) []instruction {
	const (
		loadLength = 0x80
		loadByte   = 0x30
		and        = 0x54
		ifEqual    = 0x15
		ifAtLeast  = 0x35
		give       = 0x06
		udp        = 8
		all        = 0x40000
	)
	p := []instruction{
		{code: loadLength},
		{ifAtLeast, 0, 7, udp + 12}, // else keep
		{loadByte, 0, 0, udp},
		{and, 0, 0, 0xe0},
		{ifEqual, 0, 4, 0x80}, // else keep
		{loadByte, 0, 0, udp + 1},
		{and, 0, 0, 0x7f},
		{ifEqual, 2, 0, opusType},
		{ifEqual, 1, 0, vp8Type},
		{give, 0, 0, all},
	}
	if sample {
		p = append(p,
			instruction{loadByte, 0, 0, udp + 3},
			instruction{and, 0, 0, sampleEvery - 1},
			instruction{ifEqual, 0, 1, 0},
			instruction{give, 0, 0, all})
	}
	return append(p, instruction{give, 0, 0, 0})
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
