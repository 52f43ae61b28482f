// Package colibri speaks the JSON of the media server: the join payload a
// client sends, the answer it gets, and the messages on the data channel.
//
// Every SSRC in this JSON is a signed int32, every value inside a candidate is
// a string (media.md 1, 2 and 4). The package only parses and prints.
package colibri

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Limits on what a client may send.
const (
	maxJoin     = 64 << 10 // bytes of a join payload
	maxGroups   = 16
	maxSources  = 16 // members of one group
	maxPrints   = 8
	maxToken    = 256 // characters of ufrag, pwd, semantics
	minUfrag    = 4   // RFC 8445 5.3
	minPwd      = 16  // RFC says 22; pion and libwebrtc send 24 and more
	hashSHA256  = "sha-256"
	setupActive = "active"
	setupPass   = "passive"
)

// ErrNoFingerprint is returned for a payload without a usable certificate hash.
var ErrNoFingerprint = errors.New("colibri: no sha-256 fingerprint")

// ErrShape is returned for a payload that is no join payload.
var ErrShape = errors.New("colibri: malformed join payload")

// Join is what a client says about its connection.
type Join struct {
	SSRC         int32 // of its audio
	HasSSRC      bool  // presentations without sound have none
	Ufrag, Pwd   string
	Fingerprints []Fingerprint
	Groups       []SourceGroup // verbatim, in the order sent
}

// Fingerprint is the hash of a DTLS certificate.
type Fingerprint struct {
	Hash        string `json:"hash"`
	Setup       string `json:"setup"`
	Fingerprint string `json:"fingerprint"`
}

// SourceGroup is a SIM or FID set of video sources.
type SourceGroup struct {
	Semantics string  `json:"semantics"`
	Sources   []int32 `json:"sources"`
}

// ParseJoin reads a join payload. Unknown keys are ignored; what is missing or
// beyond the limits is an error.
func ParseJoin(data []byte) (Join, error) {
	if len(data) > maxJoin {
		return Join{}, fmt.Errorf("%w: %d bytes", ErrShape, len(data))
	}
	var raw struct {
		SSRC         *int64        `json:"ssrc"`
		Ufrag        string        `json:"ufrag"`
		Pwd          string        `json:"pwd"`
		Fingerprints []Fingerprint `json:"fingerprints"`
		Groups       []struct {
			Semantics string  `json:"semantics"`
			Sources   []int64 `json:"sources"`
		} `json:"ssrc-groups"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return Join{}, fmt.Errorf("%w: %w", ErrShape, err)
	}
	j := Join{Ufrag: raw.Ufrag, Pwd: raw.Pwd, Fingerprints: raw.Fingerprints}
	switch {
	case !token(j.Ufrag, minUfrag):
		return Join{}, fmt.Errorf("%w: ufrag: want %d printable characters or more", ErrShape, minUfrag)
	case !token(j.Pwd, minPwd):
		return Join{}, fmt.Errorf("%w: pwd: want %d printable characters or more", ErrShape, minPwd)
	case len(raw.Groups) > maxGroups || len(j.Fingerprints) > maxPrints:
		return Join{}, fmt.Errorf("%w: at most %d ssrc-groups and %d fingerprints", ErrShape, maxGroups, maxPrints)
	}
	var err error
	if raw.SSRC != nil {
		if j.SSRC, err = source(*raw.SSRC); err != nil {
			return Join{}, err
		}
		j.HasSSRC = j.SSRC != 0 // 0 is a way to say none
	}
	for _, g := range raw.Groups {
		if len(g.Sources) == 0 || len(g.Sources) > maxSources || !token(g.Semantics, 1) {
			return Join{}, fmt.Errorf("%w: ssrc-groups: want semantics, and 1 to %d sources", ErrShape, maxSources)
		}
		group := SourceGroup{Semantics: g.Semantics}
		for _, v := range g.Sources {
			s, err := source(v)
			if err != nil {
				return Join{}, err
			}
			group.Sources = append(group.Sources, s)
		}
		j.Groups = append(j.Groups, group)
	}
	if _, err := j.Certificates(); err != nil {
		return Join{}, err
	}
	return j, nil
}

// source accepts an SSRC in its signed and its unsigned spelling.
func source(v int64) (int32, error) {
	if v < math.MinInt32 || v > math.MaxUint32 {
		return 0, fmt.Errorf("%w: ssrc %d has more than 32 bits", ErrShape, v)
	}
	return int32(uint32(v)), nil
}

// token tells whether s is printable ASCII of a sensible length.
func token(s string, least int) bool {
	if len(s) < least || len(s) > maxToken {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return r < 0x21 || r > 0x7e }) < 0
}

// Certificates returns the sha-256 hashes the peer's certificate may have.
func (j Join) Certificates() ([][sha256.Size]byte, error) {
	var sums [][sha256.Size]byte
	for _, f := range j.Fingerprints {
		if !strings.EqualFold(f.Hash, hashSHA256) {
			continue
		}
		b, err := hex.DecodeString(strings.ReplaceAll(f.Fingerprint, ":", ""))
		if err != nil || len(b) != sha256.Size {
			return nil, fmt.Errorf("%w: fingerprint: want %d bytes in hexadecimal", ErrShape, sha256.Size)
		}
		sums = append(sums, [sha256.Size]byte(b))
	}
	if len(sums) == 0 {
		return nil, ErrNoFingerprint
	}
	return sums, nil
}

// Setup returns the DTLS role the server takes: the complement of the client's.
func (j Join) Setup() string {
	if len(j.Fingerprints) > 0 && strings.EqualFold(j.Fingerprints[0].Setup, setupActive) {
		return setupPass
	}
	return setupActive // native engines are always the DTLS server
}

// Active tells whether the server is the DTLS client.
func (j Join) Active() bool { return j.Setup() == setupActive }

// Sources returns every SSRC the client may send from, each once: the audio
// one first.
func (j Join) Sources() []int32 {
	var all []int32
	seen := map[int32]bool{}
	add := func(s int32) {
		if !seen[s] {
			seen[s] = true
			all = append(all, s)
		}
	}
	if j.HasSSRC {
		add(j.SSRC)
	}
	for _, g := range j.Groups {
		for _, s := range g.Sources {
			add(s)
		}
	}
	return all
}
