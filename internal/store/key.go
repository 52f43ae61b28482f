package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"parley/internal/rpc"
)

var _ rpc.Keys = (*DB)(nil)

// LoadKey returns the auth key with the given id, or rpc.ErrNoKey.
func (db *DB) LoadKey(ctx context.Context, id int64) (rpc.Key, error) {
	k := rpc.Key{ID: id}
	var sealed []byte
	var created int64
	err := db.read.QueryRowContext(ctx, `SELECT value, salt, layer, dc, created FROM auth_keys WHERE id = $1`, id).
		Scan(&sealed, &k.Salt, &k.Layer, &k.DC, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return rpc.Key{}, rpc.ErrNoKey
	}
	if err != nil {
		return rpc.Key{}, fmt.Errorf("load key: %w", err)
	}
	value, err := db.unseal(id, sealed)
	if err != nil {
		return rpc.Key{}, fmt.Errorf("unseal key: %w", err)
	}
	copy(k.Value[:], value)
	k.Created = time.Unix(created, 0)
	return k, nil
}

// SaveKey keeps a new auth key; it fails when the id is taken.
func (db *DB) SaveKey(ctx context.Context, k rpc.Key) error {
	nonce := make([]byte, db.seal.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	sealed := db.seal.Seal(nonce, nonce, k.Value[:], keyName(k.ID))
	return db.write(ctx, func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO auth_keys (id, value, salt, layer, dc, created) VALUES ($1, $2, $3, $4, $5, $6)`,
			k.ID, sealed, k.Salt, k.Layer, k.DC, k.Created.Unix())
		if err != nil {
			return fmt.Errorf("save key: %w", err)
		}
		return nil
	})
}

// DeleteKey forgets an auth key and who signed in with it.
func (db *DB) DeleteKey(ctx context.Context, id int64) error {
	return db.write(ctx, func(tx *transaction) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM authorizations WHERE key_id = $1`, id); err != nil {
			return fmt.Errorf("delete authorization: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM auth_keys WHERE id = $1`, id); err != nil {
			return fmt.Errorf("delete key: %w", err)
		}
		return nil
	})
}

// unusedBatch is how many keys are deleted in one transaction.
const unusedBatch = 1000

// DeleteUnusedKeys forgets the auth keys made before a time that nobody is
// signed in with, but those that inUse tells of.
func (db *DB) DeleteUnusedKeys(ctx context.Context, before time.Time, inUse func(id int64) bool) error {
	for last := int64(math.MinInt64); ; {
		ids, err := db.unusedKeys(ctx, before, last)
		if err != nil || len(ids) == 0 {
			return err
		}
		last = ids[len(ids)-1]
		err = db.write(ctx, func(tx *transaction) error {
			for _, id := range slices.DeleteFunc(ids, inUse) {
				if _, err := tx.ExecContext(ctx, `
					DELETE FROM auth_keys WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM authorizations WHERE key_id = $1)`, id); err != nil {
					return fmt.Errorf("delete unused key: %w", err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// unusedKeys returns the ids above last of some keys that nobody is signed in with.
func (db *DB) unusedKeys(ctx context.Context, before time.Time, last int64) (ids []int64, err error) {
	rows, err := db.read.QueryContext(ctx, `
		SELECT id FROM auth_keys k WHERE id > $1 AND created < $2
			AND NOT EXISTS (SELECT 1 FROM authorizations WHERE key_id = k.id)
		ORDER BY id LIMIT $3`, last, before.Unix(), unusedBatch)
	if err != nil {
		return nil, fmt.Errorf("list unused keys: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list unused keys: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// SetKeyLayer notes the layer that the key's owner declared last.
func (db *DB) SetKeyLayer(ctx context.Context, id int64, layer int) error {
	return db.write(ctx, func(tx *transaction) error {
		if _, err := tx.ExecContext(ctx, `UPDATE auth_keys SET layer = $2 WHERE id = $1`, id, layer); err != nil {
			return fmt.Errorf("set layer of key: %w", err)
		}
		return nil
	})
}

func (db *DB) unseal(id int64, sealed []byte) ([]byte, error) {
	n := db.seal.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("too short")
	}
	return db.seal.Open(nil, sealed[:n], sealed[n:], keyName(id))
}

// keyName binds a sealed value to its row.
func keyName(id int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(id)) }
