package calls

import (
	"context"
	"maps"
	"slices"
	"time"

	"parley/internal/call"
	"parley/internal/event"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

const (
	tellEvery = 100 * time.Millisecond // nobody notices
	maxUntold = 100                    // changes of a list that wait; so many are told at once
)

// news is what happened in a call that not everybody in it has heard of. Each
// change keeps its version and its place: clients count one for each update and
// take one entry of a participant from it (methods.md B.4). The news are lost
// with the process, like the participants they tell of.
type news struct {
	changes []event.ListChange
	told    int            // how many changes there were before
	heard   map[int64]int  // of each user in the call: how many changes it has heard of; less than told is all of them
	counted *call.Info     // what the counters are now; nil: what members know
	know    map[int64]bool // users who have been told of that
	last    time.Time      // when everybody was told
}

// add notes a change that those concerned are told of by themselves; joined
// says who of them is in the call now.
func (n *news) add(i call.Info, ch call.Change, concerned []int64, joined func(user int64) bool) {
	n.changes = append(n.changes, event.ListChange{Version: i.Version, Entries: ch.Entries})
	if ch.Counted {
		n.counted, n.know = &i, map[int64]bool{}
	}
	for _, user := range concerned {
		if ch.Counted {
			n.know[user] = true
		}
		if joined(user) {
			n.heard[user] = n.told + len(n.changes)
		} else {
			delete(n.heard, user)
		}
	}
}

// untold returns what a user in the call has not heard of.
func (n *news) untold(user int64) []event.ListChange {
	heard, in := n.heard[user]
	if !in {
		return nil
	}
	return n.changes[max(heard-n.told, 0):]
}

// take returns what everybody is to hear now: first of the list, those together
// who have heard the same and set nothing for themselves, then of the counters.
func (n *news) take(id call.ID, personal func(user int64, all []call.Participant) map[peer.ID]call.Personal) (list []event.Event, counters []event.Event) {
	all := entriesOf(n.changes)
	together := map[int][]int64{} // by how much of the news they have heard
	for _, user := range slices.Sorted(maps.Keys(n.heard)) {
		rest := n.untold(user)
		if len(rest) == 0 {
			continue
		}
		if own := personal(user, all); own != nil {
			list = append(list, event.ParticipantsChanged{Call: id, Changes: rest, To: []int64{user}, Personal: own})
			continue
		}
		from := len(n.changes) - len(rest)
		together[from] = append(together[from], user)
	}
	for _, from := range slices.Sorted(maps.Keys(together)) {
		list = append(list, event.ParticipantsChanged{Call: id, Changes: n.changes[from:], To: together[from]})
	}
	if n.counted != nil {
		counters = []event.Event{event.CallChanged{Info: *n.counted, InCall: slices.Collect(maps.Keys(n.heard)), Except: n.know}}
	}
	n.told += len(n.changes)
	n.changes, n.counted, n.know = nil, nil, nil
	n.last = time.Now()
	return list, counters
}

func entriesOf(changes []event.ListChange) (all []call.Participant) {
	for _, ch := range changes {
		all = append(all, ch.Entries...)
	}
	return all
}

// tell makes the media follow a change of the participants and tells it: those
// whom it concerns at once, the others with what else happens meanwhile. It
// returns the caller's view, which begins with first.
func (l *live) tell(ctx context.Context, c rpc.Caller, ch call.Change, first ...event.Event) (tg.UpdatesClass, error) {
	for _, conn := range ch.Closed {
		l.s.links.Media.Leave(int64(l.id), conn)
		delete(l.conns, conn)
	}
	for _, g := range ch.Gates {
		l.s.links.Media.Gate(int64(l.id), g.Conn, g.Audio, g.Video)
	}
	if len(ch.Entries) == 0 {
		return l.deliver(ctx, c, first)
	}
	events, concerned := first, concerns(c, ch)
	for _, user := range concerned {
		l.catchUp(ctx, user)
		events = append(events, l.shown(user, ch)...)
	}
	if ch.Counted {
		l.s.setCount(l, l.c.Info().Count)
	}
	if ch.Only == 0 {
		l.news.add(l.c.Info(), ch, concerned, func(user int64) bool { _, in := l.c.Joined(user); return in })
	}
	u, err := l.deliver(ctx, c, events)
	if l.tellWaiting(ctx) > 0 && len(l.news.changes) == 1 {
		l.nudge() // the watcher has to know when
	}
	return u, err
}

// concerns returns who is to hear of a change at once: the caller, and who was
// in the call before.
func concerns(c rpc.Caller, ch call.Change) []int64 {
	if ch.Only != 0 {
		return []int64{ch.Only}
	}
	all := slices.Clone(ch.Gone) // with who was displaced
	if c.User != 0 {
		all = append(all, c.User)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// shown returns a change of the participants as one user sees it.
func (l *live) shown(user int64, ch call.Change) []event.Event {
	entries := ch.Entries
	if user == ch.Displaced {
		entries = displaced(user, entries)
	}
	i := l.c.Info()
	events := []event.Event{l.changes(user, []event.ListChange{{Version: i.Version, Entries: entries}})}
	if ch.Counted {
		events = append(events, event.CallChanged{Info: i, Only: user})
	}
	return events
}

// displaced returns the entries as one sees them whose identity was taken
// over: as its own, with a source that isn't. Clients hang up then.
func displaced(user int64, entries []call.Participant) []call.Participant {
	own := slices.Clone(entries)
	for i := range own {
		if !own[i].Left {
			own[i].User = user
		}
	}
	return own
}

// changes returns the event that tells one user of changes of the list.
func (l *live) changes(user int64, changes []event.ListChange) event.Event {
	return event.ParticipantsChanged{
		Call: l.id, Changes: changes, To: []int64{user}, Personal: l.c.Personal(user, entriesOf(changes)),
	}
}

// catchUp tells a user what waits to be told: before an answer that shows more.
func (l *live) catchUp(ctx context.Context, user int64) {
	rest := l.news.untold(user)
	if len(rest) == 0 {
		return
	}
	l.news.heard[user] = l.news.told + len(l.news.changes)
	l.push(ctx, []event.Event{l.changes(user, rest)})
}

// tellWaiting tells everybody what waits if that is due; if not, it returns
// after how long it will be.
func (l *live) tellWaiting(ctx context.Context) time.Duration {
	if len(l.news.changes) == 0 {
		return 0
	}
	if wait := l.s.cfg.TellEvery - time.Since(l.news.last); wait > 0 && len(l.news.changes) < maxUntold {
		return wait
	}
	l.tellAll(ctx)
	return 0
}

// tellAll tells everybody what waits.
func (l *live) tellAll(ctx context.Context) {
	if len(l.news.changes) == 0 {
		return
	}
	list, counters := l.news.take(l.id, l.c.Personal)
	l.push(ctx, list) // by itself: it looks the same to most
	l.push(ctx, counters)
}

// push delivers what nobody asked for.
func (l *live) push(ctx context.Context, events []event.Event) {
	if _, err := l.deliver(ctx, rpc.Caller{}, events); err != nil {
		l.log().Error("participants not told", "err", err)
	}
}

func (l *live) deliver(ctx context.Context, c rpc.Caller, events []event.Event) (tg.UpdatesClass, error) {
	if len(events) == 0 && c.User == 0 {
		return nil, nil
	}
	return l.s.links.Publisher.Deliver(ctx, c, events)
}
