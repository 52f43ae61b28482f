package api

import (
	"context"

	"parley/internal/call"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// phoneRefused are the methods about calls of kinds that don't exist here yet:
// conferences, live stories, RTMP, recordings, messages in calls. They pass the
// gate, so that a bot and a stranger are told what they are told elsewhere.
func phoneRefused(a *API) {
	refused[*tg.PhoneToggleGroupCallRecordRequest](a, usersOnly, rpc.ErrMethod)
	refused[*tg.PhoneGetGroupCallStreamRTMPURLRequest](a, usersOnly, rpc.ErrMethod)
	refused[*tg.PhoneCreateConferenceCallRequest](a, usersOnly, rpc.ErrMethod)
	refused[*tg.PhoneDeleteConferenceCallParticipantsRequest](a, usersOnly, rpc.ErrMethod)
	refused[*tg.PhoneSendConferenceCallBroadcastRequest](a, usersOnly, rpc.ErrMethod)
	refused[*tg.PhoneInviteConferenceCallParticipantRequest](a, usersOnly, rpc.ErrMethod)
	refused[*tg.PhoneDeclineConferenceCallInviteRequest](a, usersOnly, rpc.ErrMethod)
	refused[*tg.PhoneGetGroupCallChainBlocksRequest](a, usersOnly, rpc.ErrMethod)
	refused[*tg.PhoneSendGroupCallMessageRequest](a, usersOnly, rpc.ErrMethod)
	refused[*tg.PhoneSendGroupCallEncryptedMessageRequest](a, usersOnly, rpc.ErrMethod)
	refused[*tg.PhoneDeleteGroupCallMessagesRequest](a, usersOnly, rpc.ErrMethod)
	refused[*tg.PhoneDeleteGroupCallParticipantMessagesRequest](a, usersOnly, rpc.ErrMethod)
	refused[*tg.PhoneGetGroupCallStarsRequest](a, usersOnly, rpc.ErrMethod)
	refused[*tg.PhoneSaveDefaultSendAsRequest](a, usersOnly, rpc.ErrMethod)
	refused[*tg.StoriesStartLiveRequest](a, usersOnly, rpc.ErrMethod)
	fixed[*tg.PhoneGetCallConfigRequest](a, usersOnly, func() *tg.DataJSON { return &tg.DataJSON{Data: "{}"} })
}

// fileMethods are what is left of files where there are none.
func fileMethods(a *API) {
	on(a, signedIn, a.getFile)
	fixed[*tg.UploadGetFileHashesRequest](a, signedIn, func() tg.FileHashVector { return nil })
}

var errLocation = rpc.Err(400, "LOCATION_INVALID")

// upload.getFile#be5335be flags:# precise:flags.0?true cdn_supported:flags.1?true location:InputFileLocation offset:long limit:int = upload.File;
//
// There are no files, and no call that is carried as a stream.
func (a *API) getFile(ctx context.Context, c rpc.Caller, r *tg.UploadGetFileRequest) (*tg.UploadFile, error) {
	stream, ok := r.Location.(*tg.InputGroupCallStream)
	if !ok {
		return nil, errLocation
	}
	id, err := a.callOf(stream.Call)
	if err != nil {
		return nil, err
	}
	if _, err := a.Calls.Check(ctx, c, id, nil); err != nil {
		return nil, err
	}
	return nil, call.ErrForbidden
}
