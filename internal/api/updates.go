package api

import (
	"context"

	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
	"parley/internal/updates"
)

func updateMethods(a *API) {
	on(a, signedIn, a.getState)
	on(a, signedIn, a.getDifference)
	on(a, signedIn, a.getChannelDifference)
}

// updates.getState#edd4882a = updates.State;
func (a *API) getState(ctx context.Context, c rpc.Caller, _ *tg.UpdatesGetStateRequest) (*tg.UpdatesState, error) {
	return a.Updates.State(ctx, c.User)
}

// updates.getDifference#19c2f763 flags:# pts:int pts_limit:flags.1?int pts_total_limit:flags.0?int date:int qts:int qts_limit:flags.2?int = updates.Difference;
func (a *API) getDifference(ctx context.Context, c rpc.Caller, r *tg.UpdatesGetDifferenceRequest) (tg.UpdatesDifferenceClass, error) {
	at := updates.Position{Pts: r.Pts, Date: int64(r.Date)}
	if r.PtsLimit != nil {
		at.Limit = *r.PtsLimit
	}
	if r.PtsTotalLimit != nil {
		at.TotalLimit = *r.PtsTotalLimit
	}
	return a.Updates.Difference(ctx, c.User, at)
}

// updates.getChannelDifference#03173d78 flags:# force:flags.0?true channel:InputChannel filter:ChannelMessagesFilter pts:int limit:int = updates.ChannelDifference;
func (a *API) getChannelDifference(ctx context.Context, c rpc.Caller, r *tg.UpdatesGetChannelDifferenceRequest) (tg.UpdatesChannelDifferenceClass, error) {
	id, err := a.channelOf(r.Channel)
	if err != nil {
		return nil, err
	}
	return a.Updates.ChannelDifference(ctx, c.User, peer.OfChannel(id), r.Pts, r.Limit)
}
