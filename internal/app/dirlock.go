package app

import (
	"fmt"
	"os"
	"path/filepath"
)

// dirLock keeps a data directory to one server at a time. It ends with the
// process, however that ends.
type dirLock struct{ f *os.File }

// openDir makes the data directory, if it is missing, and locks it.
func openDir(dir string) (*dirLock, error) {
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
	return &dirLock{f}, nil
}

func (l *dirLock) close() {
	if l != nil {
		_ = l.f.Close()
	}
}
