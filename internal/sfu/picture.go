package sfu

import (
	"parley/internal/colibri"
	"parley/internal/media/h264"
	"parley/internal/media/vpx"
)

// The payload types of video; each codec's RTX has the next one (media.md 5.1).
const (
	typeVP8  = colibri.VP8Type
	typeVP9  = typeVP8 + 2
	typeH264 = typeVP8 + 4
)

// picture is what a video payload says of its picture.
type picture struct {
	key     bool // a key frame begins here
	size    int  // of the shorter side; 0 = not said
	numbers vpx.Numbers
}

// codec tells whether a payload type is one of video.
func codec(kind uint8) bool { return kind == typeVP8 || kind == typeVP9 || kind == typeH264 }

// read reads a payload; what makes no sense says nothing.
func (p *picture) read(kind uint8, b []byte) {
	*p = picture{}
	width, height := 0, 0
	switch kind {
	case typeVP8:
		var d vpx.VP8
		if !d.Parse(b) {
			return
		}
		p.key, p.numbers = d.Key(b), d.Numbers
		if p.key {
			width, height, _ = d.Dimensions(b)
		}
	case typeVP9:
		var d vpx.VP9
		if !d.Parse(b) {
			return
		}
		p.key, p.numbers = d.Key(), d.Numbers
		width, height = int(d.Width), int(d.Height)
	case typeH264:
		if p.key = h264.Key(b); p.key {
			width, height, _ = h264.Dimensions(b)
		}
	}
	p.size = min(width, height)
}

// renumber changes the picture's numbers in a payload that was read.
func (p *picture) renumber(b []byte, r *run) {
	if n := &p.numbers; n.HasID() {
		n.Rewrite(b, n.ID+r.picture, n.TL0+r.tl0)
	}
}
