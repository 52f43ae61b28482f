package load

import (
	"fmt"
	"slices"
	"strings"
)

// maxLate is how many milliseconds publishers may be behind their times before
// it is said: what they sent was burstier than the scenario is.
const maxLate = 100

// String returns a window in words.
func (w Window) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%.0f packets/s", float64(w.PPS))
	if w.Joins > 0 {
		fmt.Fprintf(&b, ", %d joins at %.0f/s, %s ms CPU each", w.Joins, float64(w.JoinRate), w.JoinCPU)
		if w.Pushes.known() {
			fmt.Fprintf(&b, ", told by %s pushes", w.Pushes)
		}
	} else {
		fmt.Fprintf(&b, ", %s us CPU each, %d of %d lost", w.CPU, w.Lost, w.Expected)
	}
	fmt.Fprintf(&b, ", latency p50 %s p99 %s ms, %s KiB a participant", w.P50, w.P99, w.RSS/1024)
	if w.Late > maxLate {
		fmt.Fprintf(&b, ", publishers up to %.0f ms late", float64(w.Late))
	}
	if w.Broken > 0 {
		fmt.Fprintf(&b, ", %d did not decrypt", w.Broken)
	}
	return b.String()
}

// String prints a figure with two decimals; one that is unknown is a dash.
func (f figure) String() string {
	if !f.known() {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(f))
}

// maxLoss is the share of packets, one in so many, that a server that is to be
// compared may lose: what is lost costs nothing.
const maxLoss = 100

// Summary returns the medians of all windows of each server, and the ratio
// that is to be quoted if there were two.
func Summary(windows []Window) string {
	var b strings.Builder
	cost, lossy := map[string]figure{}, ""
	for _, server := range []string{"parley", "baseline"} {
		var of []Window
		for _, w := range windows {
			if w.Server == server {
				of = append(of, w)
			}
		}
		if len(of) == 0 {
			continue
		}
		m := of[0]
		m.CPU = median(of, func(w Window) figure { return w.CPU })
		m.PPS = median(of, func(w Window) figure { return w.PPS })
		m.P50 = median(of, func(w Window) figure { return w.P50 })
		m.P99 = median(of, func(w Window) figure { return w.P99 })
		m.RSS = median(of, func(w Window) figure { return w.RSS })
		m.JoinCPU = median(of, func(w Window) figure { return w.JoinCPU })
		m.Pushes = median(of, func(w Window) figure { return w.Pushes })
		m.JoinRate = median(of, func(w Window) figure { return w.JoinRate })
		for _, w := range of[1:] {
			m.Lost, m.Expected, m.Broken = m.Lost+w.Lost, m.Expected+w.Expected, m.Broken+w.Broken
			m.Late = max(m.Late, w.Late)
		}
		cost[server] = m.CPU
		if m.Joins > 0 {
			cost[server] = m.JoinCPU
		}
		if m.Lost > m.Expected/maxLoss {
			lossy += fmt.Sprintf(" %s lost %d of %d packets;", server, m.Lost, m.Expected)
		}
		fmt.Fprintf(&b, "%s %s, median of %d: %s\n", m.Scenario, server, len(of), m)
	}
	switch ratio := cost["parley"] / cost["baseline"]; {
	case !ratio.known():
	case lossy != "":
		fmt.Fprintf(&b, "not compared:%s\n", strings.TrimSuffix(lossy, ";"))
	default:
		fmt.Fprintf(&b, "parley costs %s of the baseline\n", ratio)
	}
	return b.String()
}

// median returns the middle of what f finds in the windows.
func median(windows []Window, f func(Window) figure) figure {
	var all []figure
	for _, w := range windows {
		all = append(all, f(w))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
