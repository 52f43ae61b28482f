package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/updates"
)

var (
	_ updates.Log     = (*DB)(nil)
	_ updates.Dialogs = (*DB)(nil)
)

// BoxState returns where a box stands.
func (db *DB) BoxState(ctx context.Context, box peer.ID) (message.State, error) {
	return boxState(ctx, db.read, box)
}

func boxState(ctx context.Context, q querier, box peer.ID) (message.State, error) {
	s := message.State{Box: box, Pts: 1}
	err := q.QueryRowContext(ctx, `SELECT pts, last_id, changed FROM boxes WHERE kind = $1 AND owner = $2`, box.Kind, box.ID).
		Scan(&s.Pts, &s.LastID, &s.Changed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return s, fmt.Errorf("load box of %s: %w", box, err)
	}
	return s, nil
}

// BoxChanges returns the first changes of a box after pts, in order.
func (db *DB) BoxChanges(ctx context.Context, box peer.ID, pts, limit int) ([]message.Change, error) {
	all, err := collect(ctx, db.read, func(rows *sql.Rows) (message.Change, error) {
		c := message.Change{Box: box}
		err := rows.Scan(&c.Pts, &c.Kind, &c.Chat.Kind, &c.Chat.ID, &c.ID)
		return c, err
	}, `SELECT pts, kind, chat_kind, chat_id, id FROM changes WHERE box_kind = $1 AND box_id = $2 AND pts > $3 ORDER BY pts LIMIT $4`,
		box.Kind, box.ID, pts, limit)
	if err != nil {
		return nil, fmt.Errorf("list changes of %s: %w", box, err)
	}
	return all, nil
}

// ChangedChannels returns the channels that user is a member of and that
// changed at the given date or later.
func (db *DB) ChangedChannels(ctx context.Context, user, since int64) ([]message.State, error) {
	all, err := collect(ctx, db.read, func(rows *sql.Rows) (message.State, error) {
		var s message.State
		err := rows.Scan(&s.Box.Kind, &s.Box.ID, &s.Pts, &s.LastID, &s.Changed)
		return s, err
	}, `SELECT b.kind, b.owner, b.pts, b.last_id, b.changed FROM members m JOIN boxes b ON b.kind = $2 AND b.owner = m.chat_id
		WHERE m.user_id = $1 AND m.status = $3 AND b.changed >= $4`, user, peer.Channel, statusMember, since)
	if err != nil {
		return nil, fmt.Errorf("list changed channels of user %d: %w", user, err)
	}
	return all, nil
}
