package api

import (
	"context"

	"parley/internal/message"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// fixed enters a method whose answer does not depend on what is asked: of
// things that clients look for at every start and that don't exist here.
// Official clients wait for some of them; none may stay unanswered.
func fixed[R, A tg.Object](a *API, g gate, answer func() A) {
	on(a, g, func(context.Context, rpc.Caller, R) (A, error) { return answer(), nil })
}

// refused enters a method that always fails the same way.
func refused[R tg.Object](a *API, g gate, err error) {
	on(a, g, func(context.Context, rpc.Caller, R) (tg.Object, error) { return nil, err })
}

// nothing is an answer in which nothing happened.
func nothing() tg.UpdatesClass { return &tg.Updates{Date: unixNow()} }

func yes() tg.Bool { return true }

// defaultMethods are the settings, stickers, stories and texts of a messenger
// that this server is not.
func defaultMethods(a *API) {
	defaultHelp(a)
	defaultAccount(a)
	defaultContacts(a)
	defaultMessages(a)
	defaultStickers(a)
	defaultReactions(a)
	defaultStories(a)
}

var errLangCode = rpc.Err(400, "LANG_CODE_NOT_SUPPORTED")

// noPromo is how long clients need not ask again, in seconds.
const noPromo = 86_400

func defaultHelp(a *API) {
	fixed[*tg.HelpGetPromoDataRequest](a, usersOnly, func() *tg.HelpPromoDataEmpty {
		return &tg.HelpPromoDataEmpty{Expires: unixNow() + noPromo}
	})
	fixed[*tg.HelpGetTermsOfServiceUpdateRequest](a, usersOnly, func() tg.HelpTermsOfServiceUpdateClass {
		return &tg.HelpTermsOfServiceUpdateEmpty{Expires: unixNow() + noPromo}
	})
	fixed[*tg.HelpGetPeerColorsRequest](a, usersOnly, func() tg.HelpPeerColorsClass { return &tg.HelpPeerColors{Hash: 1} })
	fixed[*tg.HelpGetPeerProfileColorsRequest](a, usersOnly, func() tg.HelpPeerColorsClass { return &tg.HelpPeerColors{Hash: 1} })
	fixed[*tg.HelpGetTimezonesListRequest](a, usersOnly, func() tg.HelpTimezonesListClass { return &tg.HelpTimezonesList{Hash: 1} })
	fixed[*tg.HelpGetAppUpdateRequest](a, open, func() *tg.HelpNoAppUpdate { return &tg.HelpNoAppUpdate{} })
	fixed[*tg.HelpGetCdnConfigRequest](a, open, func() *tg.CdnConfig { return &tg.CdnConfig{} })
	fixed[*tg.HelpAcceptTermsOfServiceRequest](a, usersOnly, yes)
	fixed[*tg.HelpDismissSuggestionRequest](a, usersOnly, yes)
	fixed[*tg.HelpHidePromoDataRequest](a, usersOnly, yes)
	fixed[*tg.LangpackGetLanguagesRequest](a, open, func() tg.LangPackLanguageVector { return nil })
	fixed[*tg.LangpackGetStringsRequest](a, open, func() tg.LangPackStringVector { return nil })
	fixed[*tg.AicomposeGetTonesRequest](a, usersOnly, func() tg.AicomposeTonesClass { return &tg.AicomposeTones{Hash: 1} })
	refused[*tg.LangpackGetLanguageRequest](a, open, errLangCode)
	fixed[*tg.HelpGetInviteTextRequest](a, usersOnly, func() *tg.HelpInviteText { return &tg.HelpInviteText{} })
	on(a, open, a.getLangPack)
	on(a, open, a.getLangPackDifference)
}

// langpack.getLangPack#f2f2330a lang_pack:string lang_code:string = LangPackDifference;
func (a *API) getLangPack(_ context.Context, _ rpc.Caller, r *tg.LangpackGetLangPackRequest) (*tg.LangPackDifference, error) {
	return &tg.LangPackDifference{LangCode: r.LangCode}, nil
}

// langpack.getDifference#cd984aa5 lang_pack:string lang_code:string from_version:int = LangPackDifference;
func (a *API) getLangPackDifference(_ context.Context, _ rpc.Caller, r *tg.LangpackGetDifferenceRequest) (*tg.LangPackDifference, error) {
	return &tg.LangPackDifference{LangCode: r.LangCode, FromVersion: r.FromVersion, Version: r.FromVersion}, nil
}

func defaultAccount(a *API) {
	fixed[*tg.AccountGetNotifySettingsRequest](a, usersOnly, func() *tg.PeerNotifySettings { return &tg.PeerNotifySettings{} })
	fixed[*tg.AccountUpdateNotifySettingsRequest](a, usersOnly, yes)
	fixed[*tg.AccountRegisterDeviceRequest](a, usersOnly, yes)
	fixed[*tg.AccountUnregisterDeviceRequest](a, usersOnly, yes)
	fixed[*tg.AccountGetPrivacyRequest](a, usersOnly, func() *tg.AccountPrivacyRules {
		return &tg.AccountPrivacyRules{Rules: []tg.PrivacyRuleClass{&tg.PrivacyValueAllowAll{}}}
	})
	fixed[*tg.AccountGetContentSettingsRequest](a, usersOnly, func() *tg.AccountContentSettings { return &tg.AccountContentSettings{} })
	fixed[*tg.AccountGetGlobalPrivacySettingsRequest](a, usersOnly, func() *tg.GlobalPrivacySettings { return &tg.GlobalPrivacySettings{} })
	fixed[*tg.AccountGetReactionsNotifySettingsRequest](a, usersOnly, func() *tg.ReactionsNotifySettings {
		return &tg.ReactionsNotifySettings{Sound: &tg.NotificationSoundDefault{}, ShowPreviews: true}
	})
	fixed[*tg.AccountGetChatThemesRequest](a, usersOnly, func() tg.AccountThemesClass { return &tg.AccountThemes{Hash: 1} })
	fixed[*tg.AccountGetThemesRequest](a, usersOnly, func() tg.AccountThemesClass { return &tg.AccountThemes{Hash: 1} })
	fixed[*tg.AccountGetWallPapersRequest](a, usersOnly, func() tg.AccountWallPapersClass { return &tg.AccountWallPapers{Hash: 1} })
	fixed[*tg.AccountGetWebBrowserSettingsRequest](a, usersOnly, func() tg.AccountWebBrowserSettingsClass {
		return &tg.AccountWebBrowserSettings{Hash: 1}
	})
	fixed[*tg.AccountGetAccountTTLRequest](a, usersOnly, func() *tg.AccountDaysTTL { return &tg.AccountDaysTTL{Days: 365} })
	fixed[*tg.AccountGetContactSignUpNotificationRequest](a, usersOnly, yes)
	fixed[*tg.AccountGetNotifyExceptionsRequest](a, usersOnly, nothing)
	fixed[*tg.AccountGetSavedRingtonesRequest](a, usersOnly, func() tg.AccountSavedRingtonesClass { return &tg.AccountSavedRingtones{Hash: 1} })
	fixed[*tg.AccountGetSavedMusicIDsRequest](a, usersOnly, func() tg.AccountSavedMusicIDsClass { return &tg.AccountSavedMusicIDs{} })
	statuses := func() tg.AccountEmojiStatusesClass { return &tg.AccountEmojiStatuses{Hash: 1} }
	fixed[*tg.AccountGetDefaultEmojiStatusesRequest](a, usersOnly, statuses)
	fixed[*tg.AccountGetRecentEmojiStatusesRequest](a, usersOnly, statuses)
	fixed[*tg.AccountGetCollectibleEmojiStatusesRequest](a, usersOnly, statuses)
	fixed[*tg.AccountGetDefaultBackgroundEmojisRequest](a, usersOnly, func() tg.EmojiListClass { return &tg.EmojiList{Hash: 1} })
}

func defaultContacts(a *API) {
	fixed[*tg.ContactsGetTopPeersRequest](a, usersOnly, func() tg.ContactsTopPeersClass { return &tg.ContactsTopPeersDisabled{} })
	fixed[*tg.ContactsGetBlockedRequest](a, usersOnly, func() tg.ContactsBlockedClass { return &tg.ContactsBlocked{} })
	fixed[*tg.ContactsGetStatusesRequest](a, usersOnly, func() tg.ContactStatusVector { return nil })
	fixed[*tg.ContactsGetContactIDsRequest](a, usersOnly, func() tg.IntVector { return nil })
	fixed[*tg.ContactsGetBirthdaysRequest](a, usersOnly, func() *tg.ContactsContactBirthdays { return &tg.ContactsContactBirthdays{} })
	fixed[*tg.ContactsGetSponsoredPeersRequest](a, usersOnly, func() tg.ContactsSponsoredPeersClass { return &tg.ContactsSponsoredPeersEmpty{} })
	fixed[*tg.UsersGetRequirementsToContactRequest](a, usersOnly, func() tg.RequirementToContactVector { return nil })
	fixed[*tg.UsersGetSavedMusicRequest](a, usersOnly, func() tg.UsersSavedMusicClass { return &tg.UsersSavedMusic{} })
	fixed[*tg.PhotosGetUserPhotosRequest](a, signedIn, func() tg.PhotosPhotosClass { return &tg.PhotosPhotos{} })
}

func defaultStories(a *API) {
	fixed[*tg.StoriesGetAllStoriesRequest](a, usersOnly, func() tg.StoriesAllStoriesClass { return &tg.StoriesAllStories{State: "1"} })
	fixed[*tg.StoriesGetAllReadPeerStoriesRequest](a, usersOnly, nothing)
	fixed[*tg.StoriesGetPinnedStoriesRequest](a, usersOnly, func() *tg.StoriesStories { return &tg.StoriesStories{} })
	fixed[*tg.StoriesGetStoriesArchiveRequest](a, usersOnly, func() *tg.StoriesStories { return &tg.StoriesStories{} })
	fixed[*tg.StoriesGetStoriesByIDRequest](a, usersOnly, func() *tg.StoriesStories { return &tg.StoriesStories{} })
	fixed[*tg.StoriesGetChatsToSendRequest](a, usersOnly, noChats)
	fixed[*tg.StoriesReadStoriesRequest](a, usersOnly, func() tg.IntVector { return nil })
	fixed[*tg.StoriesIncrementStoryViewsRequest](a, usersOnly, yes)
	fixed[*tg.StoriesGetAlbumsRequest](a, usersOnly, func() tg.StoriesAlbumsClass { return &tg.StoriesAlbums{Hash: 1} })
	on(a, usersOnly, a.getPeerStories)
}

// stories.getPeerStories#2c4ada50 peer:InputPeer = stories.PeerStories;
func (a *API) getPeerStories(_ context.Context, c rpc.Caller, r *tg.StoriesGetPeerStoriesRequest) (*tg.StoriesPeerStories, error) {
	p, err := a.peerOf(c, r.Peer)
	if err != nil {
		return nil, err
	}
	return &tg.StoriesPeerStories{Stories: tg.PeerStories{Peer: message.Peer(p)}}, nil
}

func noChats() tg.MessagesChatsClass { return &tg.MessagesChats{} }
