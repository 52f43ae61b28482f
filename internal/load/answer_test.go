package load

import (
	"net/netip"
	"strings"
	"testing"
)

const joinAnswer = `{"transport":{"ufrag":"u","pwd":"p","fingerprints":[{"hash":"sha-256","setup":"active","fingerprint":"AA"}],
"candidates":[{"ip":"2001:db8::10","port":"32000"},{"ip":"203.0.113.10","port":"32001"}]},"video":{"endpoint":"e0"}}`

const sdpAnswer = "v=0\r\na=ice-lite\r\na=fingerprint:sha-256 aa:bb\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n" +
	"a=candidate:3288 1 udp 2130706431 203.0.113.10 32001 typ host\r\n"

func TestParseAnswer(t *testing.T) {
	want := remote{addr: netip.MustParseAddrPort("203.0.113.10:32001"), ufrag: "u", pwd: "p", fingerprint: "AA", endpoint: "e0"}
	if got, err := parseAnswer([]byte(joinAnswer)); err != nil || got != want {
		t.Errorf("answer = %+v, %v; want %+v", got, err, want)
	}
	for _, bad := range []string{"", "{}", strings.Replace(joinAnswer, "32001", "x", 1), strings.Replace(joinAnswer, "candidates", "c", 1)} {
		if got, err := parseAnswer([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", bad, got)
		}
	}
}

func TestParseSDP(t *testing.T) {
	want := remote{addr: netip.MustParseAddrPort("203.0.113.10:32001"), ufrag: "u", pwd: "p", fingerprint: "AA:BB"}
	if got, err := parseSDP(sdpAnswer); err != nil || got != want {
		t.Errorf("answer = %+v, %v; want %+v", got, err, want)
	}
	for _, bad := range []string{"", strings.Replace(sdpAnswer, "32001", "x", 1), strings.Replace(sdpAnswer, "ice-pwd", "", 1)} {
		if got, err := parseSDP(bad); err == nil {
			t.Errorf("%s: %+v", bad, got)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add(joinAnswer)
	f.Add(sdpAnswer)
	f.Fuzz(func(t *testing.T, s string) {
		for _, parse := range []func() (remote, error){
			func() (remote, error) { return parseAnswer([]byte(s)) },
			func() (remote, error) { return parseSDP(s) },
		} {
			if r, err := parse(); err == nil && (!r.addr.IsValid() || r.ufrag == "" || r.pwd == "") {
				t.Errorf("accepted %+v", r)
			}
		}
	})
}

// TestStamp: what was put in comes out, and nothing else does.
func TestStamp(t *testing.T) {
	b := make([]byte, minSize)
	if _, ok := stamp(b); ok {
		t.Error("found a time in nothing")
	}
	putStamp(b, 12345)
	if at, ok := stamp(b); !ok || at != 12345 {
		t.Errorf("time %d, %v", at, ok)
	}
	if _, ok := stamp(b[:minSize-1]); ok {
		t.Error("found a time in a short payload")
	}
}
