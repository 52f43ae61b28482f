package load

import (
	"errors"
	"fmt"
	"strings"
)

// Scenario is who publishes what to whom. The names and sizes are those of
// perf.md 3 and 5.
type Scenario struct {
	Name       string
	Rooms      int
	Publishers int // in each room
	Listeners  int // in each room
	Size       int // bytes of an audio payload
	Video      bool
	Kbps       int  // of the best layer of a video
	Layers     int  // of a video
	Storm      bool // what counts is the joining
	// Loudest is how many voices the server lets one participant hear at most:
	// Parley's answer to clients that can't play more (media.md 5.2). The
	// baseline is told to do the same, so that both do equal work.
	Loudest int
}

// What Parley forwards by default, and at most.
const (
	defaultLoudest = 8
	mostLoudest    = 10
)

// scenarios are all there are.
func scenarios() []Scenario {
	audio := func(name string, rooms, publishers, listeners int) Scenario {
		return Scenario{Name: name, Rooms: rooms, Publishers: publishers, Listeners: listeners, Size: 120, Layers: 1, Loudest: defaultLoudest}
	}
	video := func(name string, publishers, listeners, kbps int) Scenario {
		s := audio(name, 1, publishers, listeners)
		s.Video, s.Kbps = true, kbps
		return s
	}
	storm := audio("J1", 1, 1, 400)
	storm.Storm = true
	return []Scenario{
		audio("A1", 1, 10, 40), audio("A2", 1, 10, 100), audio("A3", 1, 10, 400), audio("A4", 1, 1, 400),
		video("V1", 1, 100, 1000), video("V2", 1, 100, 2500), video("V3", 4, 100, 2500),
		audio("S1", 20, 4, 4), storm,
	}
}

// Scenarios says what there is.
func Scenarios() string {
	var all []string
	for _, s := range scenarios() {
		all = append(all, s.String())
	}
	return strings.Join(all, "; ")
}

// String says what a scenario is.
func (s Scenario) String() string {
	where := ""
	if s.Rooms > 1 {
		where = fmt.Sprintf("in %d calls each ", s.Rooms)
	}
	switch {
	case s.Storm:
		return fmt.Sprintf("%s: %s%d speak, %d join at once", s.Name, where, s.Publishers, s.Listeners)
	case s.Video:
		return fmt.Sprintf("%s: %s%d send video of %d kbit/s, %d watch", s.Name, where, s.Publishers, s.Kbps, s.Listeners)
	}
	return fmt.Sprintf("%s: %s%d speak, %d listen", s.Name, where, s.Publishers, s.Listeners)
}

// Find returns a scenario by its name.
func Find(name string) (Scenario, error) {
	var names []string
	for _, s := range scenarios() {
		if strings.EqualFold(s.Name, name) {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Scenario{}, fmt.Errorf("%w: no scenario %q; there are %s", ErrSetting, name, strings.Join(names, ", "))
}

// ErrSetting marks what the caller has to change.
var ErrSetting = errors.New("wrong setting")

// The bounds of a scenario: the test phones of a development server, and what
// one machine can hold.
const (
	maxSeats = 2000
	maxSize  = 1100
	minSize  = stampAt + stampSize
	maxKbps  = 20_000
)

// validate says what is wrong with a scenario.
func (s Scenario) validate() error {
	for _, b := range []struct {
		name       string
		v, low, up int
	}{
		{"rooms", s.Rooms, 1, 500},
		{"publishers", s.Publishers, 0, 500},
		{"listeners", s.Listeners, 1, maxSeats},
		{"size", s.Size, minSize, maxSize},
		{"layers", s.Layers, 1, 3},
		{"loudest", s.Loudest, 1, mostLoudest},
	} {
		if b.v < b.low || b.v > b.up {
			return fmt.Errorf("%w: --%s %d is not in %d..%d", ErrSetting, b.name, b.v, b.low, b.up)
		}
	}
	switch all := s.seats() * s.Rooms; {
	case all > maxSeats:
		return fmt.Errorf("%w: %d participants in all; a development server has test phones for %d", ErrSetting, all, maxSeats)
	case s.Video && (s.Kbps < 50 || s.Kbps > maxKbps):
		return fmt.Errorf("%w: --kbps %d is not in 50..%d", ErrSetting, s.Kbps, maxKbps)
	case s.Publishers == 0 && !s.Storm:
		return fmt.Errorf("%w: --publishers 0 leaves nothing to count", ErrSetting)
	}
	return nil
}

// seats is how many participants a room has; publishers come first.
func (s Scenario) seats() int { return s.Publishers + s.Listeners }

// publishes tells whether the participant in a seat publishes.
func (s Scenario) publishes(seat int) bool { return seat < s.Publishers }

// hears is how many of its room's streams the participant in a seat gets.
// Nobody gets their own; publishers of video ask for no other's.
func (s Scenario) hears(seat int) int {
	switch {
	case s.Video && s.publishes(seat):
		return 0
	case s.Video:
		return s.Publishers
	case s.publishes(seat):
		return min(s.Publishers-1, s.Loudest)
	}
	return min(s.Publishers, s.Loudest)
}

// expected is how many packets a server has to forward for each packet of one
// publisher: publishers of a room send equally many.
func (s Scenario) expected() int {
	n := 0
	for seat := range s.seats() {
		n += s.hears(seat)
	}
	return n * s.Rooms
}

// voices returns how many of the loudest a server seems to forward to one
// participant, by the packets received and those that one publisher sent: as many
// as it was said to if no other number fits.
func (s Scenario) voices(received, sent int64) int {
	const near = 500 // one packet in so many
	meant, more := s.Loudest, received > sent*int64(s.expected())
	fits := func(n int) bool {
		s.Loudest = n
		want := sent * int64(s.expected())
		return received <= want+want/near && (more || received >= want-want/near)
	}
	if fits(meant) {
		return meant
	}
	for n := 1; n <= mostLoudest; n++ {
		if fits(n) {
			return n
		}
	}
	return meant
}
