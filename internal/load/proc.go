package load

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// userHZ is the unit of times in /proc: the same on every Linux.
	userHZ = 100
	// leastCPU is the least that can be told: three units.
	leastCPU = 3 * time.Second / userHZ
)

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

// listener is a socket that waits for TCP connections.
type listener struct {
	at    netip.AddrPort
	inode uint64
}

// parseListeners reads /proc/net/tcp or tcp6. Lines of another shape are
// skipped.
func parseListeners(b []byte) (all []listener) {
	const listening = "0A"
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) < 10 || string(f[3]) != listening {
			continue
		}
		at, ok := parseSocketAddr(string(f[1]))
		inode, err := strconv.ParseUint(string(f[9]), 10, 64)
		if ok && err == nil && inode != 0 {
			all = append(all, listener{at, inode})
		}
	}
	return all
}

// parseSocketAddr reads an address of these tables: words of four bytes in the
// machine's order, and the port.
func parseSocketAddr(s string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	p, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	a, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), ok
}

// fitting returns the sockets that connections to an address reach: those bound
// to it, else those bound to every address.
func fitting(all []listener, at netip.AddrPort) (inodes []uint64) {
	addrs := []netip.Addr{at.Addr().Unmap().WithZone("")}
	if addrs[0].Is4() {
		addrs = append(addrs, netip.IPv4Unspecified())
	}
	for _, a := range append(addrs, netip.IPv6Unspecified()) {
		for _, l := range all {
			if l.at == netip.AddrPortFrom(a, at.Port()) {
				inodes = append(inodes, l.inode)
			}
		}
		if len(inodes) > 0 {
			break
		}
	}
	return inodes
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
	switch {
	case errors.Is(err, os.ErrNotExist):
		return usage{}, fmt.Errorf("process %d has ended", pid)
	case err != nil:
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

// A process that is being started has its parent's sockets for a moment: only
// who still has them after a second is taken for one more that listens.
const (
	looks     = 20
	lookAgain = 50 * time.Millisecond
)

// findPID returns the process that listens on a TCP address.
func findPID(at netip.AddrPort) (int, error) {
	var all []listener
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, _ := os.ReadFile(name)
		all = append(all, parseListeners(b)...)
	}
	inodes := fitting(all, at)
	pids := owners(inodes)
	for i := 0; i < looks && len(pids) > 1; i++ {
		time.Sleep(lookAgain)
		pids = owners(inodes)
	}
	switch len(pids) {
	case 0:
		if len(inodes) == 0 && len(all) > 0 {
			return 0, fmt.Errorf("nothing listens on %s; start the server, or pass --pid if it can't be seen from here", at)
		}
		return 0, errNoPID
	case 1:
		return pids[0], nil
	}
	return 0, fmt.Errorf("%w: processes %v all listen on %s; pass one as --pid", ErrSetting, pids, at)
}

// owners returns the visible processes that have one of these sockets open.
func owners(inodes []uint64) (pids []int) {
	if len(inodes) == 0 {
		return nil
	}
	var sockets []string
	for _, inode := range inodes {
		sockets = append(sockets, fmt.Sprintf("socket:[%d]", inode))
	}
	files, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, name := range files {
		link, err := os.Readlink(name)
		if err != nil || !slices.Contains(sockets, link) {
			continue
		}
		if pid, _ := strconv.Atoi(strings.Split(name, "/")[2]); !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}
