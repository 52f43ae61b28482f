package sfu

import (
	"cmp"
	"slices"
	"time"
)

const (
	// loudest is how many speakers a receiver gets unless the operator wants it
	// otherwise.
	loudest = 8
	// MostLoudest is how many it may get: tgcalls and ntgcalls refuse more than
	// ten at a time (media.md 5.2), and count those who were heard a moment ago.
	MostLoudest = 10
	// fewest is how many it gets from a shard that has too much to do.
	fewest = 4
	// spare is the place of one more, for those who are among the loudest
	// themselves: nobody gets their own voice.
	spare = MostLoudest

	hold = int64(time.Second) // how long a place is kept at least
	// swapEvery lets receivers see ten at most within 1.5 s, after which ntgcalls
	// gives up a voice at the latest: it looks every 500 ms for those that were
	// silent for 1 s, and never gives up an eleventh (addIncomingSmartSource).
	swapEvery  = int64(800 * time.Millisecond)
	margin     = 12  // how much louder a newcomer has to be
	voiceScore = 64  // what the V bit counts for
	plainScore = 96  // of a packet without a level
	quietLevel = 50  // -dBov; louder counts as speech
	noLevel    = 127 // -dBov of silence
	spokeEvery = int64(5 * time.Second)
)

// hear notes the level of a packet and tells whether it is speech. Silence
// counts as nothing heard.
func (s *source) hear(now int64, level uint8, voice, known bool) bool {
	v := plainScore
	if known {
		v = 127 - int(level)
		if voice {
			v += voiceScore
		}
	}
	s.score += (v<<8 - s.score) / 4
	if !known || voice || level < noLevel {
		s.heard = now
	}
	return !known || voice || level < quietLevel
}

// admit tells whether a packet of the source is forwarded now: something was
// heard of it lately, and it has a place among the loudest, or takes a free one.
func (r *room) admit(s *source, now int64) bool {
	switch {
	case now-s.heard > hold:
		return false
	case s.rank >= 0:
		return true
	}
	n := r.shard.heard()
	for i, holder := range r.ranked {
		if holder == nil && (i < n || i == spare) {
			r.place(s, i, now)
			return true
		}
	}
	return false
}

func (r *room) place(s *source, i int, now int64) {
	r.ranked[i] = s
	s.rank, s.rankedAt = i, now
}

func (r *room) unrank(s *source) {
	if s.rank >= 0 {
		r.ranked[s.rank] = nil
		s.rank = -1
	}
}

// rank frees the places of the silent and lets one louder source replace the
// quietest.
func (r *room) rank(at time.Duration) {
	now := int64(at)
	for _, s := range r.ranked {
		if s != nil && (!s.open || s.waits || now-s.heard > hold) {
			r.unrank(s)
		}
	}
	n := r.shard.heard()
	r.limit(n)
	if last := r.ranked[spare]; last != nil {
		for i, s := range r.ranked[:n] {
			if s == nil { // the spare one moves up
				r.ranked[spare] = nil
				r.place(last, i, last.rankedAt)
				break
			}
		}
	}
	if len(r.sources) > n && now-r.swapped >= swapEvery {
		r.swap(now, n)
	}
}

// limit takes all but the n loudest off their places.
func (r *room) limit(n int) {
	if n == r.shard.server.loudest {
		return
	}
	most := r.ranked[:spare]
	slices.SortFunc(most, func(a, b *source) int { return cmp.Compare(b.loudness(), a.loudness()) })
	for i, s := range most {
		switch {
		case s == nil:
		case i < n:
			s.rank = i
		default:
			s.rank = -1
			most[i] = nil
		}
	}
}

// loudness orders those who have places, and before none.
func (s *source) loudness() int {
	if s == nil {
		return -1
	}
	return s.score
}

// swap gives the best waiting source the place of the quietest of n.
func (r *room) swap(now int64, n int) {
	var best *source
	for _, s := range r.sources {
		waiting := s != nil && s.open && !s.waits && now-s.heard < hold && (s.rank < 0 || s.rank == spare)
		if waiting && (best == nil || s.score > best.score) {
			best = s
		}
	}
	if best == nil {
		return
	}
	var worst *source
	for _, s := range r.ranked[:n] {
		if s == nil {
			return // taken with its next packet
		}
		if now-s.rankedAt >= hold && (worst == nil || s.score < worst.score) {
			worst = s
		}
	}
	if worst == nil || best.score < worst.score+margin<<8 {
		return
	}
	i, from := worst.rank, best.rank
	r.unrank(worst)
	r.unrank(best)
	r.place(best, i, now)
	if from == spare {
		r.place(worst, spare, now)
	}
	r.swapped = now
}
