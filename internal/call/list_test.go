package call

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"parley/internal/peer"
)

// TestOrder goes through the sort key: video, activity, hand, date.
func TestOrder(t *testing.T) {
	c := newCall(t, false)
	for u := int64(10); u <= 19; u++ {
		join(t, c, u)
	}
	put(t, c, 10, self)   // activity: its date
	put(t, c, 11, self)   // a later date
	put(t, c, 12, forced) // activity 0, hand 1
	put(t, c, 13, forced) // activity 0, hand 2
	put(t, c, 14, forced) // activity 0
	c.members[15].ActiveDate = noon.Unix() + 500
	c.members[16].ActiveDate = noon.Unix() + 600
	put(t, c, 17, forced)
	c.members[17].Video = &Video{Groups: []SourceGroup{{"FID", []int32{1, 2}}}}
	c.members[12].HandRating, c.members[13].HandRating = 1, 2
	// 18 and 19 are unmuted and have not spoken: now, the later first.
	for _, tt := range []struct {
		viewer int64
		want   []int64
	}{
		{alice, []int64{17, 19, 18, 16, 15, 11, 10, 14, 13, 12}}, // can't unmute: sees no hands
		{18, []int64{18, 17, 19, 16, 15, 11, 10, 13, 12, 14}},    // self first, hands count
		{12, []int64{12, 17, 19, 18, 16, 15, 11, 10, 14, 13}},
	} {
		for _, limit := range []int{2, 3, 4, 100} {
			if got := walk(t, c, tt.viewer, limit); !slices.Equal(got, tt.want) {
				t.Errorf("viewer %d, limit %d: %v, want %v", tt.viewer, limit, got, tt.want)
			}
		}
	}
}

// walk reads the whole list in pages.
func walk(t *testing.T, c *Call, viewer int64, limit int) (users []int64) {
	t.Helper()
	offset := ""
	for range 1000 {
		p, err := c.List(viewer, offset, limit)
		wantErr(t, err, nil)
		if (p.Next == "") != (len(p.Participants) == 0) {
			t.Fatalf("page of %d has next %q", len(p.Participants), p.Next)
		}
		for _, e := range p.Participants {
			users = append(users, e.User)
		}
		if p.Next == "" {
			return users
		}
		offset = p.Next
	}
	t.Fatal("the list has no end")
	return nil
}

func TestFirst(t *testing.T) {
	c := newCall(t, false)
	if p := c.First(alice, 10); p.Next != "" || len(p.Participants) != 0 {
		t.Errorf("empty call: %+v", p)
	}
	join(t, c, 10, 11, 12, 13, 14)
	for _, tt := range []struct {
		limit, shown, left int
	}{{-1, 5, 0}, {0, 5, 0}, {1, 3, 4}, {2, 3, 3}, {3, 3, 2}, {4, 4, 1}, {1 << 30, 5, 0}} {
		for _, viewer := range []int64{alice, 12} {
			p := c.First(viewer, tt.limit)
			if len(p.Participants) != tt.shown {
				t.Errorf("limit %d: %d shown, want %d", tt.limit, len(p.Participants), tt.shown)
			}
			if viewer == 12 && p.Participants[0].User != 12 {
				t.Errorf("limit %d: self is not first", tt.limit)
			}
			rest, err := c.List(viewer, p.Next, 100)
			wantErr(t, err, nil)
			if len(rest.Participants) != tt.left {
				t.Errorf("limit %d, viewer %d: %d follow, want %d", tt.limit, viewer, len(rest.Participants), tt.left)
			}
		}
	}
}

// Whoever moves between two pages makes nobody else appear twice or never.
func TestPagesWhileMoving(t *testing.T) {
	c := newCall(t, false)
	for u := int64(10); u < 30; u++ {
		join(t, c, u)
	}
	p, _ := c.List(alice, "", 10)
	first := p.Participants
	_ = c.Speaking(first[0].User, noon.Add(time.Hour)) // falls behind those who count as active now
	_, _ = c.Leave(first[3].User, 0)
	join(t, c, 50)
	p, _ = c.List(alice, p.Next, 100)
	seen := map[int64]int{}
	for _, e := range append(first, p.Participants...) {
		seen[e.User]++
	}
	for u := int64(10); u < 30; u++ {
		if want := 1; seen[u] != want && u != first[0].User {
			t.Errorf("user %d seen %d times", u, seen[u])
		}
	}
}

