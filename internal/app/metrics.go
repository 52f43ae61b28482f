package app

import "parley/internal/web"

// gauges is what /metrics shows besides the process's own figures.
func (a *App) gauges() []web.Gauge {
	live := func(name, help string, read func() int64) web.Gauge {
		return web.Gauge{Name: name, Help: help, Read: func() float64 { return float64(read()) }}
	}
	total := func(name, help string, read func() int64) web.Gauge {
		g := live(name, help, read)
		g.Counter = true
		return g
	}
	m, sfu := a.mtproto.Metrics, a.media.Metrics
	return []web.Gauge{
		live("mtproto_connections", "Connections open now.", func() int64 { return m().Conns }),
		live("mtproto_sessions", "Sessions kept now.", func() int64 { return m().Sessions }),
		live("mtproto_keys", "Auth keys in memory.", func() int64 { return m().Keys }),
		live("mtproto_queued_bytes", "Bytes kept for clients until they acknowledge.", func() int64 { return m().Queued }),
		total("mtproto_connections_total", "Connections accepted.", func() int64 { return m().Accepted }),
		total("mtproto_connections_refused_total", "Connections over a limit.", func() int64 { return m().Refused }),
		total("mtproto_key_exchanges_total", "Auth keys made.", func() int64 { return m().Exchanged }),
		total("mtproto_forged_total", "Messages that broke the envelope's rules.", func() int64 { return m().Forged }),
		total("requests_total", "Requests of MTProto sessions.", func() int64 { return m().Requests }),
		total("requests_failed_total", "Requests answered with an error.", func() int64 { return m().Failed }),
		total("requests_internal_total", "Requests that failed inside.", func() int64 { return m().Internal }),
		total("updates_pushed_total", "Updates queued for sessions.", func() int64 { return m().Pushed }),
		total("sessions_dropped_total", "Sessions dropped because their queue was full.", func() int64 { return m().Dropped }),
		live("sessions_attached", "Sessions that get updates.", func() int64 { return int64(a.updates.Sessions()) }),
		live("calls", "Calls that have not ended.", func() int64 { n, _ := a.calls.Counts(); return int64(n) }),
		live("participants", "Participants in all calls.", func() int64 { _, n := a.calls.Counts(); return int64(n) }),
		live("media_connections", "Media connections.", func() int64 { return int64(sfu().Conns) }),
		live("media_ready", "Media connections past their handshake.", func() int64 { return int64(sfu().Ready) }),
		total("media_packets_in_total", "RTP packets that proved right.", func() int64 { return int64(sfu().PacketsIn) }),
		total("media_bytes_in_total", "Their bytes.", func() int64 { return int64(sfu().BytesIn) }),
		total("media_packets_out_total", "RTP packets sealed for receivers.", func() int64 { return int64(sfu().Forwarded) }),
		total("media_bytes_out_total", "Their bytes.", func() int64 { return int64(sfu().BytesOut) }),
		total("media_switches_total", "Changes of what a receiver sees to another layer.", func() int64 { return int64(sfu().Switches) }),
		total("media_keys_asked_total", "Key frames that senders were asked for.", func() int64 { return int64(sfu().KeysAsked) }),
		total("media_keys_wanted_total", "Key frames that receivers asked for.", func() int64 { return int64(sfu().KeysIn) }),
		total("media_nacks_out_total", "Packets that senders were asked for again.", func() int64 { return int64(sfu().NacksOut) }),
		total("media_recovered_total", "Packets that came again.", func() int64 { return int64(sfu().Recovered) }),
		total("media_nacks_in_total", "Packets that receivers asked for again.", func() int64 { return int64(sfu().NacksIn) }),
		total("media_nacks_lost_total", "Those that were not there any more.", func() int64 { return int64(sfu().NacksLost) }),
		total("media_repeated_total", "Packets sent again.", func() int64 { return int64(sfu().Repeated) }),
		total("media_padding_total", "Packets that only ask how much room there is.", func() int64 { return int64(sfu().Padding) }),
		total("media_drops_unwatched_total", "Packets of layers that nobody sees.", func() int64 { return int64(sfu().Drops.Unwatched) }),
		total("media_drops_unknown_total", "Packets from nobody.", func() int64 { return int64(sfu().Drops.Unknown) }),
		total("media_drops_malformed_total", "Packets that are nothing.", func() int64 { return int64(sfu().Drops.Malformed) }),
		total("media_drops_auth_total", "Packets with a wrong tag.", func() int64 { return int64(sfu().Drops.Auth) }),
		total("media_drops_replay_total", "Packets seen before.", func() int64 { return int64(sfu().Drops.Replay) }),
		total("media_drops_muted_total", "Packets of muted participants.", func() int64 { return int64(sfu().Drops.Muted) }),
		total("media_drops_quiet_total", "Packets beyond the loudest.", func() int64 { return int64(sfu().Drops.Quiet) }),
		total("media_drops_source_total", "Packets of sources nobody announced.", func() int64 { return int64(sfu().Drops.Source) }),
	}
}
