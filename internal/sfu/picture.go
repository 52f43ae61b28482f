package sfu

import (
	"parley/internal/colibri"
	"parley/internal/media/h264"
	"parley/internal/media/vp8"
	"parley/internal/media/vp9"
)

// The payload types of video; each codec's RTX has the next one (media.md 5.1).
const (
	typeVP8  = colibri.VP8Type
	typeVP9  = typeVP8 + 2
	typeH264 = typeVP8 + 4
)

// picture is what a video payload says of its picture.
type picture struct {
	key      bool // a key frame begins here
	numbered bool
	id       uint16
	tl0      uint8
	size     int // of the shorter side; 0 = not said

	vp8 vp8.Descriptor
	vp9 vp9.Descriptor
}

// codec tells whether a payload type is one of video.
func codec(kind uint8) bool { return kind == typeVP8 || kind == typeVP9 || kind == typeH264 }

// read reads a payload; what makes no sense says nothing.
func (p *picture) read(kind uint8, b []byte) {
	*p = picture{}
	width, height := 0, 0
	switch kind {
	case typeVP8:
		if !p.vp8.Parse(b) {
			return
		}
		p.key, p.numbered, p.id, p.tl0 = p.vp8.Key(b), p.vp8.HasPicture(), p.vp8.PictureID, p.vp8.TL0
		if p.key {
			width, height, _ = p.vp8.Dimensions(b)
		}
	case typeVP9:
		if !p.vp9.Parse(b) {
			return
		}
		p.key, p.numbered, p.id, p.tl0 = p.vp9.Key(), p.vp9.HasPicture(), p.vp9.PictureID, p.vp9.TL0
		width, height = int(p.vp9.Width), int(p.vp9.Height)
	case typeH264:
		if p.key = h264.Key(b); p.key {
			width, height, _ = h264.Dimensions(b)
		}
	}
	p.size = min(width, height)
}

// renumber changes the picture's numbers in a payload that was read.
func (p *picture) renumber(kind uint8, b []byte, r *run) {
	switch {
	case !p.numbered:
	case kind == typeVP8:
		p.vp8.Rewrite(b, p.id+r.picture, p.tl0+r.tl0)
	case kind == typeVP9:
		p.vp9.Rewrite(b, p.id+r.picture, p.tl0+r.tl0)
	}
}
