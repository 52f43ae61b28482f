//go:build !linux || !(amd64 || arm64)

package udp

import "errors"

// newBatched tells that there is no batched Trunk on this system.
func newBatched(base) (Trunk, error) { return nil, errors.ErrUnsupported }
