//go:build amd64 || arm64

package ahead

import "unsafe"

// Fetch asks for the n bytes from p on.
//
//go:noescape
func Fetch(p unsafe.Pointer, n int)
