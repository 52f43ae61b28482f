package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/tg"
)

// statusMember is members.status of who is in the chat.
const statusMember = 1

// post puts a draft into every box it belongs to, as part of tx, and returns
// the copies. Whoever repeats (sender, random_id) gets the first outcome.
func post(ctx context.Context, tx *transaction, d message.Draft) ([]message.Message, error) {
	all, _, err := postOnce(ctx, tx, d)
	return all, err
}

// postOnce is post that also tells whether the copies are new.
func postOnce(ctx context.Context, tx *transaction, d message.Draft) (all []message.Message, fresh bool, err error) {
	if d.RandomID != 0 {
		all, err = collect(ctx, tx, scanMessage, selectMessage+` WHERE sender = $1 AND random_id = $2 AND random_id <> 0`, d.Sender, d.RandomID)
		if err != nil {
			return nil, false, fmt.Errorf("find posted message: %w", err)
		}
		if len(all) > 0 {
			return all, false, nil
		}
	}
	copies, err := address(ctx, tx, d)
	if err != nil {
		return nil, false, err
	}
	action, err := encodeAction(d.Action)
	if err != nil {
		return nil, false, err
	}
	number, err := postNumber(ctx, tx, d)
	if err != nil {
		return nil, false, err
	}
	for i := range copies {
		if err := insertMessage(ctx, tx, &copies[i], number, action); err != nil {
			return nil, false, err
		}
	}
	return copies, true, nil
}

// address returns the copies of a draft, not yet numbered.
func address(ctx context.Context, tx *transaction, d message.Draft) ([]message.Message, error) {
	one := message.Message{
		Chat: d.Chat, From: d.From, Sender: d.Sender, Date: d.Date, Text: d.Text, Action: d.Action, RandomID: d.RandomID,
	}
	switch d.Chat.Kind {
	case peer.Channel:
		one.Box = d.Chat
		if one.From == d.Chat {
			one.From = peer.ID{}
		}
		return []message.Message{one}, nil
	case peer.Chat:
		members, err := collect(ctx, tx, scanID, `SELECT user_id FROM members WHERE chat_id = $1 AND status = $2 ORDER BY user_id`,
			d.Chat.ID, statusMember)
		if err != nil {
			return nil, fmt.Errorf("list members of %s: %w", d.Chat, err)
		}
		all := make([]message.Message, len(members))
		for i, user := range members {
			all[i] = one.CopyFor(user, d.Chat, d.Mentions)
		}
		return all, nil
	case peer.User:
		return addressPrivate(one, d), nil
	}
	return nil, fmt.Errorf("post to %s: nothing to post to", d.Chat)
}

// addressPrivate returns the copies of a private message: the sender's and the
// receiver's, or only the one that the draft asks for.
func addressPrivate(one message.Message, d message.Draft) []message.Message {
	author := d.From
	if author.Kind != peer.User {
		author = peer.OfUser(d.Sender)
	}
	switch {
	case d.To == d.Chat.ID && d.To != 0: // named by its receiver: seen from there it is the author's chat
		return []message.Message{one.CopyFor(d.To, author, d.Mentions)}
	case d.To != 0:
		return []message.Message{one.CopyFor(d.To, d.Chat, d.Mentions)}
	case d.Chat == author:
		return []message.Message{one.CopyFor(author.ID, d.Chat, nil)}
	}
	return []message.Message{
		one.CopyFor(author.ID, d.Chat, nil),
		one.CopyFor(d.Chat.ID, author, d.Mentions),
	}
}

// postNumber returns the number that copies of a message share.
func postNumber(ctx context.Context, tx *transaction, d message.Draft) (int64, error) {
	if d.Chat.Kind == peer.Channel {
		return 0, nil
	}
	_, number, err := advance(ctx, tx, peer.ID{}, 1, d.Date)
	return int64(number), err
}

