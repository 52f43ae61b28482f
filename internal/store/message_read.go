package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"parley/internal/message"
	"parley/internal/peer"
)

// readAuthors bounds how many authors are told of one reading.
const readAuthors = 200

// MarkRead notes that user has read a chat up to a message; maxID 0 means all
// of it. The authors of what was read get their outbox marked.
func (db *DB) MarkRead(ctx context.Context, user int64, chat peer.ID, maxID int, date int64) (r message.Reading, err error) {
	err = db.write(ctx, func(tx *transaction) error {
		if chat.Kind == peer.Channel {
			r, err = readChannel(ctx, tx, user, chat, maxID)
		} else {
			r, err = readOwn(ctx, tx, user, chat, maxID, date)
		}
		if err != nil {
			return fmt.Errorf("mark %s read by user %d: %w", chat, user, err)
		}
		return nil
	})
	return r, err
}

// advanceRead raises the reader's mark. It returns the mark before it and
// tells in r how things stand.
func advanceRead(ctx context.Context, tx *transaction, user int64, chat peer.ID, maxID int) (r message.Reading, before int, err error) {
	d, err := dialog(ctx, tx, user, chat)
	if err != nil {
		return r, 0, err
	}
	if maxID <= 0 || maxID > d.Top {
		maxID = d.Top
	}
	r = message.Reading{Pts: d.Pts, MaxID: d.ReadInbox, Unread: d.Unread}
	if maxID <= d.ReadInbox {
		return r, d.ReadInbox, nil
	}
	r.MaxID, r.Changed = maxID, true
	_, err = tx.ExecContext(ctx, `
		INSERT INTO dialogs (owner, kind, id, read_inbox) VALUES ($1, $2, $3, $4)
		ON CONFLICT (owner, kind, id) DO UPDATE SET read_inbox = excluded.read_inbox`, user, chat.Kind, chat.ID, maxID)
	if err != nil {
		return r, 0, err
	}
	r.Unread, err = unread(ctx, tx, user, chat, maxID)
	return r, d.ReadInbox, err
}

// readOwn reads a private chat or basic group: the reader's box changes, and
// the box of every author.
func readOwn(ctx context.Context, tx *transaction, user int64, chat peer.ID, maxID int, date int64) (message.Reading, error) {
	box := peer.OfUser(user)
	r, before, err := advanceRead(ctx, tx, user, chat, maxID)
	if err != nil {
		return r, err
	}
	if !r.Changed {
		var s message.State
		s, err = boxState(ctx, tx, box)
		r.Pts = s.Pts
		return r, err
	}
	if r.Pts, err = change(ctx, tx, message.Change{Box: box, Kind: message.InboxRead, Chat: chat, ID: r.MaxID}, date); err != nil {
		return r, err
	}
	marks, err := collect(ctx, tx, scanMark, `
		SELECT a.sender, MAX(a.id) FROM messages m JOIN messages a ON a.post = m.post AND a.post <> 0 AND a.box_kind = m.box_kind AND a.box_id = m.sender
		WHERE m.box_kind = $1 AND m.box_id = $2 AND m.chat_kind = $3 AND m.chat_id = $4 AND m.id > $5 AND m.id <= $6 AND m.sender <> $2
		GROUP BY a.sender ORDER BY a.sender LIMIT $7`, box.Kind, box.ID, chat.Kind, chat.ID, before, r.MaxID, readAuthors)
	if err != nil {
		return r, err
	}
	seen := chat // where the author sees the chat
	if chat.Kind == peer.User {
		seen = box
	}
	for _, m := range marks {
		changed, err := raiseOutbox(ctx, tx, m.author, seen, m.id)
		if err != nil {
			return r, err
		}
		if !changed {
			continue
		}
		c := message.Change{Box: peer.OfUser(m.author), Kind: message.OutboxRead, Chat: seen, ID: m.id}
		if c.Pts, err = change(ctx, tx, c, date); err != nil {
			return r, err
		}
		r.Others = append(r.Others, c)
	}
	return r, nil
}

// readChannel reads a channel: marks outside of its pts. Broadcast channels
// tell no author.
func readChannel(ctx context.Context, tx *transaction, user int64, chat peer.ID, maxID int) (message.Reading, error) {
	r, before, err := advanceRead(ctx, tx, user, chat, maxID)
	if err != nil || !r.Changed {
		return r, err
	}
	marks, err := collect(ctx, tx, scanMark, `
		SELECT sender, MAX(id) FROM messages WHERE box_kind = $1 AND box_id = $2 AND id > $3 AND id <= $4 AND sender <> $5 AND sender <> 0
			AND NOT EXISTS (SELECT 1 FROM chats c WHERE c.id = $2 AND c.broadcast)
		GROUP BY sender ORDER BY sender LIMIT $6`, chat.Kind, chat.ID, before, r.MaxID, user, readAuthors)
	if err != nil {
		return r, err
	}
	for _, m := range marks {
		changed, err := raiseOutbox(ctx, tx, m.author, chat, m.id)
		if err != nil {
			return r, err
		}
		if changed {
			r.Others = append(r.Others, message.Change{Box: peer.OfUser(m.author), Kind: message.OutboxRead, Chat: chat, ID: m.id})
		}
	}
	return r, nil
}

// change counts and logs a change of a box that is no message.
func change(ctx context.Context, tx *transaction, c message.Change, date int64) (pts int, err error) {
	if c.Pts, _, err = advance(ctx, tx, c.Box, 0, date); err != nil {
		return 0, err
	}
	return c.Pts, insertChange(ctx, tx, c)
}

// raiseOutbox notes how far an author's messages are read and tells whether
// that is farther than before.
func raiseOutbox(ctx context.Context, tx *transaction, author int64, chat peer.ID, id int) (bool, error) {
	err := tx.QueryRowContext(ctx, `
		INSERT INTO dialogs (owner, kind, id, read_outbox) VALUES ($1, $2, $3, $4)
		ON CONFLICT (owner, kind, id) DO UPDATE SET read_outbox = excluded.read_outbox WHERE dialogs.read_outbox < excluded.read_outbox
		RETURNING read_outbox`, author, chat.Kind, chat.ID, id).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// mark is how far an author's messages were read.
type mark struct {
	author int64
	id     int
}

func scanMark(rows *sql.Rows) (m mark, err error) {
	err = rows.Scan(&m.author, &m.id)
	return m, err
}
