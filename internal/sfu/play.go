package sfu

import (
	"encoding/binary"
	"slices"
	"time"

	"parley/internal/colibri"
	"parley/internal/media/rtp"
)

const (
	playLevel = 20                     // -dBov told of every frame
	catchUp   = 500 * time.Millisecond // frames later than this are left out
)

// player sends Opus frames as a source of its own.
type player struct {
	source *source
	frames [][]byte
	frame  time.Duration
	next   time.Duration // when the next frame is due
	at     int           // in frames
	index  uint64
	header rtp.Header
}

// Play sends frames over and over as the audio of a call's participant, one
// every frame duration, until stop. A connection that announced the SSRC is
// taken over: it needs no client any more, and its gate holds. Without one a
// source appears that ends with the playing.
func (s *Server) Play(call int64, ssrc uint32, frames [][]byte, frame time.Duration) (stop func()) {
	p := &player{frames: slices.Clone(frames), frame: frame, header: rtp.Header{
		SSRC: ssrc, Type: colibri.OpusType, HasLevel: true, Voice: true, Level: playLevel,
	}}
	sh := s.hold(call, false)
	sh.post(func() { sh.startPlayer(p, call); s.free(call) })
	return func() { sh.post(func() { sh.stopPlayer(p) }) }
}

func (sh *shard) startPlayer(p *player, call int64) {
	if len(p.frames) == 0 || p.frame <= 0 || sh.draining {
		return
	}
	r := sh.room(call)
	s := r.find(p.header.SSRC)
	if s == nil {
		c := &conn{
			connKey: connKey{call, -int64(p.header.SSRC) - 1}, room: r, builtin: true, presentation: true,
			ufrag: sh.name(), streams: []stream{{ssrc: p.header.SSRC}},
		}
		sh.add(c, true)
		s = c.audio
	}
	s.conn.builtin = true
	s.epoch++ // its numbers have nothing to do with those of who sent before
	p.source, p.next = s, sh.now
	var random [8]byte
	binary.BigEndian.PutUint32(random[:], randomSSRC())
	p.index = uint64(binary.BigEndian.Uint16(random[:]))
	sh.players = append(sh.players, p)
}

func (sh *shard) stopPlayer(p *player) {
	i := slices.Index(sh.players, p)
	if i < 0 {
		return
	}
	sh.players = slices.Delete(sh.players, i, i+1)
	if c := p.source.conn; c.id < 0 {
		sh.remove(c)
	}
}

// play offers the frames that are due.
func (p *player) play(sh *shard) {
	if late := sh.now - p.next; late > catchUp {
		skip := late / p.frame
		p.next += skip * p.frame
		p.header.Timestamp += uint32(int64(skip) * p.step())
	}
	for ; p.next <= sh.now; p.next += p.frame {
		p.header.Sequence = uint16(p.index)
		sh.offer(p.source, p.index, &p.header, p.frames[p.at])
		p.at = (p.at + 1) % len(p.frames)
		p.header.Timestamp += uint32(p.step())
		p.index++
	}
}

// step is a frame's duration on the clock of Opus.
func (p *player) step() int64 { return int64(p.frame) * audioClock / int64(time.Second) }
