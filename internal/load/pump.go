package load

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// pump sends what all publishers of a crowd have to send, each at its own
// time, on one goroutine.
type pump struct {
	streams []*stream
	offsets []time.Duration // within an interval, ascending
	late    time.Duration   // the worst delay so far
}

// add puts a room's publisher into the pump: publishers of a room are spread
// over the interval, the layers of one publisher are not.
func (p *pump) add(c *client, place, of int) {
	for _, s := range c.streams {
		offset := s.interval() * time.Duration(place) / time.Duration(of)
		at, _ := slices.BinarySearch(p.offsets, offset+1)
		p.streams = slices.Insert(p.streams, at, s)
		p.offsets = slices.Insert(p.offsets, at, offset)
	}
}

// play sends n packets or frames of every stream, or sends until ctx ends if n
// is negative.
func (p *pump) play(ctx context.Context, n int) error {
	if len(p.streams) == 0 {
		<-ctx.Done()
		return nil
	}
	start, interval := time.Now(), p.streams[0].interval()
	for i := 0; i != n; i++ {
		for k, s := range p.streams {
			due := start.Add(time.Duration(i)*interval + p.offsets[k])
			time.Sleep(time.Until(due))
			p.late = max(p.late, time.Since(due))
			if ctx.Err() != nil {
				return nil //nolint:nilerr // it was told to end
			}
			if err := s.send(); err != nil {
				return fmt.Errorf("publish: %w", err)
			}
		}
	}
	return nil
}

// sent returns how many packets one publisher sent on its best layer: that of
// the first stands for all.
func (p *pump) sent() int64 {
	if len(p.streams) == 0 {
		return 0
	}
	best := p.streams[0].client.streams
	return best[len(best)-1].sent
}
