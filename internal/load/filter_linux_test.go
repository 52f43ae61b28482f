package load

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFilter compares the kernel's filter with isMedia on a real socket: what
// is media is dropped and counted, all else arrives.
func TestFilter(t *testing.T) {
	media := func(first, second byte, seq byte) []byte {
		b := make([]byte, 80)
		b[0], b[1], b[3] = first, second, seq
		return b
	}
	packets := map[string][]byte{
		"opus":            media(0x90, opusType, 1),
		"vp8":             media(0x80, vp8Type, 2),
		"vp8 marker":      media(0x80, vp8Type|0x80, 3),
		"rtx":             media(0x80, vp8Type+1, 4),
		"padding":         media(0xa0, vp8Type, 5),
		"sender report":   media(0x80, 200, 6),
		"feedback":        media(0x8f, 205, 7),
		"stun":            media(0, 1, 8),
		"dtls":            media(22, 254, 9),
		"short":           {0x80, opusType},
		"nearly rtp":      media(0x80, opusType, 0)[:11],
		"shortest header": media(0x80, opusType, 1)[:12],
		"vp8 like sample": media(0x80, vp8Type, 3*sampleEvery),
		"sample":          media(0x80, opusType, 3*sampleEvery),
	}
	own := func(fd int, sample bool) (*notes, error) { return nil, ownFilter(fd, sample) }
	for name, set := range map[string]func(fd int, sample bool) (*notes, error){"own": own, "shared": shareFilter} {
		t.Run(name, func(t *testing.T) { testFilter(t, packets, set) })
	}
}

func testFilter(t *testing.T, packets map[string][]byte, set func(fd int, sample bool) (*notes, error)) {
	for _, sampled := range []bool{false, true} {
		conn, count, err := listen(netip.MustParseAddr("127.0.0.1"), true, sampled)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.close()
		if cerr := conn.raw.Control(func(fd uintptr) { conn.notes, err = set(int(fd), sampled) }); cerr != nil {
			t.Fatal(cerr)
		}
		if errors.Is(err, unix.EPERM) {
			t.Skip(err) // "own" needs no rights
		}
		if err != nil {
			t.Fatal(err)
		}
		from, err := net.Dial("udp4", conn.watched.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		b := make([]byte, 100)
		for name, p := range packets {
			before := total(t, count)
			if _, err := from.Write(p); err != nil {
				t.Fatal(err)
			}
			sample := sampled && (name == "sample" || name == "vp8 marker")
			keep := !isMedia(p) || sample && conn.notes == nil
			if err := conn.watched.SetReadDeadline(time.Now().Add(wait(keep))); err != nil {
				t.Fatal(err)
			}
			n, _, err := conn.watched.ReadFromUDPAddrPort(b)
			if (err == nil) != keep || keep && n != len(p) {
				t.Errorf("%s, sampled %v: read %d bytes, %v; want it kept: %v", name, sampled, n, err, keep)
			}
			if got := total(t, count) - before; (got == 1) == keep {
				t.Errorf("%s, sampled %v: %d dropped", name, sampled, got)
			}
			if conn.notes == nil {
				continue
			}
			var noted [][]byte
			conn.notes.read(func(b []byte, _ time.Time) { noted = append(noted, b) })
			if sample && (len(noted) != 1 || !bytes.HasPrefix(p, noted[0])) || !sample && len(noted) > 0 {
				t.Errorf("%s: noted %x", name, noted)
			}
		}
	}
}

// wait is how long to wait for a packet that comes, and for one that doesn't.
func wait(comes bool) time.Duration {
	if comes {
		return patience
	}
	return 10 * time.Millisecond
}

func total(t *testing.T, c *counter) int64 {
	t.Helper()
	n, err := received([]*counter{c})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
