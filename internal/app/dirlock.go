package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// fileLock keeps a data directory or a database to one server at a time. It
// ends with the process, however that ends.
type fileLock struct{ f *os.File } // nil: nothing to keep

// openDir makes the data directory, if it is missing, and locks it.
func openDir(dir string) (*fileLock, error) {
	if dir == "" {
		return nil, fmt.Errorf("%w: --data is empty; name a directory", ErrSetting)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: --data %s can't be used (%w); name a directory that can be written", ErrSetting, dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: --data %s can't be used (%w); name a directory that can be written", ErrSetting, dir, err)
	}
	if err := lockFile(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%w: --data %s is in use (%w); stop the other server or name another directory", ErrSetting, dir, err)
	}
	return &fileLock{f}, nil
}

// lockDB locks FILE.lock beside the file of a database, under whatever name
// the file is reached. What is no file is not locked: it is private memory, or
// an error that opening it tells.
func lockDB(url string) (*fileLock, error) {
	name, ok := strings.CutPrefix(url, "sqlite:")
	if !ok || name == "" || name == ":memory:" {
		return &fileLock{}, nil
	}
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	f, err := os.OpenFile(name+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: --db %s can't be used (%w); name sqlite:FILE, a file that can be written", ErrSetting, url, err)
	}
	if err := lockFile(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%w: --db %s is in use (%w); stop the other server or name another file", ErrSetting, url, err)
	}
	return &fileLock{f}, nil
}

// mark notes that there is a database beside the lock. Without the note, which
// may fail, one that is lost is only warned of.
func (l *fileLock) mark() {
	if l.f != nil && !l.marked() {
		_, _ = l.f.WriteString("made\n")
	}
}

// marked tells whether there was a database beside the lock.
func (l *fileLock) marked() bool {
	if l.f == nil {
		return false
	}
	file, err := l.f.Stat()
	return err == nil && file.Size() > 0
}

func (l *fileLock) close() {
	if l != nil {
		_ = l.f.Close()
	}
}
