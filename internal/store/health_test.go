package store

import (
	"path/filepath"
	"testing"
)

// TestHealth fills the disk and makes room again.
func TestHealth(t *testing.T) {
	db := open(t, "sqlite:"+filepath.Join(t.TempDir(), "a.db"))
	limit := func(pragma string) {
		t.Helper()
		if _, err := db.writer.ExecContext(t.Context(), pragma); err != nil {
			t.Fatal(err)
		}
	}
	fill := func() error {
		return db.write(t.Context(), func(tx *transaction) error {
			_, err := tx.ExecContext(t.Context(), `INSERT INTO settings (name, value) VALUES ('big', randomblob(1000000))`)
			return err
		})
	}
	if err := db.Health(t.Context()); err != nil {
		t.Error("at first:", err)
	}
	limit(`PRAGMA max_page_count = 1`) // as many as there are
	if err := fill(); !NoSpace(err) || Damaged(err) {
		t.Fatal("a full disk was written to, or:", err)
	}
	if err := db.Health(t.Context()); err == nil {
		t.Error("well with a full disk")
	}
	limit(`PRAGMA max_page_count = 1000000`)
	if err := db.Health(t.Context()); err != nil {
		t.Error("with room again:", err)
	}
	if err := fill(); err != nil {
		t.Error(err)
	}
	if err := fill(); err == nil || db.Health(t.Context()) != nil {
		t.Error("a name that is taken was taken for a broken disk:", err)
	}
}
