package directory

import "strings"

const (
	minPhone = 5
	maxPhone = 15 // E.164
)

// devPrefix starts the phones of test accounts: 99966XYYYY.
const devPrefix = "99966"

// parsePhone returns the digits of a phone number as people and clients write
// it: "+1 (234) 567-89".
func parsePhone(s string) (string, bool) {
	digits := make([]byte, 0, maxPhone)
	for i, r := range strings.TrimSpace(s) {
		switch {
		case r >= '0' && r <= '9' && len(digits) < maxPhone:
			digits = append(digits, byte(r))
		case r == '+' && i == 0, r == ' ', r == '-', r == '(', r == ')', r == '.':
		default:
			return "", false
		}
	}
	return string(digits), len(digits) >= minPhone
}

// devCode returns the fixed code of a test account's phone.
func devCode(phone string) (string, bool) {
	if len(phone) != len(devPrefix)+5 || !strings.HasPrefix(phone, devPrefix) {
		return "", false
	}
	return strings.Repeat(phone[len(devPrefix):len(devPrefix)+1], 5), true
}
