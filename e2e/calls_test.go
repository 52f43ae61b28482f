package e2e

import (
	"context"
	"time"

	"github.com/gotd/td/tg"

	"parley/e2e/harness/scenario"
)

func (c *client) Schedule(ctx context.Context, chat scenario.Chat, title string, at time.Time) (scenario.Told, error) {
	req := &tg.PhoneCreateGroupCallRequest{
		Peer:     &tg.InputPeerChannel{ChannelID: chat.ID, AccessHash: chat.AccessHash},
		RandomID: int(int32(time.Now().UnixNano())),
	}
	req.SetTitle(title)
	req.SetScheduleDate(int(at.Unix()))
	return answer(c.api.PhoneCreateGroupCall(ctx, req))
}

func (c *client) Subscribe(ctx context.Context, call scenario.Call, on bool) (scenario.Told, error) {
	return answer(c.api.PhoneToggleGroupCallStartSubscription(ctx, &tg.PhoneToggleGroupCallStartSubscriptionRequest{
		Call: inputCall(call), Subscribed: on,
	}))
}

func (c *client) Start(ctx context.Context, call scenario.Call) (scenario.Told, error) {
	return answer(c.api.PhoneStartScheduledGroupCall(ctx, inputCall(call)))
}

func (c *client) Get(ctx context.Context, call scenario.Call) (scenario.CallState, error) {
	r, err := c.api.PhoneGetGroupCall(ctx, &tg.PhoneGetGroupCallRequest{Call: inputCall(call), Limit: 3})
	if err != nil {
		return scenario.CallState{}, seen(err)
	}
	return callState(r.Call), nil
}

func (c *client) Discard(ctx context.Context, call scenario.Call) (scenario.Told, error) {
	return answer(c.api.PhoneDiscardGroupCall(ctx, inputCall(call)))
}

// answer turns a method's result into the scenario's words.
func answer(u tg.UpdatesClass, err error) (scenario.Told, error) {
	if err != nil {
		return scenario.Told{}, seen(err)
	}
	return told(u), nil
}

// told picks from an Updates object what scenarios look at.
func told(u tg.UpdatesClass) scenario.Told {
	var list []tg.UpdateClass
	switch u := u.(type) {
	case *tg.Updates:
		list = u.Updates
	case *tg.UpdatesCombined:
		list = u.Updates
	case *tg.UpdateShort:
		list = []tg.UpdateClass{u.Update}
	}
	var o scenario.Told
	for _, u := range list {
		switch u := u.(type) {
		case *tg.UpdateGroupCall:
			o.Calls = append(o.Calls, callState(u.Call))
		case *tg.UpdateNewMessage:
			o.Messages = append(o.Messages, message(u.Message))
		case *tg.UpdateNewChannelMessage:
			o.Messages = append(o.Messages, message(u.Message))
		case *tg.UpdateGroupCallParticipants:
			p := scenario.Participants{Call: callOf(u.Call), Version: u.Version}
			for _, e := range u.Participants {
				p.Entries = append(p.Entries, participant(e))
			}
			o.Participants = append(o.Participants, p)
		}
	}
	return o
}

func inputCall(c scenario.Call) *tg.InputGroupCall {
	return &tg.InputGroupCall{ID: c.ID, AccessHash: c.AccessHash}
}

// callOf returns the call that an InputGroupCall names; in answers it always
// is an inputGroupCall.
func callOf(c tg.InputGroupCallClass) scenario.Call {
	if c, ok := c.(*tg.InputGroupCall); ok {
		return scenario.Call{ID: c.ID, AccessHash: c.AccessHash}
	}
	return scenario.Call{}
}

func callState(c tg.GroupCallClass) scenario.CallState {
	switch c := c.(type) {
	case *tg.GroupCall:
		return scenario.CallState{
			Call:  scenario.Call{ID: c.ID, AccessHash: c.AccessHash},
			Title: c.Title, ScheduleDate: c.ScheduleDate, Subscribed: c.ScheduleStartSubscribed,
			Version: c.Version, Count: c.ParticipantsCount,
		}
	case *tg.GroupCallDiscarded:
		return scenario.CallState{
			Call:      scenario.Call{ID: c.ID, AccessHash: c.AccessHash},
			Discarded: true, Duration: c.Duration,
		}
	}
	return scenario.CallState{}
}

func participant(p tg.GroupCallParticipant) scenario.Participant {
	e := scenario.Participant{
		Source: p.Source, Muted: p.Muted, CanSelfUnmute: p.CanSelfUnmute, Left: p.Left,
		JustJoined: p.JustJoined, Versioned: p.Versioned, Self: p.Self,
	}
	if u, ok := p.Peer.(*tg.PeerUser); ok {
		e.User = u.UserID
	}
	return e
}

func message(m tg.MessageClass) scenario.Message {
	switch m := m.(type) {
	case *tg.Message:
		o := scenario.Message{ID: m.ID, Text: m.Message, Duration: -1}
		o.Channel, o.From = whose(m.PeerID, m.FromID)
		return o
	case *tg.MessageService:
		o := scenario.Message{ID: m.ID, Action: m.Action.TypeName(), Duration: -1}
		o.Channel, o.From = whose(m.PeerID, m.FromID)
		switch a := m.Action.(type) {
		case *tg.MessageActionGroupCall:
			o.Call = callOf(a.Call)
			if d, ok := a.GetDuration(); ok {
				o.Duration = d
			}
		case *tg.MessageActionGroupCallScheduled:
			o.Call, o.ScheduleDate = callOf(a.Call), a.ScheduleDate
		}
		return o
	}
	return scenario.Message{}
}

// whose returns the channel a message stands in and the user it is from.
func whose(peer, from tg.PeerClass) (channel, user int64) {
	switch p := peer.(type) {
	case *tg.PeerChannel:
		channel = p.ChannelID
	case *tg.PeerUser:
		user = p.UserID
	}
	if u, ok := from.(*tg.PeerUser); ok {
		user = u.UserID
	}
	return channel, user
}
