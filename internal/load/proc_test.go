package load

import (
	"encoding/binary"
	"errors"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"
)

const udpTable = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  150: 0100007F:BF68 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 431571 2 0000000000000000 1320
  151: 0100007F:BF69 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 431572 2 0000000000000000 0
nonsense
  152: 0100007F:BF6A 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 x 2 0000000000000000 5
`

const tcpTable = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 11 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22 1 0000000000000000 100 0 0 10 0
   2: 0200007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 23 1 0000000000000000 100 0 0 10 0
   3: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 24 1 0000000000000000 100 0 0 10 0
   4: 0100007:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 25 1 0000000000000000 100 0 0 10 0
`

const tcp6Table = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 31 1 0000000000000000 100 0 0 10 0
   1: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 32 1 0000000000000000 100 0 0 10 0
   2: 0000000000000000FFFF00000200007F:1F92 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 33 1 0000000000000000 100 0 0 10 0
   3: 00000000000000000000000000000000:1F92 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 34 1 0000000000000000 100 0 0 10 0
   4: 0000000000000000FFFF000000000000:1F93 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 35 1 0000000000000000 100 0 0 10 0
   5: 0000000000000000FFFF000000000000:1F93 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 36 1 0000000000000000 100 0 0 10 0
`

const statLine = `4711 (a) b (c) S 1 2 3 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 9 0 100 1000 300 18446744073709551615 1 1`

func TestParseDrops(t *testing.T) {
	got := map[uint64]int64{}
	parseDrops([]byte(udpTable), got)
	if want := map[uint64]int64{431571: 1320, 431572: 0}; !maps.Equal(got, want) {
		t.Errorf("drops = %v, want %v", got, want)
	}
}

// TestFitting prefers a socket of the address to one of all addresses.
func TestFitting(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the tables are a little-endian machine's")
	}
	all := slices.Concat(parseListeners([]byte(tcpTable)), parseListeners([]byte(tcp6Table)))
	for at, want := range map[string][]uint64{
		"127.0.0.1:8080": {22}, "127.0.0.2:8080": {23}, "127.0.0.3:8080": {24}, "[::1]:8080": {31}, "[::2]:8080": {32},
		"127.0.0.1:8081": nil, "127.0.0.2:8082": {33}, "127.0.0.1:8082": {34}, "127.0.0.1:8083": {35, 36}, "[::1]:8083": nil,
	} {
		if got := fitting(all, netip.MustParseAddrPort(at)); !slices.Equal(got, want) {
			t.Errorf("%s: sockets %v, want %v", at, got, want)
		}
	}
}

func TestParseStat(t *testing.T) {
	u, err := parseStat([]byte(statLine))
	if want := (usage{3 * time.Second, 300 * int64(os.Getpagesize())}); err != nil || u != want {
		t.Errorf("usage = %+v, %v; want %+v", u, err, want)
	}
	for _, bad := range []string{"", "1 (x", "1 (x) S 1 2", statLine[:60]} {
		if _, err := parseStat([]byte(bad)); !errors.Is(err, errStat) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestOwnProcess(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	pid, err := findPID(l.Addr().(*net.TCPAddr).AddrPort())
	if err != nil || pid != os.Getpid() {
		t.Errorf("listener belongs to %d, %v; want %d", pid, err, os.Getpid())
	}
	if u, err := readUsage(pid); err != nil || u.rss == 0 {
		t.Errorf("usage = %+v, %v", u, err)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte(statLine))
	f.Fuzz(func(t *testing.T, b []byte) {
		if u, err := parseStat(b); err == nil && (u.cpu < 0 || u.rss < 0) {
			t.Errorf("usage = %+v", u)
		}
	})
}

func FuzzParseTables(f *testing.F) {
	for _, table := range []string{udpTable, tcpTable, tcp6Table} {
		f.Add([]byte(table))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		drops := map[uint64]int64{}
		parseDrops(b, drops)
		for inode, n := range drops {
			if n < 0 {
				t.Errorf("socket %d dropped %d", inode, n)
			}
		}
		for _, l := range parseListeners(b) {
			if l.inode == 0 || !l.at.IsValid() || !slices.Contains(fitting([]listener{l}, l.at), l.inode) {
				t.Errorf("listener %v", l)
			}
		}
	})
}
