//go:build !amd64 && !arm64

package ahead

import "unsafe"

// Fetch does nothing on this processor.
func Fetch(unsafe.Pointer, int) {}
