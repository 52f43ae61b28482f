package rtcp

import (
	"encoding/binary"
	"time"
)

const (
	// arrivalRing is how many sequence numbers one feedback may span.
	arrivalRing = 1024
	// Full is the span after which feedback should not wait for its time.
	Full = arrivalRing / 2

	tick          = 250 * time.Microsecond // unit of a delta
	referenceTick = 64 * time.Millisecond
	perReference  = int64(referenceTick / tick)

	statusLost  = 0
	statusSmall = 1 // delta in one byte
	statusLarge = 2 // delta in two, signed
	maxRunChunk = 1<<13 - 1
	perVector   = 7
	maxBody     = 1100 // bytes of one feedback packet
)

// Arrivals remembers when packets with transport-wide sequence numbers came,
// and tells the sender about them
// (draft-holmer-rmcat-transport-wide-cc-extensions-01).
type Arrivals struct {
	started  bool
	count    uint8 // of feedback packets sent
	from     int64 // first number not yet reported
	to       int64 // one past the last number that came
	ticks    [arrivalRing]int64
	statuses [arrivalRing]uint8 // scratch
}

// Pending returns the span of numbers not yet reported.
func (a *Arrivals) Pending() int { return int(a.to - a.from) }

// Note notes that a number came, at a time since any fixed moment. What was
// reported already or is too far off is ignored.
func (a *Arrivals) Note(seq uint16, at time.Duration) {
	if !a.started {
		a.started, a.from = true, int64(seq)
		a.to = a.from
	}
	n := a.to + int64(int16(seq-uint16(a.to)))
	if n < a.from {
		return
	}
	if n-a.from >= arrivalRing { // the sender jumped: begin anew there
		a.from, a.to = n, n
	}
	for ; a.to <= n; a.to++ {
		a.ticks[a.to&(arrivalRing-1)] = -1
	}
	if slot := &a.ticks[n&(arrivalRing-1)]; *slot < 0 {
		*slot = int64(at / tick)
	}
}

// Append appends feedback about what came since the last time, as ssrc about
// media; nothing when nothing came. It may have to be called until Pending is
// zero: one packet holds only so much.
func (a *Arrivals) Append(b []byte, ssrc, media uint32) []byte {
	first := a.from
	for first < a.to && a.ticks[first&(arrivalRing-1)] < 0 {
		first++ // the first one that came sets the reference time
	}
	if first >= a.to {
		return b
	}
	start := len(b)
	b = binary.BigEndian.AppendUint32(header(b, TypeTransport, FormatTransportCC), ssrc)
	b = binary.BigEndian.AppendUint32(b, media)
	reference := a.ticks[first&(arrivalRing-1)] / perReference
	n := a.classify(reference)
	b = binary.BigEndian.AppendUint16(b, uint16(a.from))
	b = binary.BigEndian.AppendUint16(b, uint16(n))
	b = binary.BigEndian.AppendUint32(b, uint32(reference)<<8|uint32(a.count))
	a.count++
	b = appendChunks(b, a.statuses[:n])
	b = a.appendDeltas(b, reference, n)
	a.from += int64(n)
	padding := byte(-(len(b) - start) & 3)
	for i := byte(1); i <= padding; i++ {
		if i == padding {
			b = append(b, padding)
		} else {
			b = append(b, 0)
		}
	}
	if padding > 0 {
		b[start] |= paddingBit
	}
	return finish(b, start)
}

// classify sets the statuses of as many numbers as fit and returns how many.
func (a *Arrivals) classify(reference int64) int {
	last, size := reference*perReference, 0
	n := 0
	for i := a.from; i < a.to && size < maxBody; i++ {
		at := a.ticks[i&(arrivalRing-1)]
		delta := at - last
		switch {
		case at < 0:
			a.statuses[n] = statusLost
		case delta >= 0 && delta <= 0xff:
			a.statuses[n], last = statusSmall, at
			size++
		case delta >= -1<<15 && delta < 1<<15:
			a.statuses[n], last = statusLarge, at
			size += 2
		default: // too far from the last: the next packet begins here
			return n
		}
		n++
	}
	return n
}

// appendChunks writes runs of equal statuses as run lengths and the rest as
// vectors of two bits.
func appendChunks(b []byte, s []uint8) []byte {
	for len(s) > 0 {
		run := 1
		for run < len(s) && run < maxRunChunk && s[run] == s[0] {
			run++
		}
		if run > perVector || run == len(s) {
			b = binary.BigEndian.AppendUint16(b, uint16(s[0])<<13|uint16(run))
			s = s[run:]
			continue
		}
		word := uint16(3) << 14
		for i := range min(perVector, len(s)) {
			word |= uint16(s[i]) << (12 - 2*i)
		}
		b = binary.BigEndian.AppendUint16(b, word)
		s = s[min(perVector, len(s)):]
	}
	return b
}

func (a *Arrivals) appendDeltas(b []byte, reference int64, n int) []byte {
	last := reference * perReference
	for i := range n {
		at := a.ticks[(a.from+int64(i))&(arrivalRing-1)]
		switch a.statuses[i] {
		case statusSmall:
			b = append(b, byte(at-last))
		case statusLarge:
			b = binary.BigEndian.AppendUint16(b, uint16(at-last))
		default:
			continue
		}
		last = at
	}
	return b
}
