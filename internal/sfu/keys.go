package sfu

import (
	"time"

	"parley/internal/media/rtcp"
)

const (
	askEvery = 500 * time.Millisecond // key frames of one layer
	// askAgain is when a key frame counts as lost, or the request for it.
	askAgain = time.Second
)

// askKey asks a sender for a key frame of a layer: at once, or as soon as the
// last request is old enough.
func (sh *shard) askKey(l *layer) {
	l.wantKey = true
	c := l.video.conn
	if l.asked != 0 && sh.now-l.asked < askEvery || c.out == nil || !l.live {
		return
	}
	l.wantKey, l.asked = false, sh.now
	sh.send(c, rtcp.AppendPLI(sh.scratch[:0], c.ssrc, l.stream.ssrc))
	sh.count.KeysAsked++
}

// askKeys asks for the key frames that had to wait, and again for those that
// did not come.
func (sh *shard) askKeys(v *video) {
	for _, l := range v.layers {
		if !l.wantKey && sh.now-l.asked >= askAgain {
			for _, w := range l.viewers {
				if w.layer != l {
					l.wantKey = true
					break
				}
			}
		}
		if l.wantKey {
			sh.askKey(l)
		}
	}
}
