package load

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// userHZ is the unit of times in /proc: the same on every Linux.
const userHZ = 100

// parseDrops reads /proc/net/udp: the packets each socket (by inode) got and
// did not keep. Lines of another shape are skipped.
func parseDrops(b []byte, drops map[uint64]int64) {
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) < 13 {
			continue
		}
		inode, err := strconv.ParseUint(string(f[9]), 10, 64)
		n, err2 := strconv.ParseInt(string(f[12]), 10, 64)
		if err == nil && err2 == nil && n >= 0 {
			drops[inode] = n
		}
	}
}

// parseListener finds the inode of the socket that listens on a port in
// /proc/net/tcp.
func parseListener(b []byte, port uint16) (inode uint64, ok bool) {
	const listening = "0A"
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) < 10 || string(f[3]) != listening {
			continue
		}
		_, hex, _ := bytes.Cut(f[1], []byte(":"))
		p, err := strconv.ParseUint(string(hex), 16, 16)
		if err != nil || uint16(p) != port {
			continue
		}
		if inode, err = strconv.ParseUint(string(f[9]), 10, 64); err == nil && inode != 0 {
			return inode, true
		}
	}
	return 0, false
}

// usage is what a process has taken so far.
type usage struct {
	cpu time.Duration // user and system
	rss int64         // bytes
}

var errStat = errors.New("unknown format of /proc/PID/stat")

// parseStat reads /proc/PID/stat. The name, in parentheses, may hold anything.
func parseStat(b []byte) (usage, error) {
	i := bytes.LastIndexByte(b, ')')
	f := strings.Fields(string(b[i+1:]))
	if i < 0 || len(f) < 22 {
		return usage{}, errStat
	}
	var n [3]int64
	for k, at := range []int{11, 12, 21} { // utime, stime, rss: fields 14, 15 and 24
		v, err := strconv.ParseInt(f[at], 10, 64)
		if err != nil || v < 0 || v > math.MaxInt64/int64(time.Second) {
			return usage{}, errStat
		}
		n[k] = v
	}
	if n[0]+n[1] > math.MaxInt64/int64(time.Second) || n[2] > math.MaxInt64/int64(os.Getpagesize()) {
		return usage{}, errStat
	}
	return usage{time.Duration(n[0]+n[1]) * (time.Second / userHZ), n[2] * int64(os.Getpagesize())}, nil
}

// readUsage returns what a process has taken so far.
func readUsage(pid int) (usage, error) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return usage{}, fmt.Errorf("read usage of process %d: %w", pid, err)
	}
	return parseStat(b)
}

// readDrops returns the drops of all UDP sockets of this machine.
func readDrops() (map[uint64]int64, error) {
	drops := map[uint64]int64{}
	for _, name := range []string{"/proc/net/udp", "/proc/net/udp6"} {
		b, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("read socket counters: %w", err)
		}
		parseDrops(b, drops)
	}
	return drops, nil
}

var errNoPID = errors.New("no process found that listens there; pass --pid")

// findPID returns the process that listens on a TCP port.
func findPID(port uint16) (int, error) {
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if inode, ok := parseListener(b, port); ok {
			if pid := owner(inode); pid != 0 {
				return pid, nil
			}
		}
	}
	return 0, errNoPID
}

// owner returns a process that has a socket open, 0 when none is visible.
func owner(inode uint64) int {
	socket := fmt.Sprintf("socket:[%d]", inode)
	files, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, name := range files {
		if link, err := os.Readlink(name); err == nil && link == socket {
			pid, _ := strconv.Atoi(strings.Split(name, "/")[2])
			return pid
		}
	}
	return 0
}
