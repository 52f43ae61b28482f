// Package e2e meets a running server with gotd's client of the newest layer:
// the seed scenario, sound through real WebRTC, a crash, garbage, and the
// programs in other languages beside it.
package e2e

import (
	"testing"

	"parley/e2e/harness"
	"parley/e2e/harness/scenario"
)

func TestMain(m *testing.M) { harness.Main(m) }

func TestSeed(t *testing.T) { scenario.Seed(t, harness.Start(t), dialer()) }

func TestCrash(t *testing.T) { scenario.Crash(t, harness.Start(t), dialer()) }

func TestKeys(t *testing.T) { scenario.Keys(t, harness.Start(t), dialer()) }

func TestLeaks(t *testing.T) { scenario.Leaks(t, harness.Start(t), dialer()) }