func TestBadOffset(t *testing.T) {
	c := newCall(t, false)
	join(t, c, bob)
	for _, offset := range []string{"x", "!", "AAAA", string(make([]byte, 1000))} {
		_, err := c.List(bob, offset, 10)
		wantErr(t, err, ErrInvalid)
	}
}

func TestSelect(t *testing.T) {
	c := newCall(t, false)
	join(t, c, alice, bob, carol)
	_, _ = c.JoinPresentation(bob, Connection{Conn: 77, Source: 777})
	for _, tt := range []struct {
		peers   []peer.ID
		sources []int32
		want    []int64
	}{
		{[]peer.ID{peer.OfUser(carol), peer.OfUser(9), {}}, nil, []int64{carol}},
		{nil, []int32{777, 200, 100, 5, 0}, []int64{bob, alice}},
		{[]peer.ID{peer.OfUser(bob)}, []int32{201, 301}, []int64{bob, carol}},
		{nil, []int32{5}, nil},
	} {
		var got []int64
		for _, p := range c.Select(tt.peers, tt.sources) {
			got = append(got, p.User)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%v %v: %v, want %v", tt.peers, tt.sources, got, tt.want)
		}
	}
}

func FuzzOffset(f *testing.F) {
	f.Add("")
	f.Add(cursor{true, true, key{true, 1, 2, 3, peer.OfUser(4)}}.String())
	f.Fuzz(func(t *testing.T, offset string) {
		cur, err := parseCursor(offset)
		if err != nil {
			return
		}
		again, err := parseCursor(cur.String())
		if err != nil || again != cur {
			t.Errorf("%q: %+v, then %+v, %v", offset, cur, again, err)
		}
	})
}

// TestInvariants joins, edits and leaves at random and recounts.
func TestInvariants(t *testing.T) {
	c := newCall(t, false)
	seed := uint32(1)
	next := func(n uint32) int64 {
		seed = seed*1664525 + 1013904223
		return int64(seed >> 16 % n)
	}
	version := c.Info().Version
	for i := range 5000 {
		u := 10 + next(8)
		var ch Change
		switch next(7) {
		case 0, 1:
			r := request(u, int32(next(300)))
			r.VideoStopped = next(2) == 0
			ch, _ = c.Join(actor(u), r, noon)
		case 2:
			ch, _ = c.Leave(u, 0)
		case 3:
			n := Connection{Conn: int64(i), Source: int32(next(300))}
			if next(2) == 0 {
				n.Groups = []SourceGroup{{"FID", []int32{int32(400 + next(300)), int32(700 + next(300))}}}
			}
			ch, _ = c.JoinPresentation(u, n)
		case 4:
			ch, _ = c.LeavePresentation(u)
		case 5:
			ch, _ = edit(c, u, u, EditRequest{VideoStopped: new(next(2) == 0)})
		case 6:
			r := EditRequest{Target: peer.OfUser(u), Muted: new(next(2) == 0)}
			ch, _ = c.Edit(Actor{10, admin}, r)
		}
		versioned := slices.ContainsFunc(ch.Entries, func(p Participant) bool { return p.Versioned || p.JustJoined || p.Left })
		if got := c.Info().Version; (got == version+1) != versioned || got < version {
			t.Fatalf("step %d: version %d after %d, %+v", i, got, version, ch)
		}
		version = c.Info().Version
		if err := recount(c); err != "" {
			t.Fatalf("step %d: %s", i, err)
		}
	}
}

func recount(c *Call) string {
	videos, sources := 0, 0
	for _, m := range c.members {
		if m.hasVideo() {
			videos++
		}
		sources += len(m.main.sources)
		if m.screen != nil {
			sources += len(m.screen.sources)
		}
		if m.forced() && m.hasVideo() {
			return "a force-muted participant shows video"
		}
	}
	if videos != c.videos || sources != len(c.sources) || len(c.peers) != len(c.members) {
		return fmt.Sprintf("%d videos, %d sources, %d peers", videos, sources, len(c.peers))
	}
	return ""
}
