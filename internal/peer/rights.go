package peer

// Rights is what a user may do in one chat, as far as calls and updates ask.
type Rights struct {
	Member     bool // is in the chat now
	Creator    bool
	Admin      bool // creator, or promoted
	ManageCall bool // creator; admin of a basic group; admin with manage_call of a channel
	Anonymous  bool // appears as the chat itself
	Banned     bool // was kicked; may not come back by themselves
	CanRead    bool // member, or the chat is public
	Broadcast  bool // the chat is a channel that only admins post in
	Public     bool // the chat has a username
}
