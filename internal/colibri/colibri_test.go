package colibri

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

const webK = `{"fingerprints":[{"fingerprint":"` + print32 + `","setup":"passive","hash":"sha-256"}],
"pwd":"Fus4hRjMrpP46HRkXRz+RPdL","ssrc":-246425938,"unknown":{"a":[1]},
"ssrc-groups":[{"semantics":"FID","sources":[1017728011,1258359703]},
{"semantics":"SIM","sources":[1017728011,-2034741527,943422434]}],"ufrag":"Jpbd"}`

const print32 = "04:B3:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:01"

func TestParseJoin(t *testing.T) {
	j, err := ParseJoin([]byte(webK))
	if err != nil {
		t.Fatal(err)
	}
	if j.SSRC != -246425938 || !j.HasSSRC || j.Ufrag != "Jpbd" || len(j.Groups) != 2 || j.Groups[1].Semantics != "SIM" {
		t.Errorf("join = %+v", j)
	}
	if want := []int32{-246425938, 1017728011, 1258359703, -2034741527, 943422434}; !slices.Equal(j.Sources(), want) {
		t.Errorf("sources = %v, want %v", j.Sources(), want)
	}
	if sums, err := j.Certificates(); err != nil || Print(sums[0]) != print32 {
		t.Errorf("certificates = %x, %v", sums, err)
	}
}

func TestParseJoinUnsigned(t *testing.T) {
	j, err := ParseJoin([]byte(strings.Replace(webK, "-246425938", "4048541358", 1)))
	if err != nil || j.SSRC != -246425938 {
		t.Errorf("ssrc = %d, %v", j.SSRC, err)
	}
}

// TestParseJoinWithoutSound: a presentation of 0 has no sound, as one without an
// SSRC.
func TestParseJoinWithoutSound(t *testing.T) {
	for _, with := range []string{`"ssrc":0,`, ""} {
		j, err := ParseJoin([]byte(strings.Replace(webK, `"ssrc":-246425938,`, with, 1)))
		if err != nil || j.HasSSRC || len(j.Sources()) != 4 {
			t.Errorf("%q: %+v, %v", with, j, err)
		}
	}
}

func TestParseJoinRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		old, with string
		want      error
	}{
		"no ufrag":       {`"Jpbd"`, `""`, ErrShape},
		"space in pwd":   {"Fus4", "Fu 4", ErrShape},
		"hash unknown":   {"sha-256", "sha-1", ErrNoFingerprint},
		"short print":    {"04:B3", "04", ErrShape},
		"empty group":    {"[1017728011,1258359703]", "[]", ErrShape},
		"not JSON":       {"{", "[", ErrShape},
		"source is text": {"943422434", `"x"`, ErrShape},
		"source is long": {"943422434", "4294967296", ErrShape},
		"ssrc is long":   {"-246425938", "-2147483649", ErrShape},
	} {
		if _, err := ParseJoin([]byte(strings.Replace(webK, tt.old, tt.with, 1))); !errors.Is(err, tt.want) {
			t.Errorf("%s: err = %v, want %v", name, err, tt.want)
		}
	}
	if _, err := ParseJoin(make([]byte, maxJoin+1)); !errors.Is(err, ErrShape) {
		t.Errorf("huge payload: %v", err)
	}
}

func TestSetupIsComplement(t *testing.T) {
	for client, server := range map[string]string{"active": "passive", "passive": "active", "actpass": "active", "": "active"} {
		j := Join{Fingerprints: []Fingerprint{{Setup: client}}}
		if got := j.Setup(); got != server {
			t.Errorf("setup for %q = %q, want %q", client, got, server)
		}
	}
}

// TestAnswer checks the shape clients insist on (media.md 2.2).
func TestAnswer(t *testing.T) {
	a := Answer{
		Ufrag: "bvr6", Pwd: "1k7vls8kb2tr4eu093jkalphcq", Certificate: sha256.Sum256(nil), Setup: "active",
		Candidates: []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::10]:32000"), netip.MustParseAddrPort("203.0.113.10:32000")},
		Endpoint:   "e0e7414dcff430d1", ServerSource: -5,
	}
	data, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"stream", "rtmp"} {
		if _, ok := got[key]; ok {
			t.Errorf("answer has %q", key)
		}
	}
	candidates := got["transport"]["candidates"].([]any)
	if len(candidates) != 2 || got["transport"]["rtcp-mux"] != true {
		t.Fatalf("transport = %v", got["transport"])
	}
	first := candidates[0].(map[string]any)
	for _, key := range []string{"port", "protocol", "network", "generation", "id", "component", "foundation", "priority", "ip", "type"} {
		if s, ok := first[key].(string); !ok || s == "" {
			t.Errorf("candidate %s = %v, want a string", key, first[key])
		}
	}
	if _, ok := first["rel-addr"]; ok || first["ip"] != "2001:db8::10" || first["priority"] != "2130706431" {
		t.Errorf("candidate = %v", first)
	}
	if opus := got["audio"]["payload-types"].([]any)[0].(map[string]any); opus["name"] != "opus" || opus["id"] != 111.0 {
		t.Errorf("first audio codec = %v", opus)
	}
	if v := got["video"]; v["endpoint"] != a.Endpoint || v["server_sources"].([]any)[0] != -5.0 || len(v["payload-types"].([]any)) != 6 {
		t.Errorf("video = %v", v)
	}
	a.Conference = true
	if data, _ := json.Marshal(a); strings.Contains(string(data), "VP9") {
		t.Error("conference answer lists VP9")
	}
}

func TestParseMessage(t *testing.T) {
	w, ok, err := ParseMessage([]byte(`{"colibriClass":"ReceiverVideoConstraints","constraints":{"aa":{"minHeight":180,"maxHeight":720}},
		"defaultConstraints":{"maxHeight":0},"onStageEndpoints":["aa"]}`))
	if err != nil || !ok || w.Of("aa").Max != 720 || w.Of("bb").Max != 0 || w.OnStage[0] != "aa" {
		t.Errorf("wants = %+v, %v, %v", w, ok, err)
	}
	if _, ok, err := ParseMessage([]byte(`{"colibriClass":"PinnedEndpointChangedEvent"}`)); ok || err != nil {
		t.Errorf("other class: %v, %v", ok, err)
	}
	if _, _, err := ParseMessage([]byte("hello")); err == nil {
		t.Error("no error for text")
	}
	if got := string(SenderConstraints(720)); got != `{"colibriClass":"SenderVideoConstraints","videoConstraints":{"idealHeight":720}}` {
		t.Error(got)
	}
}

func FuzzParseJoin(f *testing.F) {
	f.Add([]byte(webK))
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := ParseJoin(data)
		if err == nil && (len(j.Sources()) > maxGroups*maxSources+1 || len(j.Ufrag) < minUfrag) {
			t.Errorf("accepted %+v", j)
		}
	})
}

func FuzzParseMessage(f *testing.F) {
	f.Add([]byte(`{"colibriClass":"ReceiverVideoConstraints","constraints":{"aa":{"maxHeight":720}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if w, ok, _ := ParseMessage(data); !ok && w.Endpoints != nil {
			t.Errorf("wants of a message that is none: %+v", w)
		}
	})
}
