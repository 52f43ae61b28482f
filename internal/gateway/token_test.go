package gateway

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestToken(t *testing.T) {
	secret, other := []byte("secret"), []byte("another")
	token, id := newToken(secret)
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := tokenID(secret, token); !ok || got != id {
		t.Errorf("tokenID = %d, %v, want %d", got, ok, id)
	}
	second, _ := newToken(secret)
	foreign, _ := newToken(other)
	flipped := append([]byte(nil), raw...)
	flipped[3] ^= 1
	for name, forged := range map[string]string{
		"none": "", "text": "hello", "foreign": foreign, "cut": token[:len(token)-1], "longer": token + "A",
		"other id":      base64.RawURLEncoding.EncodeToString(flipped),
		"other mac":     base64.RawURLEncoding.EncodeToString(append(raw[:8:8], make([]byte, 24)...)),
		"padded":        token + "=",
		"other bits":    token[:len(token)-1] + strings.Map(func(r rune) rune { return r ^ 1 }, token[len(token)-1:]),
		"line break":    token[:5] + "\n" + token[5:],
		"mac of second": token[:10] + second[10:],
	} {
		if got, ok := tokenID(secret, forged); ok {
			t.Errorf("%s: token %q has id %d", name, forged, got)
		}
	}
}

func FuzzToken(f *testing.F) {
	secret := []byte("secret")
	token, _ := newToken(secret)
	f.Add(token)
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		if id, ok := tokenID(secret, s); ok {
			raw, err := base64.RawURLEncoding.DecodeString(s)
			if err != nil || seal(secret, [8]byte(raw)) != s {
				t.Errorf("token %q is good for %d", s, id)
			}
		}
	})
}
