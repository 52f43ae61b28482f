package api

import (
	"context"

	"parley/internal/rpc"
	"parley/internal/tg"
)

var errStickerSet = rpc.Err(406, "STICKERSET_INVALID")

func noMessages() tg.MessagesMessagesClass { return &tg.MessagesMessages{} }

func defaultMessages(a *API) {
	fixed[*tg.MessagesGetDialogFiltersRequest](a, usersOnly, func() *tg.MessagesDialogFilters {
		return &tg.MessagesDialogFilters{Filters: []tg.DialogFilterDefault{{}}} // TDLib misses it otherwise
	})
	fixed[*tg.MessagesGetDialogUnreadMarksRequest](a, usersOnly, func() tg.DialogPeerVector { return nil })
	fixed[*tg.MessagesGetAllDraftsRequest](a, usersOnly, nothing)
	fixed[*tg.MessagesGetAttachMenuBotsRequest](a, usersOnly, func() tg.AttachMenuBotsClass { return &tg.AttachMenuBots{Hash: 1} })
	fixed[*tg.MessagesGetQuickRepliesRequest](a, usersOnly, func() tg.MessagesQuickRepliesClass { return &tg.MessagesQuickReplies{} })
	saved := func() tg.MessagesSavedDialogsClass { return &tg.MessagesSavedDialogs{} }
	fixed[*tg.MessagesGetSavedDialogsRequest](a, usersOnly, saved)
	fixed[*tg.MessagesGetPinnedSavedDialogsRequest](a, usersOnly, saved)
	fixed[*tg.MessagesGetDefaultHistoryTTLRequest](a, usersOnly, func() *tg.DefaultHistoryTTL { return &tg.DefaultHistoryTTL{} })
	fixed[*tg.MessagesGetUnreadMentionsRequest](a, usersOnly, noMessages)
	fixed[*tg.MessagesGetUnreadReactionsRequest](a, usersOnly, noMessages)
	fixed[*tg.MessagesGetUnreadPollVotesRequest](a, usersOnly, noMessages)
	fixed[*tg.MessagesGetScheduledHistoryRequest](a, usersOnly, noMessages)
	fixed[*tg.MessagesGetSponsoredMessagesRequest](a, usersOnly, func() tg.MessagesSponsoredMessagesClass {
		return &tg.MessagesSponsoredMessagesEmpty{}
	})
	fixed[*tg.MessagesGetMessageReadParticipantsRequest](a, usersOnly, func() tg.ReadParticipantDateVector { return nil })
	fixed[*tg.MessagesReceivedMessagesRequest](a, usersOnly, func() tg.ReceivedNotifyMessageVector { return nil })
	fixed[*tg.MessagesGetCommonChatsRequest](a, usersOnly, noChats)
	fixed[*tg.MessagesGetExportedChatInvitesRequest](a, usersOnly, func() *tg.MessagesExportedChatInvites { return &tg.MessagesExportedChatInvites{} })
	fixed[*tg.MessagesGetChatInviteImportersRequest](a, usersOnly, func() *tg.MessagesChatInviteImporters { return &tg.MessagesChatInviteImporters{} })
	fixed[*tg.MessagesMarkDialogUnreadRequest](a, usersOnly, yes)
	fixed[*tg.MessagesToggleDialogPinRequest](a, usersOnly, yes)
	fixed[*tg.MessagesHidePeerSettingsBarRequest](a, usersOnly, yes)
	fixed[*tg.ChannelsGetChannelRecommendationsRequest](a, usersOnly, noChats)
	fixed[*tg.ChannelsGetGroupsForDiscussionRequest](a, usersOnly, noChats)
	fixed[*tg.ChannelsGetLeftChannelsRequest](a, usersOnly, noChats)
	fixed[*tg.ChannelsGetInactiveChannelsRequest](a, usersOnly, func() *tg.MessagesInactiveChats { return &tg.MessagesInactiveChats{} })
	fixed[*tg.ChannelsReadMessageContentsRequest](a, usersOnly, yes)
	on(a, usersOnly, a.getEmojiKeywordsDifference)
	on(a, usersOnly, a.getMessagesViews)
	on(a, usersOnly, a.readMessageContents)
	on(a, usersOnly, a.getPeerSettings)
	on(a, usersOnly, a.readMentions)
	on(a, usersOnly, a.readReactions)
}

// messages.getEmojiKeywordsDifference#1508b6af lang_code:string from_version:int = EmojiKeywordsDifference;
func (a *API) getEmojiKeywordsDifference(_ context.Context, _ rpc.Caller, r *tg.MessagesGetEmojiKeywordsDifferenceRequest) (*tg.EmojiKeywordsDifference, error) {
	return &tg.EmojiKeywordsDifference{LangCode: r.LangCode, FromVersion: r.FromVersion, Version: r.FromVersion}, nil
}

// messages.getMessagesViews#5784d3e1 peer:InputPeer id:Vector<int> increment:Bool = messages.MessageViews;
//
// Views are not counted.
func (a *API) getMessagesViews(_ context.Context, c rpc.Caller, r *tg.MessagesGetMessagesViewsRequest) (*tg.MessagesMessageViews, error) {
	if err := few(r.ID); err != nil {
		return nil, err
	}
	if _, err := a.peerOf(c, r.Peer); err != nil {
		return nil, err
	}
	return &tg.MessagesMessageViews{Views: make([]tg.MessageViews, len(r.ID))}, nil
}

