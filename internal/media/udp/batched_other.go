//go:build !linux || !(amd64 || arm64)

package udp

import (
	"errors"
	"net"
)

// newBatched tells that there is no batched Socket on this system.
func newBatched(*net.UDPConn) (Socket, error) { return nil, errors.ErrUnsupported }
