package load

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// sdp is an offer for the baseline: one media section for what the client
// publishes, one for each stream it hears.
func (o offer) sdp(s Scenario, hears int) string {
	kind, codec, ssrc := "audio", "111 opus/48000/2", o.ssrc
	if s.Video {
		kind, codec = "video", "100 VP8/90000"
		if len(o.groups) > 0 {
			ssrc = uint32(o.groups[0].Sources[0])
		}
	}
	number, _, _ := strings.Cut(codec, " ")
	sections := hears
	if o.publishes {
		sections++
	}
	var b, mids strings.Builder
	for i := range sections {
		direction := "recvonly"
		fmt.Fprintf(&mids, " %d", i)
		fmt.Fprintf(&b, "m=%s 9 UDP/TLS/RTP/SAVPF %s\r\nc=IN IP4 0.0.0.0\r\na=mid:%d\r\na=rtcp-mux\r\na=rtpmap:%s\r\n", kind, number, i, codec)
		if o.publishes && i == 0 {
			direction = "sendonly"
			fmt.Fprintf(&b, "a=msid:load load\r\na=ssrc:%d cname:load\r\n", ssrc)
		}
		fmt.Fprintf(&b, "a=%s\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=setup:passive\r\na=fingerprint:sha-256 %s\r\n",
			direction, o.ufrag, o.pwd, o.cert.fingerprint)
	}
	return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE" + mids.String() + "\r\n" + b.String()
}

var errSDP = errors.New("incomplete session description")

// parseSDP finds the server's end in the baseline's answer.
func parseSDP(answer string) (remote, error) {
	var r remote
	for line := range strings.Lines(answer) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch f := strings.Fields(value); {
		case name == "a=ice-ufrag":
			r.ufrag = value
		case name == "a=ice-pwd":
			r.pwd = value
		case name == "a=fingerprint" && len(f) == 2:
			r.fingerprint = strings.ToUpper(f[1])
		case name == "a=candidate" && len(f) > 5 && !r.addr.IsValid():
			at, err := netip.ParseAddrPort(f[4] + ":" + f[5])
			if err != nil {
				return remote{}, fmt.Errorf("read candidate: %w", err)
			}
			r.addr = at
		}
	}
	if r.ufrag == "" || r.pwd == "" || r.fingerprint == "" || !r.addr.IsValid() {
		return remote{}, errSDP
	}
	return r, nil
}
