package tg

// The lower methods return an object as older layers tell the same; they do
// not change their receiver. The raise methods finish what was decoded from
// an older layer's request.

// lower fills chat_id, which stands in place of peer up to layer 216.
func (o *UpdateGroupCall) lower(int) *UpdateGroupCall {
	if o.Peer == nil {
		return o
	}
	c := *o
	switch p := o.Peer.(type) {
	case *PeerChat:
		c.ChatID = p.ChatID
	case *PeerChannel:
		c.ChatID = p.ChannelID
	}
	return &c
}

// lower puts the join answer of updateGroupCallConnection, which came with
// layer 129, where it was before: into the call of updateGroupCall.
func (o *Updates) lower(int) *Updates {
	var params *DataJSON
	for _, u := range o.Updates {
		if c, ok := u.(*UpdateGroupCallConnection); ok && !c.Presentation {
			params = &c.Params
		}
	}
	if params == nil {
		return o
	}
	c := *o
	c.Updates = make([]UpdateClass, len(o.Updates))
	for i, u := range o.Updates {
		c.Updates[i] = u
		if u, ok := u.(*UpdateGroupCall); ok {
			if call, ok := u.Call.(*GroupCall); ok {
				u, call := *u, *call
				call.Params = params
				u.Call = &call
				c.Updates[i] = &u
			}
		}
	}
	return &c
}

// raise makes a list of the one source that clients up to layer 128 ask for.
func (o *PhoneCheckGroupCallRequest) raise() {
	o.Sources, o.Source = []int{o.Source}, 0
}

// raise says unmute where clients up to layer 128, whose muted is a flag, ask
// for no other change.
func (o *PhoneEditGroupCallParticipantRequest) raise() {
	if o.Muted == nil && o.Volume == nil && o.RaiseHand == nil {
		o.Muted = new(false)
	}
}

// alternatives returns what else an object can stand for: clients send
// InputPeer where InputUser or InputChannel is declared, and the other way
// round, and Telegram takes it.
func alternatives(o Object) []Object {
	switch o := o.(type) {
	case *InputPeerEmpty:
		return []Object{&InputUserEmpty{}, &InputChannelEmpty{}}
	case *InputPeerSelf:
		return []Object{&InputUserSelf{}}
	case *InputPeerUser:
		return []Object{&InputUser{UserID: o.UserID, AccessHash: o.AccessHash}}
	case *InputPeerUserFromMessage:
		return []Object{&InputUserFromMessage{Peer: o.Peer, MsgID: o.MsgID, UserID: o.UserID}}
	case *InputPeerChannel:
		return []Object{&InputChannel{ChannelID: o.ChannelID, AccessHash: o.AccessHash}}
	case *InputPeerChannelFromMessage:
		return []Object{&InputChannelFromMessage{Peer: o.Peer, MsgID: o.MsgID, ChannelID: o.ChannelID}}
	case *InputUserEmpty, *InputChannelEmpty:
		return []Object{&InputPeerEmpty{}}
	case *InputUserSelf:
		return []Object{&InputPeerSelf{}}
	case *InputUser:
		return []Object{&InputPeerUser{UserID: o.UserID, AccessHash: o.AccessHash}}
	case *InputUserFromMessage:
		return []Object{&InputPeerUserFromMessage{Peer: o.Peer, MsgID: o.MsgID, UserID: o.UserID}}
	case *InputChannel:
		return []Object{&InputPeerChannel{ChannelID: o.ChannelID, AccessHash: o.AccessHash}}
	case *InputChannelFromMessage:
		return []Object{&InputPeerChannelFromMessage{Peer: o.Peer, MsgID: o.MsgID, ChannelID: o.ChannelID}}
	}
	return nil
}
