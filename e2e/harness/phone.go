package harness

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// A Phone is a number that signs in on a server in dev mode.
type Phone struct {
	Number string // 99966XYYYY
	Code   string // X, five times
}

var lastPhone atomic.Int32

// NewPhone returns a number that no other test of this process uses.
func NewPhone() Phone {
	n := lastPhone.Add(1)
	x := 1 + n%3
	return Phone{
		Number: fmt.Sprintf("99966%d%04d", x, n),
		Code:   strings.Repeat(fmt.Sprint(x), 5),
	}
}
