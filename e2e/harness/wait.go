package harness

import (
	"testing"
	"time"
)

// Patience is how long a test waits for what has to happen.
const Patience = 30 * time.Second

// Eventually asks until why is empty: why says what is not yet as it must be.
func Eventually(t testing.TB, why func() string) {
	t.Helper()
	Within(t, Patience, why)
}

// Within is Eventually with another patience.
func Within(t testing.TB, patience time.Duration, why func() string) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		reason := why()
		if reason == "" {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("after %v: %s", patience, reason)
		case <-tick.C:
		}
	}
}