// advance counts one change of a box, and messages new ones.
func advance(ctx context.Context, tx *transaction, box peer.ID, messages int, date int64) (pts, lastID int, err error) {
	err = tx.QueryRowContext(ctx, `
		INSERT INTO boxes (kind, owner, pts, last_id, changed) VALUES ($1, $2, 2, $3, $4)
		ON CONFLICT (kind, owner) DO UPDATE SET pts = boxes.pts + 1, last_id = boxes.last_id + excluded.last_id, changed = excluded.changed
		RETURNING pts, last_id`, box.Kind, box.ID, messages, date).Scan(&pts, &lastID)
	if err != nil {
		return 0, 0, fmt.Errorf("advance box of %s: %w", box, err)
	}
	return pts, lastID, nil
}

// insertMessage numbers a copy and writes it down.
func insertMessage(ctx context.Context, tx *transaction, m *message.Message, number int64, action []byte) error {
	var err error
	if m.Pts, m.ID, err = advance(ctx, tx, m.Box, 1, m.Date); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO messages (box_kind, box_id, id, pts, post, chat_kind, chat_id, from_kind, from_id,
			sender, outgoing, mentioned, date, text, action, random_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		m.Box.Kind, m.Box.ID, m.ID, m.Pts, number, m.Chat.Kind, m.Chat.ID, m.From.Kind, m.From.ID,
		m.Sender, m.Out, m.Mentioned, m.Date, m.Text, action, m.RandomID)
	if err != nil {
		return fmt.Errorf("insert message %d of %s: %w", m.ID, m.Box, err)
	}
	err = insertChange(ctx, tx, message.Change{Box: m.Box, Pts: m.Pts, Kind: message.Posted, Chat: m.Chat, ID: m.ID})
	if err != nil || m.Box.Kind != peer.User {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO dialogs (owner, kind, id, top) VALUES ($1, $2, $3, $4)
		ON CONFLICT (owner, kind, id) DO UPDATE SET top = excluded.top`, m.Box.ID, m.Chat.Kind, m.Chat.ID, m.ID)
	if err != nil {
		return fmt.Errorf("update dialog with %s: %w", m.Chat, err)
	}
	return nil
}

// insertChange writes one step of a box's pts into its log.
func insertChange(ctx context.Context, tx *transaction, c message.Change) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO changes (box_kind, box_id, pts, kind, chat_kind, chat_id, id) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		c.Box.Kind, c.Box.ID, c.Pts, c.Kind, c.Chat.Kind, c.Chat.ID, c.ID)
	if err != nil {
		return fmt.Errorf("log change %d of %s: %w", c.Pts, c.Box, err)
	}
	return nil
}

const selectMessage = `SELECT box_kind, box_id, id, pts, chat_kind, chat_id, from_kind, from_id, sender, outgoing, mentioned,
	date, text, action, random_id FROM messages`

// scanMessage reads one row of selectMessage.
func scanMessage(rows *sql.Rows) (message.Message, error) {
	var m message.Message
	var action []byte
	err := rows.Scan(&m.Box.Kind, &m.Box.ID, &m.ID, &m.Pts, &m.Chat.Kind, &m.Chat.ID, &m.From.Kind, &m.From.ID,
		&m.Sender, &m.Out, &m.Mentioned, &m.Date, &m.Text, &action, &m.RandomID)
	if err != nil {
		return m, err
	}
	m.Action, err = decodeAction(action)
	return m, err
}

func scanID(rows *sql.Rows) (id int64, err error) {
	err = rows.Scan(&id)
	return id, err
}

// encodeAction returns how an action is stored: boxed, of the canonical layer.
func encodeAction(action tg.MessageActionClass) ([]byte, error) {
	if action == nil {
		return nil, nil
	}
	b, err := tg.Encode(action, tg.Layer)
	if err != nil {
		return nil, fmt.Errorf("encode action: %w", err)
	}
	return slices.Clone(b), nil
}

func decodeAction(b []byte) (tg.MessageActionClass, error) {
	if len(b) == 0 {
		return nil, nil
	}
	o, err := tg.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("decode action: %w", err)
	}
	action, ok := o.(tg.MessageActionClass)
	if !ok {
		return nil, fmt.Errorf("decode action: found %T", o)
	}
	return action, nil
}
