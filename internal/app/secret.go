package app

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"parley/internal/exchange"
)

// secrets is what a data directory keeps outside the database: the RSA key and
// one master secret that all others are derived from.
type secrets struct {
	rsa     *rsa.PrivateKey
	hashes  []byte   // access hashes
	tokens  []byte   // JSON tokens
	seal    [32]byte // auth keys at rest
	mtproxy []byte   // 16 bytes: the server as its own MTProxy
	isNew   bool     // the master secret was made just now
}

// loadSecrets reads the secrets of the data directory and makes those missing.
func loadSecrets(dir string) (*secrets, error) {
	pem, err := keep(filepath.Join(dir, "server.pem"), func() ([]byte, error) {
		key, err := exchange.NewRSAKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		return exchange.MarshalPrivateKey(key), nil
	})
	if err != nil {
		return nil, err
	}
	key, err := exchange.ParsePrivateKey(pem)
	if err != nil {
		return nil, fmt.Errorf("%w: %s holds no RSA key (%w); restore it, or remove it and point all clients at a new key",
			ErrSetting, filepath.Join(dir, "server.pem"), err)
	}
	s := &secrets{rsa: key}
	text, err := keep(filepath.Join(dir, "secret"), func() ([]byte, error) {
		s.isNew = true
		var b [32]byte
		_, _ = rand.Read(b[:]) // never fails
		return []byte(hex.EncodeToString(b[:]) + "\n"), nil
	})
	if err != nil {
		return nil, err
	}
	master, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(master) != 32 {
		return nil, fmt.Errorf("%w: %s is damaged; restore it, or start with an empty --data", ErrSetting, filepath.Join(dir, "secret"))
	}
	for _, d := range []struct {
		label string
		out   func([]byte)
	}{
		{"access hashes", func(b []byte) { s.hashes = b }},
		{"json tokens", func(b []byte) { s.tokens = b }},
		{"auth keys at rest", func(b []byte) { copy(s.seal[:], b) }},
		{"mtproxy", func(b []byte) { s.mtproxy = b[:16] }},
	} {
		b, err := hkdf.Key(sha256.New, master, nil, "parley "+d.label, 32)
		if err != nil {
			return nil, fmt.Errorf("derive secret: %w", err)
		}
		d.out(b)
	}
	return s, nil
}

// keep returns the file's content; a file that is missing is made first, so
// that nobody but its owner reads it and a crash leaves all of it or nothing.
func keep(name string, fill func() ([]byte, error)) ([]byte, error) {
	b, err := os.ReadFile(name)
	if err == nil {
		return b, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: can't read %s (%w); give it to the user who runs parley", ErrSetting, name, err)
	}
	if b, err = fill(); err != nil {
		return nil, fmt.Errorf("make %s: %w", filepath.Base(name), err)
	}
	if err := replaceFile(name, b, 0o600); err != nil {
		return nil, fmt.Errorf("%w: can't write %s (%w); name a --data directory that can be written", ErrSetting, name, err)
	}
	return b, nil
}

// replaceFile writes a file in one step: readers see the old or the new one.
func replaceFile(name string, b []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
