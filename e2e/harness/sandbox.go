package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Environment variables that steer a test binary.
const (
	envBinary  = "PARLEY_BIN"     // the server to test; built with -race when empty
	envRace    = "PARLEY_RACE"    // "off" builds it without, to measure it
	envSandbox = "PARLEY_SANDBOX" // "off" runs on the host's own network
	envInside  = "PARLEY_SANDBOX_INSIDE"
)

// hostAddr is the address of the sandbox's one network card: ICE agents do not
// offer the loopback interface.
const hostAddr = "10.77.0.1/24"

// Main runs a package's tests in a network namespace of their own, so that
// client libraries that have the addresses of Telegram or of a STUN server
// built in can reach nothing but the server under test. Call it from TestMain.
func Main(m *testing.M) {
	if os.Getenv(envInside) != "" {
		if err := raise(); err != nil {
			fmt.Fprintln(os.Stderr, "harness: set up the sandbox's network:", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	code, err := outside(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "harness:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

// outside builds the server, where module downloads still work, and runs the
// tests again inside.
func outside(m *testing.M) (int, error) {
	if os.Getenv(envBinary) == "" {
		dir, err := os.MkdirTemp("", "parley-e2e-")
		if err != nil {
			return 0, fmt.Errorf("make a directory for the server: %w", err)
		}
		defer os.RemoveAll(dir)
		bin := filepath.Join(dir, "parley")
		if err := build(bin); err != nil {
			return 0, err
		}
		if err := os.Setenv(envBinary, bin); err != nil {
			return 0, fmt.Errorf("set %s: %w", envBinary, err)
		}
	}
	if os.Getenv(envSandbox) == "off" {
		return m.Run(), nil
	}
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("find the test binary: %w", err)
	}
	cmd := exec.CommandContext(context.Background(), self, os.Args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), envInside+"=1")
	cmd.SysProcAttr = namespaces()
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("enter a network namespace (%s=off does without): %w", envSandbox, err)
	}
	return 0, nil
}

// namespaces asks for a new network, and for the rights to set it up when we
// are not root.
func namespaces() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if uid := os.Geteuid(); uid != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return attr
}

// raise brings up the namespace's loopback and one card beside it. Which kinds
// of virtual card there are depends on the kernel.
func raise() error {
	if err := ip("link set lo up"); err != nil {
		return err
	}
	var failed []error
	for _, kind := range []string{"card0 type veth peer name card1", "card0 type dummy", "card0 type bridge"} {
		err := ip("link add " + kind)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		_ = ip("link set card1 up") // only a veth has another end, which must be up, too
		return errors.Join(ip("addr add "+hostAddr+" dev card0"), ip("link set card0 up"))
	}
	return errors.Join(failed...)
}

// ip runs iproute2's command.
func ip(args string) error {
	out, err := exec.CommandContext(context.Background(), "ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// build compiles the server, with the race detector if it is not to be measured.
func build(bin string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	args, cgo := []string{"build", "-race", "-o", bin, "./cmd/parley"}, "CGO_ENABLED=1"
	if os.Getenv(envRace) == "off" {
		args, cgo = []string{"build", "-o", bin, "./cmd/parley"}, "CGO_ENABLED=0"
	}
	cmd := exec.CommandContext(context.Background(), "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the server: %w\n%s", err, out)
	}
	return nil
}

// Root returns the top of the repository: the directory of module parley.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the working directory: %w", err)
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module parley\n") {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("module parley is in no directory above")
		}
		dir = up
	}
}
