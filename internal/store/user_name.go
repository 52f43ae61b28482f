package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"parley/internal/directory"
	"parley/internal/peer"
)

// PeerByName returns who has a username, in any case; zero for nobody.
func (db *DB) PeerByName(ctx context.Context, name string) (peer.ID, error) {
	return peerByName(ctx, db.read, name)
}

func peerByName(ctx context.Context, q querier, name string) (id peer.ID, err error) {
	err = q.QueryRowContext(ctx, `SELECT kind, id FROM usernames WHERE name = $1`, strings.ToLower(name)).Scan(&id.Kind, &id.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return peer.ID{}, nil
	}
	return id, err
}

// SaveName gives a user or channel a username in place of the old one; "" only
// takes that away.
func (db *DB) SaveName(ctx context.Context, id peer.ID, name string) error {
	return db.write(ctx, func(tx *transaction) error {
		if name != "" {
			owner, err := peerByName(ctx, tx, name)
			if err != nil {
				return fmt.Errorf("find username: %w", err)
			}
			if !owner.IsZero() && owner != id {
				return directory.ErrTaken
			}
		}
		if err := freeName(ctx, tx, id); err != nil || name == "" {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO usernames (name, display, kind, id) VALUES ($1, $2, $3, $4)`,
			strings.ToLower(name), name, id.Kind, id.ID)
		if err != nil {
			return fmt.Errorf("insert username: %w", err)
		}
		return nil
	})
}

// freeName takes a peer's username away.
func freeName(ctx context.Context, tx *transaction, id peer.ID) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM usernames WHERE kind = $1 AND id = $2`, id.Kind, id.ID); err != nil {
		return fmt.Errorf("delete username: %w", err)
	}
	return nil
}

// LoadContacts returns a user's contacts.
func (db *DB) LoadContacts(ctx context.Context, owner int64) ([]directory.Contact, error) {
	scan := func(rows *sql.Rows) (c directory.Contact, err error) {
		err = rows.Scan(&c.User, &c.First, &c.Last)
		return c, err
	}
	return collect(ctx, db.read, scan, `SELECT user_id, first_name, last_name FROM contacts WHERE owner_id = $1`, owner)
}

// SaveContacts adds contacts or renames them.
func (db *DB) SaveContacts(ctx context.Context, owner int64, list []directory.Contact) error {
	return db.write(ctx, func(tx *transaction) error {
		for _, c := range list {
			_, err := tx.ExecContext(ctx, `
				INSERT INTO contacts (owner_id, user_id, first_name, last_name) VALUES ($1, $2, $3, $4)
				ON CONFLICT (owner_id, user_id) DO UPDATE SET first_name = excluded.first_name, last_name = excluded.last_name`,
				owner, c.User, c.First, c.Last)
			if err != nil {
				return fmt.Errorf("insert contact: %w", err)
			}
		}
		return nil
	})
}

// DeleteContacts removes contacts of a user.
func (db *DB) DeleteContacts(ctx context.Context, owner int64, users []int64) error {
	return db.write(ctx, func(tx *transaction) error {
		for _, u := range users {
			if _, err := tx.ExecContext(ctx, `DELETE FROM contacts WHERE owner_id = $1 AND user_id = $2`, owner, u); err != nil {
				return fmt.Errorf("delete contact: %w", err)
			}
		}
		return nil
	})
}
