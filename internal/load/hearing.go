package load

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/pion/rtcp"

	arrivals "parley/internal/media/rtcp"
)

const (
	transportExt   = 3
	maxHeard       = 64 // streams reported about
	reportEvery    = time.Second
	feedbackEvery  = 100 * time.Millisecond
	nackBehind     = 3 // how far behind the newest packet the one asked for is
	maxBlocks      = 31
	arrivalsAtOnce = 400 // sequence numbers filled in between two samples
)

// hearing is what a client knows of the streams it gets, for the feedback an
// engine would send. Of sound the kernel lets one packet of sampleEvery through
// and those in between are taken to have come evenly; of video the last packet
// of each picture, which those before it are taken to have come with.
type hearing struct {
	ssrc uint32 // of the client's own reports

	mu       sync.Mutex
	streams  []heard // guarded by mu
	arrivals arrivals.Arrivals
	last     uint16 // transport sequence number of the last sample
	lastAt   time.Duration
	counting bool // packets carry such numbers
	reported time.Duration
}

// heard is one stream.
type heard struct {
	ssrc    uint32
	highest uint32 // sequence number, extended
	video   bool
}

// note notes a protected packet: headers are in the clear. What is no media,
// repeated packets and padding, the kernel lets through.
func (h *hearing) note(b []byte, now time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if seq, ok := transportSequence(b); ok {
		h.arrived(seq, now, b[1]&0x7f != opusType)
	}
	if !isMedia(b) {
		return
	}
	ssrc, seq := binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint16(b[2:])
	at := -1
	for i := range h.streams {
		if h.streams[i].ssrc == ssrc {
			at = i
		}
	}
	switch {
	case at >= 0:
		s := &h.streams[at]
		if d := int16(seq - uint16(s.highest)); d > 0 {
			s.highest += uint32(d)
		}
	case len(h.streams) < maxHeard:
		h.streams = append(h.streams, heard{ssrc, uint32(seq), b[1]&0x7f == vp8Type})
	}
}

// arrived notes a transport sequence number and those before it.
func (h *hearing) arrived(seq uint16, now time.Duration, together bool) {
	gap := int16(seq - h.last)
	if h.counting && gap <= 0 {
		return
	}
	if h.counting && gap <= arrivalsAtOnce {
		step := (now - h.lastAt) / time.Duration(gap)
		for i := int16(1); i < gap; i++ {
			at := h.lastAt + time.Duration(i)*step
			if together {
				at = now
			}
			h.arrivals.Note(h.last+uint16(i), at)
		}
	}
	h.arrivals.Note(seq, now)
	h.last, h.lastAt, h.counting = seq, now, true
}

// transportSequence finds the transport-wide sequence number of a packet.
func transportSequence(b []byte) (uint16, bool) {
	at := 12 + 4*int(b[0]&15)
	if b[0]&0x10 == 0 || len(b) < at+4 || binary.BigEndian.Uint16(b[at:]) != 0xbede {
		return 0, false
	}
	end := at + 4 + 4*int(binary.BigEndian.Uint16(b[at+2:]))
	if len(b) < end {
		return 0, false
	}
	for at += 4; at < end; {
		id, n := b[at]>>4, int(b[at]&15)+1
		switch {
		case b[at] == 0:
			at++
			continue
		case id == 15 || at+1+n > end:
			return 0, false
		case id == transportExt && n == 2:
			return binary.BigEndian.Uint16(b[at+1:]), true
		}
		at += 1 + n
	}
	return 0, false
}

// feedback returns the RTCP packets that are due.
func (h *hearing) feedback(now time.Duration) (all [][]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	media := uint32(0)
	if len(h.streams) > 0 {
		media = h.streams[0].ssrc
	}
	for h.arrivals.Pending() > 0 {
		b := h.arrivals.Append(nil, h.ssrc, media)
		if len(b) == 0 {
			break
		}
		all = append(all, b)
	}
	if len(h.streams) == 0 || now-h.reported < reportEvery {
		return all
	}
	h.reported = now
	report := &rtcp.ReceiverReport{SSRC: h.ssrc}
	for _, s := range h.streams[:min(len(h.streams), maxBlocks)] {
		report.Reports = append(report.Reports, rtcp.ReceptionReport{SSRC: s.ssrc, LastSequenceNumber: s.highest})
	}
	if b, err := report.Marshal(); err == nil {
		all = append(all, b)
	}
	for _, s := range h.streams {
		if !s.video {
			continue
		}
		nack := &rtcp.TransportLayerNack{
			SenderSSRC: h.ssrc, MediaSSRC: s.ssrc,
			Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{uint16(s.highest) - nackBehind}),
		}
		if b, err := nack.Marshal(); err == nil {
			all = append(all, b)
		}
	}
	return all
}
