package sfu

import (
	"time"

	"parley/internal/media/bwe"
	"parley/internal/media/rtp"
)

const (
	probeLimit = 500 * time.Millisecond // that a probe may take beyond its time
	padSize    = 255                    // the most that a packet says of its padding
	padAmong   = 16                     // newest packets of a view, that serve as padding
	leadFull   = 1000                   // ms that the timestamps of padding are ahead of pictures,
	leadLeast  = 250                    // until clocks drifted this close
)

// probe begins a probe. Sound is part of it, unless the estimate is of video alone.
func (sh *shard) probe(c *conn, probe bwe.Probe) {
	p := c.path
	if sound := int64(p.soundRate - p.beside()); sound > 0 {
		probe.Bytes += int(int64(probe.Bytes) * sound / max(probe.Rate, 1))
		probe.Rate += sound
	}
	p.probe, p.left, p.next = probe, probe.Bytes, sh.now
	p.until = sh.now + probeLimit + probe.Span()
	if !p.queued {
		p.queued = true
		sh.probing = append(sh.probing, c)
	}
	sh.probeDue = min(sh.probeDue, sh.now)
}

// sendProbes sends the packets of probes that are due.
func (sh *shard) sendProbes() {
	if sh.now < sh.probeDue {
		return
	}
	sh.probeDue = never
	kept := sh.probing[:0]
	for _, c := range sh.probing {
		p := c.path
		for p.probe.ID != 0 && p.next <= sh.now && !c.removed {
			if sh.pad(c) == 0 {
				p.next += paceEvery
			}
		}
		if p.probe.ID == 0 || c.removed || sh.now > p.until {
			p.probe.ID, p.queued = 0, false
			continue
		}
		sh.probeDue = min(sh.probeDue, p.next)
		kept = append(kept, c)
	}
	clear(sh.probing[len(kept):])
	sh.probing = kept
}

// pad sends a connection something that it does not need, and returns its
// size: a packet it has got already, of a view that stopped maybe, or nothing
// but padding on the server's own SSRC, which tgcalls may not know (media.md 7.2).
func (sh *shard) pad(c *conn) int {
	sh.count.Padding++
	for _, w := range c.views {
		if w == nil || !w.began || w.video.repair == 0 {
			continue
		}
		if c.path.estimate.Own() {
			if size := sh.blank(w); size > 0 {
				return size
			}
			continue
		}
		w.padded++
		if size := sh.repeat(w, w.last-w.padded%padAmong); size > 0 {
			return size
		}
	}
	c.path.padding++
	return sh.padding(c, rtp.Header{SSRC: c.ssrc, Type: typeVP8}, c.path.padding-1)
}

// blank sends padding among a view's repairs, with timestamps that run evenly:
// libwebrtc, where packets bear no send times, takes timestamps for those. It
// returns 0 where the codec is not known.
func (sh *shard) blank(w *view) int {
	p, _, ok := w.fetch(w.last)
	if !ok || !w.clocked {
		return 0
	}
	return sh.padding(w.conn, rtp.Header{SSRC: w.video.repair, Type: rtp.Type(p.Header) + 1, Timestamp: w.lead(sh.now)}, w.repair())
}

// lead returns the timestamp of padding: ahead of all pictures, so that repairs
// of those come too late to count, and never back. A repair from beyond the
// padding's timestamps would make all padding after it count as late instead,
// and what libwebrtc thought of the path last would stay.
func (w *view) lead(now time.Duration) uint32 {
	ticks := uint32(int64(now/time.Microsecond) * videoClock / 1e6)
	newest := w.clock + uint32(int64((now-w.clockAt)/time.Microsecond)*videoClock/1e6)
	if ahead := int32(ticks + w.ahead - newest); !w.leads || ahead < videoClock*leadLeast/1000 {
		w.ahead, w.leads = newest+videoClock*leadFull/1000-ticks, true
	}
	return ticks + w.ahead
}

// padding sends a packet of nothing but padding, and returns its size.
func (sh *shard) padding(c *conn, h rtp.Header, index uint64) int {
	h.Padded = true
	size := h.Write(sh.header[:])
	rtp.SetSendTime(sh.header[:], sh.sendTime)
	body := sh.scratch[:padSize]
	clear(body)
	body[padSize-1] = padSize
	return sh.seal(c, head{&sh.header, size, h.Timestamp}, body, index)
}
