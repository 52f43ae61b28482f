package app

import (
	"net/http"
	"strconv"

	"parley/internal/sfu"
	"parley/internal/web"
)

// mostCalls is how many calls are told apart at most: each is some twenty
// series to whoever collects them.
const mostCalls = 100

// figures is what /metrics shows besides the process's own figures. Calls are
// told apart only where that is asked for: /metrics?calls=N names the N largest.
func (a *App) figures(r *http.Request) []web.Figure {
	all := append(a.front(), media(a.media.Metrics())...)
	most, err := strconv.Atoi(r.URL.Query().Get("calls"))
	if err != nil || most <= 0 {
		return all
	}
	calls, _ := a.media.Calls(r.Context(), min(most, mostCalls)) // none when the server stops
	for _, c := range calls {
		all = append(all, figuresOf(c)...)
	}
	return all
}

// live is a figure that rises and falls.
func live[N int | int64](name, help string, n N) web.Figure {
	return web.Figure{Name: name, Help: help, Value: float64(n)}
}

// total is a figure that only grows.
func total[N int64 | uint64 | float64](name, help string, n N) web.Figure {
	return web.Figure{Name: name, Help: help, Value: float64(n), Counter: true}
}

// front is what sessions and services are doing.
func (a *App) front() []web.Figure {
	m, j := a.mtproto.Metrics(), a.json.Metrics()
	calls, participants := a.calls.Counts()
	return []web.Figure{
		live("mtproto_connections", "Connections open now.", m.Conns),
		live("mtproto_sessions", "Sessions kept now.", m.Sessions),
		live("mtproto_keys", "Auth keys in memory.", m.Keys),
		live("mtproto_queued_bytes", "Bytes kept for clients until they acknowledge.", m.Queued),
		total("mtproto_connections_total", "Connections accepted.", m.Accepted),
		total("mtproto_connections_refused_total", "Connections over a limit.", m.Refused),
		total("mtproto_key_exchanges_total", "Auth keys made.", m.Exchanged),
		total("mtproto_forged_total", "Messages that broke the envelope's rules.", m.Forged),
		total("requests_total", "Requests, by MTProto or as JSON.", m.Requests+j.Requests),
		total("requests_failed_total", "Requests answered with an error.", m.Failed+j.Failed),
		total("requests_internal_total", "Requests that failed inside.", m.Internal+j.Internal),
		total("updates_pushed_total", "Updates queued for sessions.", m.Pushed+j.Pushed),
		total("sessions_dropped_total", "Sessions dropped because their queue was full.", m.Dropped+j.Dropped),
		live("sessions_attached", "Sessions that get updates.", a.updates.Sessions()),
		live("calls", "Calls that have not ended.", calls),
		live("participants", "Participants in all calls.", participants),
	}
}

// media is what the media server is doing.
func media(m sfu.Metrics) []web.Figure {
	drops := append([]drop{
		{"unknown", m.Drops.Unknown},
		{"malformed", m.Drops.Malformed},
		{"stun", m.Drops.Stun},
		{"queue", m.Drops.Queue},
		{"handed", m.Drops.Handed},
		{"late", m.Drops.Late},
	}, unused(m.Drops)...)
	return append(traffic("media", &m.Traffic, drops),
		live("media_calls", "Calls that somebody's media is in.", m.Rooms),
		live("media_connections", "Media connections.", m.Conns),
		live("media_ready", "Media connections past their handshake.", m.Ready),
		live("media_strain", "By how much the media loop with the most to do does less than it should: 0 (not at all) to 4.", m.Strain),
		total("media_joins_total", "Media connections made.", m.Joins),
		total("media_joins_refused_total", "Joins that there was no time for.", m.Refused),
		total("media_gone_total", "Media connections that ended by themselves.", m.Gone),
		total("media_handshakes_failed_total", "Handshakes that failed.", m.HandshakeErrors),
		total("media_nacks_out_total", "Packets that senders were asked for again.", m.NacksOut),
		total("media_recovered_total", "Packets that came again.", m.Recovered),
		total("media_nacks_lost_total", "Packets asked for that were not there any more.", m.NacksLost),
		total("media_nacks_soon_total", "Packets asked for again within a round trip, which were not repeated twice.", m.NacksSoon),
		total("media_padding_total", "Packets that only ask how much room there is.", m.Padding),
		total("media_handed_total", "Datagrams from one media loop to another.", m.Handed),
		total("media_send_calls_total", "System calls to send.", m.Sent.Calls),
		total("media_send_failed_total", "Packets that the kernel refused.", m.Sent.Failed),
		total("media_busy_seconds_total", "Time that the media loops were busy.", m.Busy.Seconds()),
		roundTrips(&m.RTT),
	)
}

