package store

import (
	"context"
	"database/sql"
	"fmt"

	"parley/internal/directory"
)

const selectInvite = `
	SELECT i.hash, c.kind, c.id, i.creator_id, i.created, i.revoked, i.expires, i.max_usage, i.usage
	FROM invites i JOIN chats c ON c.id = i.chat_id`

func scanInvite(rows *sql.Rows) (i directory.Invite, err error) {
	err = rows.Scan(&i.Hash, &i.Chat.Kind, &i.Chat.ID, &i.Creator, &i.Created, &i.Revoked, &i.Expires, &i.Limit, &i.Usage)
	return i, err
}

// LoadInvite returns the link of a hash; the zero Invite when there is none.
func (db *DB) LoadInvite(ctx context.Context, hash string) (directory.Invite, error) {
	return db.oneInvite(ctx, selectInvite+` WHERE i.hash = $1`, hash)
}

// PermanentInvite returns the newest link of a creator that never ends; the
// zero Invite when there is none.
func (db *DB) PermanentInvite(ctx context.Context, chat, creator int64) (directory.Invite, error) {
	return db.oneInvite(ctx, selectInvite+`
		WHERE i.chat_id = $1 AND i.creator_id = $2 AND NOT i.revoked AND i.expires = 0 AND i.max_usage = 0
		ORDER BY i.created DESC, i.hash LIMIT 1`, chat, creator)
}

func (db *DB) oneInvite(ctx context.Context, query string, args ...any) (directory.Invite, error) {
	all, err := collect(ctx, db.read, scanInvite, query, args...)
	if err != nil || len(all) == 0 {
		return directory.Invite{}, err
	}
	return all[0], nil
}

func saveInvite(ctx context.Context, tx *transaction, i directory.Invite) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO invites (hash, chat_id, creator_id, created, revoked, expires, max_usage, usage)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (hash) DO UPDATE SET revoked = excluded.revoked, usage = excluded.usage`,
		i.Hash, i.Chat.ID, i.Creator, i.Created, i.Revoked, i.Expires, i.Limit, i.Usage)
	if err != nil {
		return fmt.Errorf("save invite: %w", err)
	}
	return nil
}
