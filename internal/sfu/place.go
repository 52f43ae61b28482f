package sfu

import (
	"sync"
	"time"
)

const (
	// A room goes to the first shard that has less than this to do: packets
	// batch best where there are many, and are handed to no other.
	busyEnough = 500  // of 1000
	overBusy   = 1000 // for each level of strain
	// A new room's packets come later: until they are in the measure, it counts
	// as this much, or as that if whoever comes first has no video.
	newRoom    = 250
	newVoices  = 16
	newRoomFor = 10 * time.Second
)

// places tells which shard a call's room is on. A place is held by the room,
// and by those who are about to enter it; nobody's place is forgotten.
type places struct {
	mu sync.Mutex
	of map[int64]*place // guarded by mu
}

type place struct {
	shard *shard
	guess int // what it counts as while it is new
	holds int
	since time.Time
}

// hold returns the shard of a call, chosen when there is none yet, and keeps
// the call there until free; video tells whether some will be seen.
func (s *Server) hold(call int64, video bool) *shard {
	s.places.mu.Lock()
	defer s.places.mu.Unlock()
	p := s.places.of[call]
	if p == nil {
		now := time.Now()
		p = &place{shard: s.choose(now), since: now, guess: newVoices}
		if video {
			p.guess = newRoom
		}
		s.places.of[call] = p
	}
	p.holds++
	return p.shard
}

// free ends what hold began.
func (s *Server) free(call int64) {
	s.places.mu.Lock()
	defer s.places.mu.Unlock()
	p := s.places.of[call]
	if p.holds--; p.holds == 0 {
		delete(s.places.of, call)
	}
}

// at returns the shard of a call, or nil for one that nobody is in.
func (s *Server) at(call int64) *shard {
	s.places.mu.Lock()
	defer s.places.mu.Unlock()
	if p := s.places.of[call]; p != nil {
		return p.shard
	}
	return nil
}

// choose returns the shard for a new room; places.mu is held.
func (s *Server) choose(now time.Time) *shard {
	load := make([]int, len(s.shards))
	for i, sh := range s.shards {
		load[i] = max(int(sh.busy.Load()), overBusy*int(sh.level.Load()))
	}
	for _, p := range s.places.of {
		if now.Sub(p.since) < newRoomFor {
			load[p.shard.index] += p.guess
		}
	}
	best := 0
	for i, l := range load {
		if l < busyEnough {
			return s.shards[i]
		}
		if l < load[best] {
			best = i
		}
	}
	return s.shards[best]
}
