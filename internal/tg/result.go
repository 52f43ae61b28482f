package tg

// EncodeResult returns the answer to a request as clients of the layer expect
// it: some methods were answered with another type in older layers.
func EncodeResult(req, res Object, layer int) ([]byte, error) {
	return Encode(result(req, res, Clamp(layer)), layer)
}

// result returns what a request of the layer is answered with in place of the
// newest layer's result.
func result(req, res Object, layer int) Object {
	switch o := res.(type) {
	case *MessagesInvitedUsers:
		if layer <= 176 {
			return o.Updates
		}
	case *MessagesChatInviteJoinResultOk:
		if layer <= 226 {
			return o.Updates
		}
	case *AuthLoggedOut:
		if layer <= 134 {
			return Bool(true)
		}
	case *HelpAppConfig:
		if layer <= 153 {
			return o.Config
		}
	case *MessagesPeerSettings:
		if layer <= 134 {
			return &o.Settings
		}
	case *MessagesDialogFilters:
		if layer <= 175 {
			return EmptyVector{}
		}
	case *StoriesCanSendStoryCount:
		if layer <= 202 {
			return Bool(o.CountRemains > 0)
		}
	case *UsersUserFull:
		if layer <= 134 {
			return fullUser(o)
		}
	case ReadParticipantDateVector:
		if layer <= 153 {
			return readers(o)
		}
	}
	return resultOf(req, res, layer)
}

// resultOf is for results whose type alone does not tell the method.
func resultOf(req, res Object, layer int) Object {
	switch req.(type) {
	case *PhoneCheckGroupCallRequest:
		if v, ok := res.(IntVector); ok && layer <= 128 {
			return Bool(len(v) > 0)
		}
	case *PhoneSendGroupCallMessageRequest:
		if layer <= 216 {
			return Bool(true)
		}
	case *ChannelsDeleteHistoryRequest:
		if layer <= 139 {
			return Bool(true)
		}
	}
	return res
}

// fullUser returns userFull with the user inside, as it was up to layer 134.
func fullUser(o *UsersUserFull) Object {
	full := o.FullUser
	for _, u := range o.Users {
		if u, ok := u.(*User); ok && u.ID == full.ID {
			full.User = u
		}
	}
	return &full
}

// readers returns who read a message, without when.
func readers(v ReadParticipantDateVector) Object {
	ids := make(LongVector, len(v))
	for i := range v {
		ids[i] = v[i].UserID
	}
	return ids
}
