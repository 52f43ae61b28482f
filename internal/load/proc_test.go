package load

import (
	"bytes"
	"errors"
	"maps"
	"net"
	"os"
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
`

const statLine = `4711 (a) b (c) S 1 2 3 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 9 0 100 1000 300 18446744073709551615 1 1`

func TestParseDrops(t *testing.T) {
	got := map[uint64]int64{}
	parseDrops([]byte(udpTable), got)
	if want := map[uint64]int64{431571: 1320, 431572: 0}; !maps.Equal(got, want) {
		t.Errorf("drops = %v, want %v", got, want)
	}
}

func TestParseListener(t *testing.T) {
	if inode, ok := parseListener([]byte(tcpTable), 8080); !ok || inode != 22 {
		t.Errorf("inode = %d, %v", inode, ok)
	}
	if _, ok := parseListener([]byte(tcpTable), 8081); ok {
		t.Error("found a listener that is not there")
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
	pid, err := findPID(l.Addr().(*net.TCPAddr).AddrPort().Port())
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
	f.Add([]byte(udpTable), uint16(8080))
	f.Add([]byte(tcpTable), uint16(8080))
	f.Fuzz(func(t *testing.T, b []byte, port uint16) {
		drops := map[uint64]int64{}
		parseDrops(b, drops)
		for inode, n := range drops {
			if n < 0 {
				t.Errorf("socket %d dropped %d", inode, n)
			}
		}
		if inode, ok := parseListener(b, port); ok && (inode == 0 || !bytes.Contains(b, []byte("0A"))) {
			t.Errorf("inode %d", inode)
		}
	})
}
