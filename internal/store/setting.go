package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
)

// ErrSecret is returned for a database that was made with another secret: what
// is sealed in it can't be read, and what clients remember would be wrong.
var ErrSecret = errors.New("made with another secret")

// claim binds a new database to the secret that seal is derived from, and
// refuses one that is bound to another.
func (db *DB) claim(ctx context.Context, seal [32]byte) error {
	mark := sha256.Sum256(append([]byte("parley secret "), seal[:]...))
	return db.write(ctx, func(tx *transaction) error {
		if _, err := tx.ExecContext(ctx,
			`INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, "secret", mark[:]); err != nil {
			return fmt.Errorf("write fingerprint of the secret: %w", err)
		}
		var kept []byte
		if err := tx.QueryRowContext(ctx, `SELECT value FROM settings WHERE name = $1`, "secret").Scan(&kept); err != nil {
			return fmt.Errorf("read fingerprint of the secret: %w", err)
		}
		if !bytes.Equal(kept, mark[:]) {
			return ErrSecret
		}
		return nil
	})
}
