package colibri

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// The payload types and header extension ids the whole network uses; packets
// are forwarded with the sender's (media.md 5.1).
const (
	OpusType = 111
	VP8Type  = 100

	ExtLevel        = 1 // ssrc-audio-level
	ExtSendTime     = 2 // abs-send-time
	ExtTransport    = 3 // transport-wide sequence number
	ExtOrientation  = 13
	transportXMLNS  = "urn:xmpp:jingle:transports:ice-udp:1"
	hostPriority    = "2130706431" // ntgcalls reads an int32
	uriLevel        = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
	uriSendTime     = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
	uriTransport    = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
	uriOrientation  = "urn:3gpp:video-orientation"
	videoClock      = 90000
	h264Constrained = "42e01f"
)

// Answer is what a joining client is told of the server's end. It marshals to
// the JSON of updateGroupCallConnection.
type Answer struct {
	Ufrag, Pwd   string
	Certificate  [sha256.Size]byte // hash of the server's
	Setup        string            // Join.Setup
	Candidates   []netip.AddrPort
	Endpoint     string // of the client's own video
	ServerSource int32  // SSRC of the server's RTCP and padding
	Conference   bool   // E2E: VP8 only, nothing else leaves the descriptors clear
}

type (
	answerJSON struct {
		Transport transportJSON `json:"transport"`
		Audio     mediaJSON     `json:"audio"`
		Video     mediaJSON     `json:"video"`
	}
	transportJSON struct {
		XMLNS        string          `json:"xmlns"`
		RTCPMux      bool            `json:"rtcp-mux"` // Web K writes a=rtcp-mux only if true
		Ufrag        string          `json:"ufrag"`
		Pwd          string          `json:"pwd"`
		Fingerprints []Fingerprint   `json:"fingerprints"`
		Candidates   []candidateJSON `json:"candidates"`
	}
	// candidateJSON holds strings only: a number breaks tgcalls, ntgcalls and Web K.
	candidateJSON struct {
		ID         string `json:"id"`
		Foundation string `json:"foundation"`
		Component  string `json:"component"`
		Protocol   string `json:"protocol"`
		Priority   string `json:"priority"`
		IP         string `json:"ip"`
		Port       string `json:"port"`
		Type       string `json:"type"`
		Generation string `json:"generation"`
		Network    string `json:"network"`
	}
	mediaJSON struct {
		Endpoint      string          `json:"endpoint,omitempty"`
		ServerSources []int32         `json:"server_sources,omitempty"`
		PayloadTypes  []payloadJSON   `json:"payload-types"`
		Extensions    []extensionJSON `json:"rtp-hdrexts"`
	}
	payloadJSON struct {
		ID         int            `json:"id"`
		Name       string         `json:"name"`
		Clock      int            `json:"clockrate"`
		Channels   int            `json:"channels,omitempty"`
		Parameters map[string]any `json:"parameters"`
		Feedback   []feedbackJSON `json:"rtcp-fbs,omitempty"`
	}
	feedbackJSON struct {
		Type    string `json:"type"`
		Subtype string `json:"subtype,omitempty"`
	}
	extensionJSON struct {
		ID  int    `json:"id"`
		URI string `json:"uri"`
	}
)

// MarshalJSON writes the answer with every field some client insists on, and
// without stream and rtmp, whose mere presence switches ntgcalls to streaming.
func (a Answer) MarshalJSON() ([]byte, error) {
	return json.Marshal(answerJSON{Transport: a.transport(), Audio: audioMedia(), Video: a.video()})
}

func (a Answer) transport() transportJSON {
	t := transportJSON{
		XMLNS: transportXMLNS, RTCPMux: true, Ufrag: a.Ufrag, Pwd: a.Pwd,
		Fingerprints: []Fingerprint{{Hash: hashSHA256, Setup: a.Setup, Fingerprint: Print(a.Certificate)}},
		Candidates:   []candidateJSON{},
	}
	for i, c := range a.Candidates {
		t.Candidates = append(t.Candidates, candidateJSON{
			ID: fmt.Sprintf("%s%08x", a.Endpoint, i+1), Foundation: strconv.Itoa(i + 1), Component: "1",
			Protocol: "udp", Priority: hostPriority, IP: c.Addr().String(), Port: strconv.Itoa(int(c.Port())),
			Type: "host", Generation: "0", Network: "0",
		})
	}
	return t
}

func audioMedia() mediaJSON {
	return mediaJSON{
		PayloadTypes: []payloadJSON{{
			ID: OpusType, Name: "opus", Clock: 48000, Channels: 2,
			Parameters: map[string]any{"minptime": 10, "useinbandfec": 1},
			Feedback:   []feedbackJSON{{Type: "transport-cc"}},
		}},
		Extensions: []extensionJSON{{ExtLevel, uriLevel}, {ExtSendTime, uriSendTime}, {ExtTransport, uriTransport}},
	}
}

func (a Answer) video() mediaJSON {
	m := mediaJSON{
		Endpoint: a.Endpoint, ServerSources: []int32{a.ServerSource},
		Extensions: []extensionJSON{{ExtSendTime, uriSendTime}, {ExtTransport, uriTransport}, {ExtOrientation, uriOrientation}},
	}
	m.codec(VP8Type, "VP8", map[string]any{"x-google-start-bitrate": "800"})
	if !a.Conference {
		m.codec(VP8Type+2, "VP9", map[string]any{})
		m.codec(VP8Type+4, "H264", map[string]any{
			"level-asymmetry-allowed": "1", "packetization-mode": "1", "profile-level-id": h264Constrained,
		})
	}
	return m
}

// codec adds a video codec and its RTX, which has the next id.
func (m *mediaJSON) codec(id int, name string, parameters map[string]any) {
	m.PayloadTypes = append(m.PayloadTypes,
		payloadJSON{
			ID: id, Name: name, Clock: videoClock, Channels: 1, Parameters: parameters,
			Feedback: []feedbackJSON{{"goog-remb", ""}, {"transport-cc", ""}, {"ccm", "fir"}, {"nack", ""}, {"nack", "pli"}},
		},
		payloadJSON{ID: id + 1, Name: "rtx", Clock: videoClock, Parameters: map[string]any{"apt": strconv.Itoa(id)}})
}

// Print spells a certificate's hash the way SDP does: upper-case hex and colons.
func Print(sum [sha256.Size]byte) string {
	var b strings.Builder
	for i, v := range sum {
		if i > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%02X", v)
	}
	return b.String()
}
