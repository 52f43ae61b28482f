// Package store keeps what outlives the process in SQLite: auth keys, people,
// chats, messages and calls. It implements the persistence interfaces of the
// services.
//
// Every change is one transaction on the only writing connection, committed to
// disk before the call returns. Reads use their own connections and see the
// last committed state; an in-memory database has one connection for both, so
// nothing may read from the pool while it writes or while rows are open.
package store

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	_ "modernc.org/sqlite" // the engine
)

const (
	readers = 4
	pragmas = "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)"
)

// DB is an open database.
type DB struct {
	writer *pool // one connection
	read   *pool // for statements that change nothing
	seal   cipher.AEAD
	broken atomic.Bool // the last write failed because of the disk, not of the data
}

// Open opens the database that url names, sqlite:PATH or sqlite::memory:, and
// brings its tables up to date. Auth keys are encrypted with seal, and a
// database that was made with another one is refused with ErrSecret.
func Open(ctx context.Context, url string, seal [32]byte) (*DB, error) {
	path, ok := strings.CutPrefix(url, "sqlite:")
	if !ok || path == "" {
		return nil, fmt.Errorf("database URL %q: name a file, sqlite:PATH", url)
	}
	aead, err := newSeal(seal)
	if err != nil {
		return nil, err
	}
	db := &DB{seal: aead}
	if path == ":memory:" {
		err = db.openMemory()
	} else {
		err = db.openFile(path)
	}
	if err == nil {
		err = migrate(ctx, db.writer.DB)
	}
	if err == nil {
		err = db.claim(ctx, seal)
	}
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return db, nil
}

func newSeal(key [32]byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("make seal: %w", err)
	}
	return cipher.NewGCM(block)
}

func (db *DB) openMemory() (err error) {
	db.writer, err = openPool("file::memory:"+pragmas+"&_txlock=immediate", 1)
	db.read = db.writer
	return err
}

func (db *DB) openFile(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(abs, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		if path, ok := errors.AsType[*os.PathError](err); ok {
			return path.Err // the caller names the path
		}
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	name := "file://" + (&url.URL{Path: abs}).EscapedPath() + pragmas
	if db.writer, err = openPool(name+"&_txlock=immediate", 1); err != nil {
		return err
	}
	db.read, err = openPool(name+"&_pragma=query_only(1)", readers)
	return err
}

// Close ends all connections; running transactions finish or fail first. What
// is in the write-ahead log goes into the database's file, which is then the
// only one.
func (db *DB) Close() error {
	var errs []error
	if db.read != nil && db.read != db.writer {
		errs = append(errs, db.read.Close())
	}
	if db.writer != nil {
		// If another process reads, the log stays, and nothing is lost.
		_, _ = db.writer.ExecContext(context.Background(), `PRAGMA wal_checkpoint(TRUNCATE)`)
		errs = append(errs, db.writer.Close())
	}
	return errors.Join(errs...)
}

// write runs f in a transaction, one after another, and commits when f returns
// nil. Inside, everything reads through tx.
func (db *DB) write(ctx context.Context, f func(tx *transaction) error) error {
	err := db.transact(ctx, f)
	if err == nil || diskFailed(err) {
		db.broken.Store(err != nil)
	}
	return err
}

func (db *DB) transact(ctx context.Context, f func(tx *transaction) error) error {
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	t := &transaction{tx: tx, pool: db.writer}
	if err := f(t); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}
	t.learn(ctx)
	return nil
}

// querier is what reads: the pool, or the transaction that is being written.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// collect returns all rows of a query as scan reads them.
func collect[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
