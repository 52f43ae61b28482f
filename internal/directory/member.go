package directory

import "parley/internal/peer"

// Status is where a user stands in a chat.
type Status uint8

// The statuses; None is who never was in the chat.
const (
	None Status = iota
	Joined
	Left
	Kicked
)

// AdminRights are the flags of chatAdminRights.
type AdminRights uint32

// The rights of admins that rules ask for.
const (
	ChangeInfo  AdminRights = 1 << 0
	BanUsers    AdminRights = 1 << 4
	InviteUsers AdminRights = 1 << 5
	AddAdmins   AdminRights = 1 << 9
	Anonymous   AdminRights = 1 << 10
	ManageCall  AdminRights = 1 << 11

	// allAdminRights is what a creator has: all but appearing as the chat.
	allAdminRights = AdminRights(0x1ffabf)
)

// BanRights are the flags of chatBannedRights: what is forbidden.
type BanRights uint32

// What rules ask for of the things that can be forbidden.
const (
	BanView   BanRights = 1 << 0 // kicked
	BanInfo   BanRights = 1 << 10
	BanInvite BanRights = 1 << 15
	BanPin    BanRights = 1 << 17
)

// Member is one user's row in a chat.
type Member struct {
	User     int64
	Status   Status
	Joined   int64 // unix seconds
	Inviter  int64
	Admin    bool
	Rights   AdminRights
	Promoter int64
	Rank     string
	Banned   BanRights
	Until    int64 // end of the ban, 0 = never
	Banner   int64
}

// at returns the member as it is at now: bans may have ended.
func (m Member) at(now int64) Member {
	if m.Until == 0 || m.Until > now {
		return m
	}
	m.Banned, m.Until, m.Banner = 0, 0, 0
	if m.Status == Kicked {
		m.Status = Left
	}
	return m
}

// isIn tells whether the user is in the chat now.
func (m Member) isIn() bool { return m.Status == Joined }

// may tells whether m may do what only an admin with right may. Admins of
// basic groups have no single rights: they may do all but promote.
func (c Chat) may(m Member, right AdminRights) bool {
	switch {
	case !m.isIn() || c.Deleted:
		return false
	case m.User == c.Creator:
		return true
	case c.isChannel():
		return m.Admin && m.Rights&right != 0
	}
	return m.Admin && right&(AddAdmins|Anonymous) == 0
}

// lets tells whether m may do what every member may unless it was forbidden
// to all or to m, and admins with right always may.
func (c Chat) lets(m Member, right AdminRights, ban BanRights) bool {
	if c.may(m, right) {
		return true
	}
	if ban == BanInfo && c.public() {
		return false // Telegram: whoever finds a public group can't rename it
	}
	return m.isIn() && !c.Deleted && !c.Broadcast && (c.Banned|m.Banned)&ban == 0
}

// isAnonymous tells whether m appears as the chat itself.
func (c Chat) isAnonymous(m Member) bool {
	return c.isMegagroup() && m.isIn() && m.Admin && m.Rights&Anonymous != 0
}

// author returns who a service message of m appears to be from.
func (c Chat) author(m Member) peer.ID {
	if c.Broadcast || c.isAnonymous(m) {
		return c.ID
	}
	return peer.OfUser(m.User)
}

// canSee tells whether m may know of the chat's members and history.
func (c Chat) canSee(m Member) bool {
	return !c.Deleted && (m.isIn() || c.public() && m.Status != Kicked)
}

// canEdit tells whether by may change the rights of the admin m.
func (c Chat) canEdit(by, m Member) bool {
	return by.User == c.Creator || m.User != c.Creator && m.Promoter == by.User
}

func (c Chat) rights(m Member) peer.Rights {
	in := m.isIn() && !c.Deleted
	return peer.Rights{
		Member:     in,
		Creator:    in && m.User == c.Creator,
		Admin:      in && (m.Admin || m.User == c.Creator),
		ManageCall: c.may(m, ManageCall),
		Anonymous:  c.isAnonymous(m),
		Banned:     m.Status == Kicked,
		CanRead:    c.canSee(m),
		Broadcast:  c.Broadcast,
		Public:     c.public(),
	}
}
