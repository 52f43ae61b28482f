package rtp

import "testing"

func TestOriginal(t *testing.T) {
	b := []byte("??frame")
	SetOriginal(b, 0xfffe)
	if seq, original, ok := Original(b); !ok || b[0] != 0xff || b[1] != 0xfe || seq != 0xfffe || string(original) != "frame" {
		t.Errorf("%x: number %d of %q, %v", b, seq, original, ok)
	}
	for _, probe := range []string{"", "x", "\x00\x01"} {
		if _, _, ok := Original([]byte(probe)); ok {
			t.Errorf("%q repeats a packet", probe)
		}
	}
}
