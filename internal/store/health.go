package store

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// code returns SQLite's code for what err is about, 0 if it is something else.
func code(err error) int {
	failed, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return 0
	}
	return failed.Code() & 0xff // the rest says more
}

// NoSpace tells whether err may mean that the disk is full.
func NoSpace(err error) bool {
	c := code(err)
	return c == sqlite3.SQLITE_FULL || c == sqlite3.SQLITE_IOERR
}

// Damaged tells whether err says that the file holds no database, or not all of
// one.
func Damaged(err error) bool {
	c := code(err)
	return c == sqlite3.SQLITE_NOTADB || c == sqlite3.SQLITE_CORRUPT
}

// diskFailed tells whether err says that the database can't be written at all:
// the disk is full, broken or read-only.
func diskFailed(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CANTOPEN:
		return true
	}
	return false
}

// Health returns nil while writing works. Once a write has failed because of
// the disk it tries another one, so that it hears when the disk is well again.
func (db *DB) Health(ctx context.Context) error {
	if !db.broken.Load() {
		return nil
	}
	err := db.write(ctx, func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO settings (name, value) VALUES ($1, randomblob(4096))
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, "health")
		return err
	})
	if err != nil {
		return fmt.Errorf("write database: %w", err)
	}
	return nil
}
