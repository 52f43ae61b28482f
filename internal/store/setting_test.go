package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A database goes with the secret that it was made with, and with no other.
func TestSecret(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "a.db")
	for i, tt := range []struct {
		seal [32]byte
		want error
	}{
		{[32]byte{1}, nil},
		{[32]byte{1}, nil},
		{[32]byte{2}, ErrSecret},
		{[32]byte{1}, nil},
	} {
		db, err := Open(t.Context(), url, tt.seal)
		if !errors.Is(err, tt.want) {
			t.Errorf("open %d: %v, want %v", i, err, tt.want)
		}
		if err == nil {
			_ = db.Close()
		}
	}
}

// TestCloseLeavesOneFile shows that after a clean stop the database is all in
// its one file.
func TestCloseLeavesOneFile(t *testing.T) {
	dir := t.TempDir()
	url := "sqlite:" + filepath.Join(dir, "a.db")
	db := open(t, url)
	want, err := db.NextID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 || files[0].Name() != "a.db" {
		t.Errorf("left are %v, %v", files, err)
	}
	if got, err := open(t, url).NextID(t.Context()); err != nil || got != want+1 {
		t.Errorf("next id = %d, %v, want %d", got, err, want+1)
	}
}