// messages.readMessageContents#36a73f77 id:Vector<int> = messages.AffectedMessages;
func (a *API) readMessageContents(ctx context.Context, c rpc.Caller, _ *tg.MessagesReadMessageContentsRequest) (*tg.MessagesAffectedMessages, error) {
	h, err := a.unaffected(ctx, c)
	if err != nil {
		return nil, err
	}
	return &tg.MessagesAffectedMessages{Pts: h.Pts}, nil
}

// messages.getPeerSettings#efd9a6a2 peer:InputPeer = messages.PeerSettings;
func (a *API) getPeerSettings(ctx context.Context, c rpc.Caller, r *tg.MessagesGetPeerSettingsRequest) (*tg.MessagesPeerSettings, error) {
	if _, err := a.peerOf(c, r.Peer); err != nil {
		return nil, err
	}
	return &tg.MessagesPeerSettings{}, nil
}

// messages.readMentions#36e5bf4d flags:# peer:InputPeer top_msg_id:flags.0?int = messages.AffectedHistory;
func (a *API) readMentions(ctx context.Context, c rpc.Caller, _ *tg.MessagesReadMentionsRequest) (*tg.MessagesAffectedHistory, error) {
	return a.unaffected(ctx, c)
}

// messages.readReactions#9ec44f93 flags:# peer:InputPeer top_msg_id:flags.0?int saved_peer_id:flags.1?InputPeer = messages.AffectedHistory;
func (a *API) readReactions(ctx context.Context, c rpc.Caller, _ *tg.MessagesReadReactionsRequest) (*tg.MessagesAffectedHistory, error) {
	return a.unaffected(ctx, c)
}

// unaffected says that nothing of a history changed.
func (a *API) unaffected(ctx context.Context, c rpc.Caller) (*tg.MessagesAffectedHistory, error) {
	state, err := a.Updates.State(ctx, c.User)
	if err != nil {
		return nil, err
	}
	return &tg.MessagesAffectedHistory{Pts: state.Pts}, nil
}

func defaultStickers(a *API) {
	refused[*tg.MessagesGetStickerSetRequest](a, usersOnly, errStickerSet)
	all := func() tg.MessagesAllStickersClass { return &tg.MessagesAllStickers{Hash: 1} }
	fixed[*tg.MessagesGetAllStickersRequest](a, usersOnly, all)
	fixed[*tg.MessagesGetEmojiStickersRequest](a, usersOnly, all)
	fixed[*tg.MessagesGetMaskStickersRequest](a, usersOnly, all)
	featured := func() tg.MessagesFeaturedStickersClass { return &tg.MessagesFeaturedStickers{Hash: 1} }
	fixed[*tg.MessagesGetFeaturedStickersRequest](a, usersOnly, featured)
	fixed[*tg.MessagesGetFeaturedEmojiStickersRequest](a, usersOnly, featured)
	fixed[*tg.MessagesReadFeaturedStickersRequest](a, usersOnly, yes)
	fixed[*tg.MessagesGetRecentStickersRequest](a, usersOnly, func() tg.MessagesRecentStickersClass { return &tg.MessagesRecentStickers{Hash: 1} })
	fixed[*tg.MessagesGetFavedStickersRequest](a, usersOnly, func() tg.MessagesFavedStickersClass { return &tg.MessagesFavedStickers{Hash: 1} })
	fixed[*tg.MessagesGetSavedGifsRequest](a, usersOnly, func() tg.MessagesSavedGifsClass { return &tg.MessagesSavedGifs{Hash: 1} })
	fixed[*tg.MessagesGetStickersRequest](a, usersOnly, func() tg.MessagesStickersClass { return &tg.MessagesStickers{Hash: 1} })
	fixed[*tg.MessagesGetEmojiGroupsRequest](a, usersOnly, func() tg.MessagesEmojiGroupsClass { return &tg.MessagesEmojiGroups{Hash: 1} })
}

func defaultReactions(a *API) {
	fixed[*tg.MessagesGetAvailableReactionsRequest](a, usersOnly, func() tg.MessagesAvailableReactionsClass {
		return &tg.MessagesAvailableReactions{Hash: 1}
	})
	fixed[*tg.MessagesGetAvailableEffectsRequest](a, usersOnly, func() tg.MessagesAvailableEffectsClass {
		return &tg.MessagesAvailableEffects{Hash: 1}
	})
	list := func() tg.MessagesReactionsClass { return &tg.MessagesReactions{Hash: 1} }
	fixed[*tg.MessagesGetTopReactionsRequest](a, usersOnly, list)
	fixed[*tg.MessagesGetRecentReactionsRequest](a, usersOnly, list)
	fixed[*tg.MessagesGetDefaultTagReactionsRequest](a, usersOnly, list)
	fixed[*tg.MessagesGetSavedReactionTagsRequest](a, usersOnly, func() tg.MessagesSavedReactionTagsClass {
		return &tg.MessagesSavedReactionTags{Hash: 1}
	})
	fixed[*tg.MessagesClearRecentReactionsRequest](a, usersOnly, yes)
	fixed[*tg.MessagesGetMessagesReactionsRequest](a, usersOnly, nothing)
	fixed[*tg.MessagesGetPaidReactionPrivacyRequest](a, usersOnly, nothing)
}
