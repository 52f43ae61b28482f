package api

import (
	"context"
	"time"

	"parley/internal/rpc"
	"parley/internal/tg"
)

// Limits and periods that clients are told; what group calls don't depend on
// has Telegram's usual figures.
const (
	configExpires  = time.Hour
	chatSizeMax    = 200
	channelSizeMax = 200_000
)

func configMethods(a *API) {
	on(a, open, a.getConfig)
	on(a, open, a.getNearestDC)
	on(a, open, a.getAppConfig)
	on(a, open, a.getCountriesList)
}

// help.getConfig#c4f9186b = Config;
//
// this_dc is the one the client believes to be on: TDLib asks again in a tight
// loop otherwise (mtproto.md 2).
func (a *API) getConfig(_ context.Context, c rpc.Caller, _ *tg.HelpGetConfigRequest) (*tg.Config, error) {
	now := time.Now()
	return &tg.Config{
		Date: int(now.Unix()), Expires: int(now.Add(configExpires).Unix()),
		ThisDC: a.dc(c.Session), DCOptions: a.dcOptions(),
		ChatSizeMax: chatSizeMax, MegagroupSizeMax: channelSizeMax, ForwardedCountMax: 100,
		OnlineUpdatePeriodMs: 210_000, OfflineBlurTimeoutMs: 5000, OfflineIdleTimeoutMs: 30_000,
		OnlineCloudTimeoutMs: 300_000, NotifyCloudDelayMs: 30_000, NotifyDefaultDelayMs: 1500,
		PushChatPeriodMs: 60_000, PushChatLimit: 2,
		EditTimeLimit: 172_800, RevokeTimeLimit: 1 << 30, RevokePmTimeLimit: 1 << 30,
		RatingEDecay: 2_419_200, StickersRecentLimit: 200, ChannelsReadMediaPeriod: 604_800,
		CallReceiveTimeoutMs: 20_000, CallRingTimeoutMs: 90_000, CallConnectTimeoutMs: 30_000, CallPacketTimeoutMs: 10_000,
		MeURLPrefix: "https://t.me/", CaptionLengthMax: 1024, MessageLengthMax: 4096, WebfileDCID: a.DC,
	}, nil
}

// help.getNearestDc#1fb33026 = NearestDc;
func (a *API) getNearestDC(_ context.Context, c rpc.Caller, _ *tg.HelpGetNearestDCRequest) (*tg.NearestDC, error) {
	dc := a.dc(c.Session)
	return &tg.NearestDC{Country: "US", ThisDC: dc, NearestDC: dc}, nil
}

// dc returns the data centre a session believes to be on.
func (a *API) dc(s *rpc.Session) int {
	if s != nil && s.DC > 0 {
		return s.DC
	}
	return a.DC
}

// dcOptions names this server as every data centre: there is only one.
func (a *API) dcOptions() []tg.DCOption {
	opts := make([]tg.DCOption, 0, 5)
	for id := 1; id <= 5; id++ {
		opts = append(opts, tg.DCOption{ID: id, IPv6: a.Host.Is6(), IPAddress: a.Host.String(), Port: a.Port, Static: true, ThisPortOnly: true})
	}
	return opts
}

// help.getAppConfig#61e3f854 hash:int = help.AppConfig;
func (a *API) getAppConfig(context.Context, rpc.Caller, *tg.HelpGetAppConfigRequest) (tg.HelpAppConfigClass, error) {
	number := func(key string, v float64) tg.JSONObjectValue {
		return tg.JSONObjectValue{Key: key, Value: &tg.JSONNumber{Value: v}}
	}
	return &tg.HelpAppConfig{Hash: 1, Config: &tg.JSONObject{Value: []tg.JSONObjectValue{
		number("groupcall_video_participants_max", 1000),
		number("conference_call_size_limit", 200),
		number("group_call_message_length_limit", 128),
		number("group_call_message_ttl", 10),
	}}}, nil
}

// help.getCountriesList#735787a8 lang_code:string hash:int = help.CountriesList;
func (a *API) getCountriesList(context.Context, rpc.Caller, *tg.HelpGetCountriesListRequest) (tg.HelpCountriesListClass, error) {
	return &tg.HelpCountriesList{}, nil
}
