//go:build !linux || !(amd64 || arm64)

package udp

import (
	"errors"
	"net"
	"time"
)

// newBatched tells that there is no batched Trunk on this system.
func newBatched(*net.UDPConn) (Trunk, error) { return nil, errors.ErrUnsupported }

// Nap waits for d.
func Nap(d time.Duration) { time.Sleep(d) }
