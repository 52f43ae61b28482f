package sfu

import "time"

// What a client may have forwarded, for all who get it pay: of its sound twice
// what Opus can take, where each packet counts as some bytes more, and of its
// video what no path is believed to hold.
const (
	soundRate = 256 << 10 // bytes per second
	soundCost = 128       // bytes of a packet
	videoRate = mostRate / 8
)

// meter is until when what a client sent takes at its rate, on the shard's
// clock.
type meter time.Duration

// bears tells whether so many bytes more are within a rate, and counts them.
// What comes late may come all at once, a second's worth.
func (m *meter) bears(now time.Duration, bytes, rate int64) bool {
	if *m = max(*m, meter(now)); *m-meter(now) > meter(time.Second) {
		return false
	}
	*m += meter(bytes * int64(time.Second) / rate)
	return true
}
