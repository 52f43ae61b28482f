package sfu

import (
	"time"

	"parley/internal/media/rtcp"
)

const (
	askEvery = 500 * time.Millisecond // key frames of one layer
	// askAgain is when a request counts as lost. WebRTC drops one that comes
	// within 300 ms of the last key frame, of whatever layer.
	askAgain  = 350 * time.Millisecond
	askQuick  = 3           // so many are repeated that soon,
	askSeldom = time.Second // and those for somebody who still waits, this late
)

// askKey wants a key frame of a layer: it is asked for at once, or as soon as
// the last request is old enough, and again until one comes.
func (sh *shard) askKey(l *layer) {
	l.wantKey = true
	c := l.video.conn
	if sh.now < l.nextAsk() || c.out == nil || !l.live {
		return
	}
	l.asked = sh.now
	l.asks++
	sh.send(c, rtcp.AppendPLI(sh.scratch[:0], c.ssrc, l.stream.ssrc))
	sh.count.KeysAsked++
	c.room.count.KeysAsked++
}

// nextAsk returns when a key frame may be asked for.
func (l *layer) nextAsk() time.Duration {
	switch {
	case l.asked == 0:
		return 0
	case l.asks == 0: // it came
		return l.asked + askEvery
	case l.asks <= askQuick:
		return l.asked + askAgain
	}
	return l.asked + askSeldom
}

// gotKey notes that a key frame came: everybody has what they want. Chromium
// makes those of all layers for one that is asked for.
func (l *layer) gotKey(now time.Duration) {
	if l.asks > 0 {
		for _, other := range l.video.layers {
			other.surged = now
		}
	}
	l.wantKey, l.asks = false, 0
}

// askKeys asks for the key frames that had to wait, and again for those that
// did not come: those who lost a picture will say so again, those who wait for
// their first one will not.
func (sh *shard) askKeys(v *video) {
	for _, l := range v.layers {
		switch {
		case l.awaited(), l.wantKey && l.asks <= askQuick && len(l.viewers) > 0:
			sh.askKey(l)
		default:
			l.wantKey, l.asks = false, 0
		}
	}
}

// awaited tells whether somebody waits for a layer's key frame to see it.
func (l *layer) awaited() bool {
	for _, w := range l.viewers {
		if w.layer != l {
			return true
		}
	}
	return false
}
