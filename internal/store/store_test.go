package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/internal/directory"
	"parley/internal/rpc"
)

// open returns a database that is closed when the test ends.
func open(t testing.TB, url string) *DB {
	t.Helper()
	db, err := Open(t.Context(), url, [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// engines runs f on an empty database of every kind.
func engines(t *testing.T, f func(t *testing.T, db *DB)) {
	t.Run("memory", func(t *testing.T) { f(t, open(t, "sqlite::memory:")) })
	t.Run("file", func(t *testing.T) { f(t, open(t, "sqlite:"+filepath.Join(t.TempDir(), "odd ?%20#name.db"))) })
}

func TestOpenUnusable(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"", "sqlite:", "mysql://x", "sqlite:" + dir, "sqlite:" + dir + "/none/a.db", "sqlite:" + text} {
		db, err := Open(t.Context(), url, [32]byte{})
		if err == nil {
			_ = db.Close()
			t.Errorf("Open(%q) succeeded", url)
			continue
		}
		if strings.ContainsRune(err.Error(), '\n') {
			t.Errorf("Open(%q): more than one line: %v", url, err)
		}
	}
}

func TestKeys(t *testing.T) {
	engines(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		k := rpc.Key{ID: -5, Salt: 7, Created: time.Unix(1700000000, 0)}
		for i := range k.Value {
			k.Value[i] = byte(i)
		}
		if err := db.SaveKey(ctx, k); err != nil {
			t.Fatal(err)
		}
		if err := db.SaveKey(ctx, k); err == nil {
			t.Error("the same id was saved twice")
		}
		if err := db.SetKeyLayer(ctx, k.ID, 158); err != nil {
			t.Fatal(err)
		}
		k.Layer = 158
		if got, err := db.LoadKey(ctx, k.ID); err != nil || got != k {
			t.Errorf("LoadKey = %v, %v", got, err)
		}
		var sealed []byte
		if err := db.read.QueryRow(`SELECT value FROM auth_keys`).Scan(&sealed); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(sealed), string(k.Value[:16])) {
			t.Error("key is stored in clear")
		}
		if err := db.DeleteKey(ctx, k.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := db.LoadKey(ctx, k.ID); !errors.Is(err, rpc.ErrNoKey) {
			t.Errorf("LoadKey of a deleted key: %v", err)
		}
	})
}

// TestUnusedKeys has more of them than fit into one transaction.
func TestUnusedKeys(t *testing.T) {
	db := open(t, "sqlite::memory:")
	ctx := t.Context()
	const signedIn, inUse, young, all = 3, 4, 5, unusedBatch + 10
	err := db.write(ctx, func(tx *transaction) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO users (id, first_name, created) VALUES (1, 'x', 0)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for id := range int64(all) {
		k := rpc.Key{ID: id, Created: time.Unix(1000, 0)}
		if id == young {
			k.Created = time.Unix(2000, 0)
		}
		if err := db.SaveKey(ctx, k); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.SaveAuthorization(ctx, directory.Authorization{Key: signedIn, User: 1}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := db.DeleteUnusedKeys(ctx, time.Unix(1001, 0), func(id int64) bool { return id == inUse }); err != nil {
			t.Fatal(err)
		}
		for id := range int64(all) {
			_, err := db.LoadKey(ctx, id)
			if kept := id == signedIn || id == inUse || id == young; (err == nil) != kept {
				t.Errorf("key %d: %v", id, err)
			}
		}
	}
}

func TestReopen(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "parley.db")
	db := open(t, url)
	k := rpc.Key{ID: 9, Value: [256]byte{1, 2, 3}, Created: time.Unix(1, 0)}
	if err := db.SaveKey(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, url).LoadKey(t.Context(), 9); err != nil || got != k {
		t.Errorf("LoadKey after reopening = %v, %v", got, err)
	}
	other := open(t, url)
	var err error
	if other.seal, err = newSeal([32]byte{2}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.LoadKey(t.Context(), 9); err == nil || errors.Is(err, rpc.ErrNoKey) {
		t.Errorf("LoadKey with another seal: %v", err)
	}
}

func TestWriteRollsBack(t *testing.T) {
	engines(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		broken := errors.New("broken")
		err := db.write(ctx, func(tx *transaction) error {
			// Parameters are numbered, not positional.
			if _, err := tx.ExecContext(t.Context(), `UPDATE sequences SET value = value + $2 + $2 WHERE name = $1`, "peer", 5); err != nil {
				return err
			}
			var v int64
			if err := tx.QueryRowContext(t.Context(), `SELECT value FROM sequences WHERE name = $1`, "peer").Scan(&v); err != nil || v != 1000000010 {
				t.Errorf("value = %d, %v", v, err)
			}
			return broken
		})
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		var v int64
		if err := db.read.QueryRow(`SELECT value FROM sequences WHERE name = $1`, "peer").Scan(&v); err != nil || v != 1000000000 {
			t.Errorf("value after the rollback = %d, %v", v, err)
		}
	})
}

// Whoever hangs up in the middle of a change loses it, and nothing else.
func TestCancelledWrite(t *testing.T) {
	engines(t, func(t *testing.T, db *DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := db.write(ctx, func(tx *transaction) error {
			if _, err := tx.ExecContext(ctx, `UPDATE sequences SET value = 5 WHERE name = $1`, "peer"); err != nil {
				return err
			}
			cancel()
			_, err := tx.ExecContext(ctx, `UPDATE sequences SET value = 6 WHERE name = $1`, "peer")
			return err
		})
		if err == nil {
			t.Error("a cancelled change succeeded")
		}
		var v int64
		if err := db.read.QueryRow(`SELECT value FROM sequences WHERE name = $1`, "peer").Scan(&v); err != nil || v != 1000000000 {
			t.Errorf("value = %d, %v", v, err)
		}
		if _, err := db.NextID(t.Context()); err != nil {
			t.Errorf("next change: %v", err)
		}
	})
}
