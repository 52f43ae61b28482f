package ahead

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// No address is wrong, and memory stays as it was.
func TestFetch(t *testing.T) {
	b := [256]byte{0: 1, 193: 2}
	want := b
	for n := range 512 {
		Fetch(unsafe.Pointer(&b), n-1) // beyond its end, too
		Fetch(nil, n)
	}
	if b != want {
		t.Fatal("memory changed")
	}
}

// BenchmarkFetch reads objects that no cache holds: asked for before, or not.
func BenchmarkFetch(b *testing.B) {
	type object struct{ lines [8][64]byte }
	all := make([]*object, 1<<16)
	for i, at := range rand.Perm(len(all)) {
		all[at] = &object{}
		all[at].lines[i%8][0] = byte(i)
	}
	for name, distance := range map[string]int{"none": 0, "two": 2} {
		b.Run(name, func(b *testing.B) {
			var sum, i int
			for b.Loop() {
				if distance > 0 {
					Fetch(unsafe.Pointer(all[(i+distance)%len(all)]), int(unsafe.Sizeof(object{})))
				}
				o := all[i%len(all)]
				for _, l := range o.lines {
					sum += int(l[sum&1]) // one after the other
				}
				i++
			}
			if sum < 0 {
				b.Fatal(sum)
			}
		})
	}
}
