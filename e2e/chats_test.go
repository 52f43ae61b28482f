package e2e

import (
	"context"
	"fmt"

	"github.com/gotd/td/tg"

	"parley/e2e/harness/scenario"
)

func (c *client) CreateSupergroup(ctx context.Context, title string) (scenario.Chat, error) {
	r, err := c.api.ChannelsCreateChannel(ctx, &tg.ChannelsCreateChannelRequest{Megagroup: true, Title: title})
	if err != nil {
		return scenario.Chat{}, seen(err)
	}
	u, ok := r.(*tg.Updates)
	if !ok {
		return scenario.Chat{}, fmt.Errorf("a channel's creation answered %T", r)
	}
	return findChat(u.Chats, title)
}

func (c *client) Invite(ctx context.Context, chat scenario.Chat, user scenario.User) error {
	r, err := c.api.ChannelsInviteToChannel(ctx, &tg.ChannelsInviteToChannelRequest{
		Channel: inputChannel(chat), Users: []tg.InputUserClass{inputUser(user)},
	})
	if err == nil && len(r.MissingInvitees) != 0 {
		return fmt.Errorf("missing invitees: %v", r.MissingInvitees)
	}
	return seen(err)
}

func (c *client) Promote(ctx context.Context, chat scenario.Chat, user scenario.User) error {
	_, err := c.api.ChannelsEditAdmin(ctx, &tg.ChannelsEditAdminRequest{
		Channel: inputChannel(chat), UserID: inputUser(user),
		AdminRights: tg.ChatAdminRights{ManageCall: true, Other: true},
	})
	return seen(err)
}

func (c *client) Chat(ctx context.Context, title string) (scenario.Chat, error) {
	d, err := c.dialogs(ctx)
	if err != nil {
		return scenario.Chat{}, err
	}
	return findChat(d.GetChats(), title)
}

// dialogs fetches the list of dialogs, which is short.
func (c *client) dialogs(ctx context.Context) (tg.ModifiedMessagesDialogs, error) {
	r, err := c.api.MessagesGetDialogs(ctx, &tg.MessagesGetDialogsRequest{OffsetPeer: &tg.InputPeerEmpty{}, Limit: 100})
	if err != nil {
		return nil, seen(err)
	}
	d, ok := r.AsModified()
	if !ok {
		return nil, fmt.Errorf("the dialogs are a %T", r)
	}
	return d, nil
}

func (c *client) Full(ctx context.Context, chat scenario.Chat) (scenario.FullChat, error) {
	r, err := c.api.ChannelsGetFullChannel(ctx, inputChannel(chat))
	if err != nil {
		return scenario.FullChat{}, seen(err)
	}
	full, ok := r.FullChat.(*tg.ChannelFull)
	if !ok {
		return scenario.FullChat{}, fmt.Errorf("the full chat is a %T", r.FullChat)
	}
	f := scenario.FullChat{Pts: full.Pts}
	if in, ok := full.GetCall(); ok {
		call := callOf(in)
		f.Call = &call
	}
	return f, nil
}

func (c *client) History(ctx context.Context, chat scenario.Chat) ([]scenario.Message, error) {
	return c.history(ctx, &tg.InputPeerChannel{ChannelID: chat.ID, AccessHash: chat.AccessHash})
}

func (c *client) Notices(ctx context.Context) ([]scenario.Message, error) {
	d, err := c.dialogs(ctx)
	if err != nil {
		return nil, err
	}
	for _, u := range d.GetUsers() {
		if u, ok := u.AsNotEmpty(); ok && u.ID == 777000 {
			return c.history(ctx, u.AsInputPeer())
		}
	}
	return nil, nil
}

// history reads the newest messages of a chat.
func (c *client) history(ctx context.Context, peer tg.InputPeerClass) ([]scenario.Message, error) {
	r, err := c.api.MessagesGetHistory(ctx, &tg.MessagesGetHistoryRequest{Peer: peer, Limit: 100})
	if err != nil {
		return nil, seen(err)
	}
	h, ok := r.AsModified()
	if !ok {
		return nil, fmt.Errorf("the history is a %T", r)
	}
	var all []scenario.Message
	for _, m := range h.GetMessages() {
		all = append(all, message(m))
	}
	return all, nil
}

// findChat finds a chat among those of an answer.
func findChat(chats []tg.ChatClass, title string) (scenario.Chat, error) {
	for _, c := range chats {
		if c, ok := c.(*tg.Channel); ok && c.Title == title {
			return scenario.Chat{
				ID: c.ID, AccessHash: c.AccessHash, Title: c.Title,
				CallActive: c.CallActive, CallNotEmpty: c.CallNotEmpty,
			}, nil
		}
	}
	return scenario.Chat{}, fmt.Errorf("no chat %q among %v", title, chats)
}

func inputChannel(c scenario.Chat) *tg.InputChannel {
	return &tg.InputChannel{ChannelID: c.ID, AccessHash: c.AccessHash}
}

func inputUser(u scenario.User) *tg.InputUser {
	return &tg.InputUser{UserID: u.ID, AccessHash: u.AccessHash}
}
