// Package gotd46 meets a running server with gotd's client of layer 131, whose
// users, chats and channels still have ids of 32 bits.
package gotd46

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
