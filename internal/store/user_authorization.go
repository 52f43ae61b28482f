package store

import (
	"context"
	"database/sql"
	"fmt"

	"parley/internal/directory"
)

const selectAuthorization = `SELECT key_id, user_id, created, device FROM authorizations`

func scanAuthorization(rows *sql.Rows) (a directory.Authorization, err error) {
	err = rows.Scan(&a.Key, &a.User, &a.Created, &a.Device)
	return a, err
}

// LoadAuthorization returns who is signed in with a key; the zero
// Authorization when nobody is.
func (db *DB) LoadAuthorization(ctx context.Context, key int64) (directory.Authorization, error) {
	all, err := collect(ctx, db.read, scanAuthorization, selectAuthorization+` WHERE key_id = $1`, key)
	if err != nil || len(all) == 0 {
		return directory.Authorization{}, err
	}
	return all[0], nil
}

// AuthorizationsOf returns the keys that a user is signed in with, newest first.
func (db *DB) AuthorizationsOf(ctx context.Context, user int64) ([]directory.Authorization, error) {
	return collect(ctx, db.read, scanAuthorization, selectAuthorization+` WHERE user_id = $1 ORDER BY created DESC, key_id`, user)
}

// SaveAuthorization binds a key to a user, in place of whom it was bound to.
func (db *DB) SaveAuthorization(ctx context.Context, a directory.Authorization) error {
	return db.write(ctx, func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO authorizations (key_id, user_id, created, device) VALUES ($1, $2, $3, $4)
			ON CONFLICT (key_id) DO UPDATE SET user_id = excluded.user_id, created = excluded.created, device = excluded.device`,
			a.Key, a.User, a.Created, a.Device)
		if err != nil {
			return fmt.Errorf("insert authorization: %w", err)
		}
		return nil
	})
}

// DeleteAuthorization unbinds a key.
func (db *DB) DeleteAuthorization(ctx context.Context, key int64) error {
	return db.write(ctx, func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM authorizations WHERE key_id = $1`, key)
		return err
	})
}
