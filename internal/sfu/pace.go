package sfu

import (
	"time"

	"parley/internal/media/cache"
	"parley/internal/media/rtp"
)

const (
	paceHalves = 5        // halves of the estimate at which bursts leave
	paceBurst  = 12 << 10 // bytes that leave at once, at least
	paceSpan   = 20 * time.Millisecond
	paceEvery  = 5 * time.Millisecond
	// How long, and how many packets, are held back at most: the cache has to
	// have them still.
	paceLongest = 250 * time.Millisecond
	paceMost    = cachePackets / 4
)

// may tells whether video may leave now. A key frame that comes in a burst
// would fill the queue of a narrow path, and delay the sound behind it.
func (p *path) may(now time.Duration) bool {
	if !p.fed {
		return true
	}
	if now == p.tokensAt {
		return p.tokens > 0
	}
	rate := p.estimate.Rate() * paceHalves / 2 / 8
	passed := min(now-p.tokensAt, time.Second)
	most := max(rate*int64(paceSpan)/int64(time.Second), paceBurst)
	p.tokens = int(min(int64(p.tokens)+rate*int64(passed)/int64(time.Second), most))
	p.tokensAt = now
	return p.tokens > 0
}

// hold keeps a view's packets back from an index on; the cache has them.
func (sh *shard) hold(w *view, index uint64) {
	w.holding, w.held, w.heldAt = true, index, sh.now
	p := w.conn.path
	if !p.pacing {
		p.pacing = true
		sh.pacing = append(sh.pacing, w.conn)
	}
	sh.paceDue = min(sh.paceDue, sh.now+paceEvery)
}

// drain sends what was held back and may leave now.
func (sh *shard) drain() {
	if sh.now < sh.paceDue {
		return
	}
	sh.paceDue = never
	kept := sh.pacing[:0]
	for _, c := range sh.pacing {
		if c.removed || !sh.drainConn(c) {
			c.path.pacing = false
			continue
		}
		sh.paceDue = sh.now + paceEvery
		kept = append(kept, c)
	}
	clear(sh.pacing[len(kept):])
	sh.pacing = kept
}

// drainConn sends what was held back of a connection's views, and tells
// whether something is left.
func (sh *shard) drainConn(c *conn) (left bool) {
	for _, w := range c.views {
		if w == nil || !w.holding {
			continue
		}
		for late := sh.now-w.heldAt > paceLongest || w.last-w.held > paceMost; w.held <= w.last && (late || c.path.may(sh.now)); w.held++ {
			sh.release(w, w.held)
		}
		w.holding = w.held <= w.last
		left = left || w.holding
	}
	return left
}

// release sends a packet that was held back. One that is not there was lost
// on its way to the server.
func (sh *shard) release(w *view, index uint64) {
	p, r, ok := w.fetch(index)
	if !ok {
		return
	}
	h, kind := sh.rewrite(p, r)
	sh.sealPicture(w.conn, h, p.Payload, p.Payload, sealing{kind, r, index})
	w.packets++
	w.octets += uint32(len(p.Payload))
}

// fetch finds a packet of a view in its layer's cache.
func (w *view) fetch(index uint64) (p cache.Packet, r *run, ok bool) {
	r = w.find(index)
	if r == nil || r.layer.cache == nil {
		return p, nil, false
	}
	p, ok = r.layer.cache.Get(index + r.base)
	return p, r, ok
}

// rewrite copies the header of a cached packet to scratch, with the timestamp
// that its receiver knows.
func (sh *shard) rewrite(p cache.Packet, r *run) (h head, kind uint8) {
	h = head{&sh.header, copy(sh.header[:], p.Header), rtp.Timestamp(p.Header) + r.time}
	rtp.SetSendTime(sh.header[:], sh.sendTime)
	return h, rtp.Type(p.Header)
}

// sealing is what it takes to seal a packet of the cache.
type sealing struct {
	kind  uint8
	run   *run
	index uint64
}

// sealPicture seals body, in which payload is, with the picture's numbers as
// its receiver knows them, and leaves the cache as it was.
func (sh *shard) sealPicture(c *conn, h head, body, payload []byte, s sealing) (size int) {
	var pic picture
	pic.read(s.kind, payload)
	pic.renumber(payload, s.run)
	size = sh.seal(c, h, body, s.index)
	pic.renumber(payload, &run{})
	return size
}
