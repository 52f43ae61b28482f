package call

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"math"
	"slices"

	"parley/internal/peer"
)

// Sizes of pages.
const (
	DefaultPage = 100
	MaxPage     = 1000
	minFirst    = 3 // getGroupCall shows so many whatever is asked for
)

// Page is a part of the participant list as one viewer sees it.
type Page struct {
	Participants []Participant
	Next         string // opaque; empty only with an empty page, which is the end
}

// key is what participants are sorted by, highest first.
type key struct {
	video    bool
	activity int64
	hand     int64
	date     int64
	peer     peer.ID // nothing else may be equal
}

// cursor is a position in the list: behind a key, or before all of them. It
// keeps the viewer's class, which decides the order.
type cursor struct {
	unmutes bool // the viewer may unmute itself and sees raised hands first
	behind  bool
	key     key
}

// First returns the page that getGroupCall shows: more than the limit when that
// is tiny, but continued right behind it.
func (c *Call) First(viewer int64, limit int) Page {
	limit = pageSize(limit)
	cur := c.start(viewer)
	all, _ := c.page(viewer, cur, true, max(limit, minFirst))
	if len(all) == 0 {
		return Page{}
	}
	for i, p := range all[:min(limit, len(all))] {
		if i > 0 || p.User != viewer {
			cur.behind, cur.key = true, keyOf(p, cur.unmutes)
		}
	}
	return Page{all, cur.String()}
}

// List returns the page at offset, an empty one being the start.
func (c *Call) List(viewer int64, offset string, limit int) (Page, error) {
	cur := c.start(viewer)
	if offset != "" {
		var err error
		if cur, err = parseCursor(offset); err != nil {
			return Page{}, ErrInvalid.Because(err)
		}
	}
	some, cur := c.page(viewer, cur, offset == "", pageSize(limit))
	if len(some) == 0 {
		return Page{}, nil
	}
	return Page{some, cur.String()}, nil
}

// Select returns the participants who appear as one of the peers or send one
// of the sources, audio or video.
func (c *Call) Select(peers []peer.ID, sources []int32) []Participant {
	var found []Participant
	seen := map[int64]bool{}
	add := func(user int64, ok bool) {
		if m := c.members[user]; ok && m != nil && !seen[user] {
			seen[user] = true
			found = append(found, m.entry())
		}
	}
	for _, p := range peers {
		user, ok := c.peers[p]
		add(user, ok)
	}
	for _, s := range sources {
		user, ok := c.sources[s]
		add(user, ok)
	}
	return found
}

// page returns up to limit participants behind the cursor and the cursor behind
// those. The viewer's own entry stands first on the first page and nowhere else.
func (c *Call) page(viewer int64, cur cursor, first bool, limit int) ([]Participant, cursor) {
	var some []Participant
	if self, ok := c.members[viewer]; ok && first {
		some = append(some, self.entry())
	}
	type item struct {
		m   *member
		key key
	}
	rest := make([]item, 0, len(c.members))
	for user, m := range c.members {
		k := keyOf(m.Participant, cur.unmutes)
		if user != viewer && (!cur.behind || compareKeys(k, cur.key) > 0) {
			rest = append(rest, item{m, k})
		}
	}
	slices.SortFunc(rest, func(a, b item) int { return compareKeys(a.key, b.key) })
	for _, it := range rest[:min(len(rest), limit-len(some))] {
		some = append(some, it.m.entry())
		cur.behind, cur.key = true, it.key
	}
	return some, cur
}

func (c *Call) start(viewer int64) cursor {
	m, ok := c.members[viewer]
	return cursor{unmutes: ok && !m.forced()}
}

// keyOf returns what a participant is sorted by. Who is unmuted and has not
// spoken yet counts as active now: later than everybody who has spoken.
func keyOf(p Participant, unmutes bool) key {
	k := key{video: p.hasVideo(), activity: p.ActiveDate, date: p.Date, peer: p.Peer}
	if k.activity == 0 && !p.Muted {
		k.activity = math.MaxInt32
	} else if k.activity == 0 && p.CanSelfUnmute {
		k.activity = p.Date
	}
	if unmutes {
		k.hand = p.HandRating
	}
	return k
}

// compareKeys sorts the higher key first.
func compareKeys(a, b key) int {
	if a.video != b.video {
		if a.video {
			return -1
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(b.activity, a.activity),
		cmp.Compare(b.hand, a.hand),
		cmp.Compare(b.date, a.date),
		cmp.Compare(b.peer.Kind, a.peer.Kind),
		cmp.Compare(b.peer.ID, a.peer.ID),
	)
}

func pageSize(limit int) int {
	if limit <= 0 {
		return DefaultPage
	}
	return min(limit, MaxPage)
}

const cursorForm = "%t %t %t %d %d %d %d %d"

// String returns the cursor as an offset that clients hand back.
func (c cursor) String() string {
	k := c.key
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, cursorForm,
		c.unmutes, c.behind, k.video, k.activity, k.hand, k.date, k.peer.Kind, k.peer.ID))
}

// maxOffset bounds what a client may hand back as an offset.
const maxOffset = 256

func parseCursor(s string) (c cursor, err error) {
	if len(s) > maxOffset {
		return c, fmt.Errorf("parse offset: %d bytes", len(s))
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return c, fmt.Errorf("parse offset: %w", err)
	}
	var kind uint8
	k := &c.key
	_, err = fmt.Sscanf(string(b), cursorForm, &c.unmutes, &c.behind, &k.video, &k.activity, &k.hand, &k.date, &kind, &k.peer.ID)
	if err != nil {
		return c, fmt.Errorf("parse offset: %w", err)
	}
	k.peer.Kind = peer.Kind(kind)
	return c, nil
}
