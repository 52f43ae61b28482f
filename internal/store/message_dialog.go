package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"parley/internal/message"
	"parley/internal/peer"
)

// Dialogs returns all chats that user has messages in or is a member of, in
// no order.
func (db *DB) Dialogs(ctx context.Context, user int64) ([]message.Dialog, error) {
	own, err := collect(ctx, db.read, scanDialog, `
		SELECT d.kind, d.id, d.top, t.date, 0, d.read_inbox, d.read_outbox, (
			SELECT COUNT(*) FROM messages u WHERE u.box_kind = t.box_kind AND u.box_id = d.owner
				AND u.chat_kind = d.kind AND u.chat_id = d.id AND u.id > d.read_inbox AND NOT u.outgoing)
		FROM dialogs d JOIN messages t ON t.box_kind = $2 AND t.box_id = d.owner AND t.id = d.top
		WHERE d.owner = $1 AND d.kind <> $3`, user, peer.User, peer.Channel)
	if err != nil {
		return nil, fmt.Errorf("list dialogs of user %d: %w", user, err)
	}
	channels, err := collect(ctx, db.read, scanDialog, `
		SELECT b.kind, b.owner, b.last_id, b.changed, b.pts, COALESCE(d.read_inbox, 0), COALESCE(d.read_outbox, 0), (
			SELECT COUNT(*) FROM messages u WHERE u.box_kind = b.kind AND u.box_id = b.owner
				AND u.id > COALESCE(d.read_inbox, 0) AND u.sender <> m.user_id AND u.date >= m.joined)
		FROM members m JOIN boxes b ON b.kind = $2 AND b.owner = m.chat_id
			LEFT JOIN dialogs d ON d.owner = m.user_id AND d.kind = b.kind AND d.id = b.owner
		WHERE m.user_id = $1 AND m.status = $3`, user, peer.Channel, statusMember)
	if err != nil {
		return nil, fmt.Errorf("list channels of user %d: %w", user, err)
	}
	return append(own, channels...), nil
}

func scanDialog(rows *sql.Rows) (message.Dialog, error) {
	var d message.Dialog
	err := rows.Scan(&d.Chat.Kind, &d.Chat.ID, &d.Top, &d.Date, &d.Pts, &d.ReadInbox, &d.ReadOutbox, &d.Unread)
	return d, err
}

// Dialog returns how a chat looks to user, also when there is nothing in it.
func (db *DB) Dialog(ctx context.Context, user int64, chat peer.ID) (message.Dialog, error) {
	d, err := dialog(ctx, db.read, user, chat)
	if err != nil {
		return d, fmt.Errorf("load dialog of user %d with %s: %w", user, chat, err)
	}
	return d, nil
}

func dialog(ctx context.Context, q querier, user int64, chat peer.ID) (message.Dialog, error) {
	d := message.Dialog{Chat: chat}
	err := q.QueryRowContext(ctx, `SELECT top, read_inbox, read_outbox FROM dialogs WHERE owner = $1 AND kind = $2 AND id = $3`,
		user, chat.Kind, chat.ID).Scan(&d.Top, &d.ReadInbox, &d.ReadOutbox)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return d, err
	}
	if chat.Kind == peer.Channel {
		var s message.State
		if s, err = boxState(ctx, q, chat); err != nil {
			return d, err
		}
		d.Pts, d.Top, d.Date = s.Pts, s.LastID, s.Changed
	}
	d.Unread, err = unread(ctx, q, user, chat, d.ReadInbox)
	return d, err
}

// unread counts what others wrote after a message: in a channel only since
// the user joined.
func unread(ctx context.Context, q querier, user int64, chat peer.ID, after int) (n int, err error) {
	if chat.Kind == peer.Channel {
		err = q.QueryRowContext(ctx, `SELECT COUNT(*) FROM messages WHERE box_kind = $1 AND box_id = $2 AND id > $3 AND sender <> $4
			AND date >= COALESCE((SELECT joined FROM members WHERE chat_id = $2 AND user_id = $4), 0)`,
			chat.Kind, chat.ID, after, user).Scan(&n)
		return n, err
	}
	err = q.QueryRowContext(ctx, `SELECT COUNT(*) FROM messages WHERE box_kind = $1 AND box_id = $2 AND chat_kind = $3 AND chat_id = $4
		AND id > $5 AND NOT outgoing`, peer.User, user, chat.Kind, chat.ID, after).Scan(&n)
	return n, err
}
