package directory

import (
	"math"

	"parley/internal/tg"
)

// AdminBits returns the rights that a client grants.
func AdminBits(r *tg.ChatAdminRights) AdminRights {
	if r == nil {
		return 0
	}
	var bits AdminRights
	for i, set := range adminFlags(r) {
		if set != nil && *set {
			bits |= 1 << i
		}
	}
	return bits
}

func adminRights(bits AdminRights) tg.ChatAdminRights {
	var r tg.ChatAdminRights
	for i, set := range adminFlags(&r) {
		if set != nil {
			*set = bits&(1<<i) != 0
		}
	}
	return r
}

// adminFlags returns the flags of chatAdminRights by bit number.
func adminFlags(r *tg.ChatAdminRights) [21]*bool {
	return [21]*bool{
		0: &r.ChangeInfo, 1: &r.PostMessages, 2: &r.EditMessages, 3: &r.DeleteMessages, 4: &r.BanUsers,
		5: &r.InviteUsers, 7: &r.PinMessages, 9: &r.AddAdmins, 10: &r.Anonymous, 11: &r.ManageCall,
		12: &r.Other, 13: &r.ManageTopics, 14: &r.PostStories, 15: &r.EditStories, 16: &r.DeleteStories,
		17: &r.ManageDirectMessages, 18: &r.ManageRanks, 19: &r.ManageLinkedPeers, 20: &r.ManageWelcomeMessages,
	}
}

// BanBits returns what a client forbids.
func BanBits(r *tg.ChatBannedRights) BanRights {
	if r == nil {
		return 0
	}
	var bits BanRights
	for i, set := range banFlags(r) {
		if set != nil && *set {
			bits |= 1 << i
		}
	}
	return bits
}

// banRights shows what is forbidden until a date, 0 = for ever: the highest
// date, TDLib takes 0 for an error.
func banRights(bits BanRights, until int64) tg.ChatBannedRights {
	r := tg.ChatBannedRights{UntilDate: int(until)}
	if until == 0 {
		r.UntilDate = math.MaxInt32
	}
	for i, set := range banFlags(&r) {
		if set != nil {
			*set = bits&(1<<i) != 0
		}
	}
	return r
}

// banFlags returns the flags of chatBannedRights by bit number.
func banFlags(r *tg.ChatBannedRights) [29]*bool {
	return [29]*bool{
		0: &r.ViewMessages, 1: &r.SendMessages, 2: &r.SendMedia, 3: &r.SendStickers, 4: &r.SendGifs,
		5: &r.SendGames, 6: &r.SendInline, 7: &r.EmbedLinks, 8: &r.SendPolls, 10: &r.ChangeInfo,
		15: &r.InviteUsers, 17: &r.PinMessages, 18: &r.ManageTopics, 19: &r.SendPhotos, 20: &r.SendVideos,
		21: &r.SendRoundvideos, 22: &r.SendAudios, 23: &r.SendVoices, 24: &r.SendDocs, 25: &r.SendPlain,
		26: &r.EditRank, 27: &r.SendReactions, 28: &r.ManageLinkedPeers,
	}
}
