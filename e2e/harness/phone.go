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

// DemoOwner is the number of who owns the demo world's chat.
var DemoOwner = Phone{Number: "9996610000", Code: "11111"}

// NewPhone returns a number that neither another test of this process nor the
// demo world uses.
func NewPhone() Phone {
	n := 1000 + lastPhone.Add(1)
	x := 1 + n%3
	return Phone{
		Number: fmt.Sprintf("99966%d%04d", x, n),
		Code:   strings.Repeat(fmt.Sprint(x), 5),
	}
}