// roundTrips is the histogram of round trip times.
func roundTrips(r *sfu.RTTs) web.Figure {
	s := &web.Spread{Sum: r.Sum.Seconds(), Within: map[float64]uint64{}}
	for i, n := range r.Counts {
		s.Count += n
		if i < len(sfu.RTTBounds) {
			s.Within[sfu.RTTBounds[i].Seconds()] = s.Count
		}
	}
	return web.Figure{Name: "media_rtt_seconds", Help: "Round trip times to receivers, by their reports.", Spread: s}
}

// figuresOf is what one call is doing.
func figuresOf(c sfu.Call) []web.Figure {
	all := append(traffic("call", &c.Traffic, unused(c.Drops)),
		live("call_connections", "Media connections.", c.Conns),
		live("call_ready", "Media connections past their handshake.", c.Ready),
		total("call_busy_seconds_total", "Its part, by packets, of the time that the media loops were busy.", c.Busy.Seconds()),
		web.Figure{Name: "call_rtt_seconds", Help: "Mean round trip time of its receivers; 0 when not known.", Value: c.RTT.Seconds()},
	)
	for i := range all {
		all[i].Labels = append([]string{"call"}, all[i].Labels...)
		all[i].Values = append([]string{strconv.FormatInt(c.ID, 10)}, all[i].Values...)
	}
	return all
}

// drop is how many packets were dropped for a reason.
type drop struct {
	reason string
	n      uint64
}

// unused is the packets of participants that were dropped.
func unused(d sfu.Drops) []drop {
	return []drop{
		{"early", d.Early},
		{"source", d.Source},
		{"replay", d.Replay},
		{"auth", d.Auth},
		{"type", d.Type},
		{"excess", d.Excess},
		{"muted", d.Muted},
		{"quiet", d.Quiet},
		{"unwatched", d.Unwatched},
	}
}

// traffic is the media of a call, or of all.
func traffic(of string, t *sfu.Traffic, drops []drop) []web.Figure {
	all := []web.Figure{
		total(of+"_packets_in_total", "RTP packets that proved right.", t.PacketsIn),
		total(of+"_bytes_in_total", "Their bytes.", t.BytesIn),
		total(of+"_packets_lost_in_total", "Packets that senders sent and that did not come.", t.LostIn),
		total(of+"_packets_out_total", "RTP packets sealed for receivers.", t.Forwarded),
		total(of+"_bytes_out_total", "Their bytes.", t.BytesOut),
		total(of+"_packets_reported_total", "Packets that receivers reported of.", t.Reported),
		total(of+"_packets_lost_out_total", "Those of them that receivers lacked.", t.LostOut),
		total(of+"_switches_total", "Changes of what a receiver sees to another layer.", t.Switches),
		total(of+"_keys_asked_total", "Key frames that senders were asked for.", t.KeysAsked),
		total(of+"_keys_wanted_total", "Key frames that receivers asked for.", t.KeysIn),
		total(of+"_nacks_in_total", "Packets that receivers asked for again.", t.NacksIn),
		total(of+"_repeated_total", "Packets sent again.", t.Repeated),
	}
	for _, d := range drops {
		f := total(of+"_drops_total", "Packets not used, by reason.", d.n)
		f.Labels, f.Values = []string{"reason"}, []string{d.reason}
		all = append(all, f)
	}
	return all
}
