package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestStatements: texts are read once; readers and the writer, several at a
// time, get what they ask for all the same.
func TestStatements(t *testing.T) { engines(t, testStatements) }

func testStatements(t *testing.T, db *DB) {
	const insert, count = `INSERT INTO settings (name, value) VALUES ($1, $2)`, `SELECT COUNT(*) FROM settings WHERE name LIKE $1`
	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			for n := range 20 {
				name := fmt.Sprintf("%d/%d", i, n)
				err := db.write(t.Context(), func(tx *transaction) error {
					_, err := tx.ExecContext(t.Context(), insert, name, name)
					return err
				})
				var have int
				if err = errors.Join(err, db.read.QueryRowContext(t.Context(), count, fmt.Sprintf("%d/%%", i)).Scan(&have)); err != nil || have != n+1 {
					t.Errorf("%s: %d, %v", name, have, err)
				}
			}
		})
	}
	work.Wait()
	for text, p := range map[string]*pool{insert: db.writer, count: db.read} {
		if s, _ := p.find(text); s == nil {
			t.Errorf("%s is read each time", text)
		}
	}
}

// TestStatementsFail: what fails fails as it did, in a transaction that failed
// nothing is learnt, and who gave up learns nothing.
func TestStatementsFail(t *testing.T) {
	db := open(t, "sqlite:"+filepath.Join(t.TempDir(), "db"))
	var n int
	if err := db.read.QueryRowContext(t.Context(), `SELECT nowhere`).Scan(&n); err == nil || !strings.Contains(err.Error(), "no such column") {
		t.Errorf("err = %v", err)
	}
	const text = `INSERT INTO settings (name, value) VALUES ($1, '')`
	for range 2 { // unknown, then known
		err := db.write(t.Context(), func(tx *transaction) error {
			for range 2 {
				if _, err := tx.ExecContext(t.Context(), text, "a"); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), "UNIQUE") {
			t.Errorf("err = %v", err)
		}
		db.writer.learn(t.Context(), text, 1)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.read.QueryRowContext(ctx, `SELECT 1`).Scan(&n); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

// TestStatementsBounded: texts that are made for each list are not kept
// without end.
func TestStatementsBounded(t *testing.T) {
	db := open(t, "sqlite:"+filepath.Join(t.TempDir(), "db"))
	ids := make([]int64, 3*maxArguments)
	for n := range ids {
		if _, err := db.LoadUsers(t.Context(), ids[:n]); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(db.read.statements); n == 0 || n > maxArguments {
		t.Errorf("%d statements", n)
	}
	for i := range 2 * maxStatements {
		rows, err := collect(t.Context(), db.read, func(rows *sql.Rows) (n int, err error) { return n, rows.Scan(&n) }, fmt.Sprintf(`SELECT %d`, i))
		if err != nil || len(rows) != 1 || rows[0] != i {
			t.Fatalf("%v, %v", rows, err)
		}
	}
	if n := len(db.read.statements); n != maxStatements {
		t.Errorf("%d statements", n)
	}
}
