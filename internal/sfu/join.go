package sfu

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"parley/internal/call"
	"parley/internal/calls"
	"parley/internal/colibri"
	"parley/internal/media/stun"
)

const (
	// maxStreams is how many SSRCs one connection may announce: sound and three
	// layers of video with their repair streams are seven.
	maxStreams = 20

	ufragSize = 12
	pwdSize   = 26
)

var (
	errStreams = errors.New("sfu: too many sources")
	errJoined  = errors.New("sfu: connection is there already")
)

// errTaken is for SSRCs that nobody may send: clients join again with new ones.
var errTaken = call.ErrSourceDuplicate

var _ calls.Media = (*Server)(nil)

// Join makes a connection and returns the answer its client needs. There may be
// no time for one more: 420 FLOOD_WAIT_5.
func (s *Server) Join(ctx context.Context, j calls.MediaJoin) ([]byte, error) {
	c, pwd, err := newConn(j)
	if err != nil {
		return nil, fmt.Errorf("join call %d: %w", j.Call, err)
	}
	sh := s.hold(j.Call, len(j.Payload.Groups) > 0)
	if doErr := sh.do(ctx, func() { err = sh.join(c, j); s.free(j.Call) }); doErr != nil {
		sh.post(func() { sh.abandon(c) })
		return nil, fmt.Errorf("join call %d: %w", j.Call, doErr)
	}
	if err != nil {
		return nil, fmt.Errorf("join call %d: %w", j.Call, err)
	}
	answer, err := json.Marshal(colibri.Answer{
		Ufrag: c.ufrag, Pwd: pwd, Certificate: s.print, Setup: j.Payload.Setup(),
		Candidates: s.candidates, Endpoint: j.Endpoint, ServerSource: int32(c.ssrc),
	})
	if err != nil {
		return nil, fmt.Errorf("write join answer: %w", err)
	}
	return answer, nil
}

// newConn makes a connection that nobody knows yet, and its password.
func newConn(j calls.MediaJoin) (*conn, string, error) {
	pwd := secret(pwdSize)
	c := &conn{
		connKey: connKey{j.Call, j.Conn}, user: j.User, presentation: j.Presentation,
		client: j.Payload, auth: stun.NewAuth(pwd), ssrc: randomSSRC(), place: -1,
	}
	sources := j.Payload.Sources()
	if len(sources) > maxStreams {
		return nil, "", errStreams
	}
	for i, ssrc := range sources {
		c.streams = append(c.streams, stream{
			ssrc: uint32(ssrc), video: i > 0 || !j.Payload.HasSSRC, repair: repairs(j.Payload.Groups, ssrc),
		})
	}
	c.video = newVideo(c, j.Endpoint, j.Video)
	return c, pwd, nil
}

// repairs tells whether an SSRC is the second of a FID group: its packets only
// repeat those of the first.
func repairs(groups []colibri.SourceGroup, ssrc int32) bool {
	return slices.ContainsFunc(groups, func(g colibri.SourceGroup) bool {
		return g.Semantics == "FID" && slices.Contains(g.Sources[1:], ssrc)
	})
}

// join puts a new connection into its room.
func (sh *shard) join(c *conn, j calls.MediaJoin) error {
	if sh.draining {
		return ErrClosed
	}
	if sh.conns[c.connKey] != nil {
		return errJoined
	}
	r := sh.room(c.call)
	defer sh.leave(r)
	if sh.full() && !r.renews(c) {
		sh.count.Refused++
		return errFull
	}
	if r.takes(c) {
		return errTaken
	}
	for r.announced[c.ssrc] > 0 || c.stream(c.ssrc) != nil {
		c.ssrc = randomSSRC()
	}
	c.room, c.ufrag, c.created, c.seen = r, sh.name(), sh.now, sh.now
	sh.add(c, j.Audio)
	sh.count.Joins++
	return nil
}

// abandon ends a connection that was made for a caller who gave up meanwhile: of
// its SSRCs others would have to wait for its timeout.
func (sh *shard) abandon(c *conn) {
	if sh.conns[c.connKey] == c {
		sh.remove(c)
	}
}

// takes tells whether a connection announces an SSRC on which the server sends
// padding to another, or one that is spent: numbers would be used twice with one key.
func (r *room) takes(c *conn) bool {
	return slices.ContainsFunc(c.streams, func(st stream) bool { return r.spent[st.ssrc] || r.own[st.ssrc] > 0 })
}

// Gate tells what of a connection is forwarded.
func (s *Server) Gate(call, conn int64, audio, video bool) {
	s.post(call, func(sh *shard) {
		c := sh.conns[connKey{call, conn}]
		if c == nil {
			return
		}
		if c.audio != nil {
			c.audio.open = audio
		}
		if c.video != nil {
			sh.gate(c.video, video)
		}
	})
}

// Leave ends a connection; unknown ones are ignored.
func (s *Server) Leave(call, conn int64) {
	s.post(call, func(sh *shard) {
		if c := sh.conns[connKey{call, conn}]; c != nil {
			sh.remove(c)
		}
	})
}

// End ends all connections of a call.
func (s *Server) End(call int64) {
	s.post(call, func(sh *shard) {
		r := sh.rooms[call]
		if r == nil {
			return
		}
		for _, c := range r.conns {
			sh.remove(c)
		}
	})
}

// post hands f to the shard of a call, if somebody is in it.
func (s *Server) post(call int64, f func(sh *shard)) {
	if sh := s.at(call); sh != nil {
		sh.post(func() { f(sh) })
	}
}

// Wants returns what a connection's client last asked to see.
func (s *Server) Wants(ctx context.Context, call, conn int64) (w colibri.Wants, err error) {
	sh := s.at(call)
	if sh == nil {
		return w, nil
	}
	err = sh.do(ctx, func() {
		if c := sh.conns[connKey{call, conn}]; c != nil {
			w = c.wants
		}
	})
	return w, err
}

// secret returns n random characters of an ICE string: six bits each.
func secret(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	for i, v := range b {
		b[i] = alphabet[v&63]
	}
	return string(b)
}

// randomSSRC returns an SSRC for the server's own packets.
func randomSSRC() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint32(b[:]) | 1
}
