package calls

import (
	"context"
	"fmt"
	"time"

	"parley/internal/call"
	"parley/internal/event"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// Invite asks members of the chat to come.
func (s *Service) Invite(ctx context.Context, c rpc.Caller, id call.ID, users []int64) (tg.UpdatesClass, error) {
	return s.edit(ctx, c, id, func(ctx context.Context, l *live, a call.Actor) (tg.UpdatesClass, error) {
		fresh, err := l.c.CheckInvite(a, users, func(user int64) (bool, error) {
			r, err := s.links.Directory.Rights(ctx, user, l.chat)
			return r.Member, err
		})
		if err != nil {
			return nil, err
		}
		d := s.notice(a, l.c.Info(), &tg.MessageActionInviteToGroupCall{Call: s.input(id), Users: fresh}, time.Now())
		d.Mentions = fresh
		return l.publish(ctx, c, l.c.Record(), Commit{Drafts: []message.Draft{d}}, func(posted [][]message.Message) []event.Event {
			l.c.Invited(fresh)
			return postedEvents(posted...)
		})
	})
}

// ExportInvite returns a link to the call of a public chat, for listeners or
// for speakers.
func (s *Service) ExportInvite(ctx context.Context, c rpc.Caller, id call.ID, canSelfUnmute bool) (string, error) {
	return do(ctx, s, id, func(ctx context.Context, l *live) (string, error) {
		a, err := l.actor(ctx, c)
		if err != nil {
			return "", err
		}
		hash, err := l.c.ExportInvite(a, canSelfUnmute)
		if err != nil {
			return "", err
		}
		_, name, err := s.names(ctx, c, l.chat)
		if err != nil {
			return "", err
		}
		if name == "" {
			return "", call.ErrPublicMissing
		}
		word := "videochat"
		if l.c.Info().Broadcast {
			word = "livestream"
		}
		if hash != "" {
			word += "=" + hash
		}
		return "https://t.me/" + name + "?" + word, nil
	})
}

// names returns the title and the username of a chat as the caller sees them.
func (s *Service) names(ctx context.Context, c rpc.Caller, chat peer.ID) (title, username string, err error) {
	found, err := s.links.Directory.Chats(ctx, c.User, []peer.ID{chat})
	if err != nil {
		return "", "", fmt.Errorf("load %s: %w", chat, err)
	}
	for _, f := range found {
		switch f := f.(type) {
		case *tg.Chat:
			title = f.Title
		case *tg.Channel:
			title = f.Title
			if f.Username != nil {
				username = *f.Username
			}
		}
	}
	return title, username, nil
}
