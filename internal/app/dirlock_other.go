//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package app

import "os"

// lockFile does nothing where files can't be locked without waiting.
func lockFile(*os.File) error { return nil }
