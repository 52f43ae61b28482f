//go:build unix

package srtp

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// standard makes the sealer of a key and what it has to be equal to.
func standard(t testing.TB, key []byte) (*sealer, cipher.AEAD) {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	g, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	s := newSealer(key, block)
	if s == nil {
		t.Skip("this processor has no AVX2 with VAES: the standard library seals")
	}
	return s, g
}

// kernel is one way to seal.
type kernel struct {
	name  string
	least int // bytes of header and payload
	seal  func(s *sealer, dst, src *byte, n int, aad *byte, aadLen int, low, high uint64)
}

// kernels returns the ways that the processor has.
func kernels() []kernel {
	all := []kernel{{"256", aes.BlockSize, sealVAES256}}
	if wide {
		all = append(all, kernel{"512", 0, sealVAES512})
	}
	return all
}

// words returns an IV as a sealer takes it.
func words(iv *[aes.BlockSize]byte) (low, high uint64) {
	return binary.LittleEndian.Uint64(iv[:]), binary.LittleEndian.Uint64(iv[8:])
}

// fenced returns memory that ends where reading or writing on is an error.
func fenced(t *testing.T, n int) []byte {
	t.Helper()
	page := unix.Getpagesize()
	b, err := unix.Mmap(-1, 0, n+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err == nil {
		err = unix.Mprotect(b[n:], unix.PROT_NONE)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(b) })
	return b[:n]
}

// TestSealer compares the sealer with the standard library for every length of
// packet and header that it takes, and sees that it touches nothing behind
// either.
func TestSealer(t *testing.T) {
	for _, k := range kernels() {
		t.Run(k.name, k.test)
	}
}

func (k kernel) test(t *testing.T) {
	const most = 1600
	rng := rand.NewChaCha8([32]byte{7})
	page := unix.Getpagesize()
	payloads, headers, packets := fenced(t, page), fenced(t, page), fenced(t, page)
	var key, iv [aes.BlockSize]byte
	for n := range most + 64 {
		if n >= most { // as long as may be
			n = maxPayload - (n - most)
		}
		_, _ = rng.Read(key[:])
		s, g := standard(t, key[:])
		for step := range 9 {
			header := headers[page-(n*7+step*8)%(maxHeader+1):]
			if len(header) < k.least || n < k.least {
				continue
			}
			payload, dst := payloads[page-n:], packets[page-n-tagSize:]
			_, _ = rng.Read(header)
			_, _ = rng.Read(payload)
			_, _ = rng.Read(iv[:saltSize])
			iv[aes.BlockSize-1] = 1
			packets[page-n-tagSize-1] = 42
			low, high := words(&iv)
			k.seal(s, &dst[0], unsafe.SliceData(payload), n, unsafe.SliceData(header), len(header), low, high)
			if want := g.Seal(nil, iv[:saltSize], payload, header); !bytes.Equal(dst, want) {
				t.Fatalf("%d bytes with a header of %d: %x, want %x", n, len(header), dst, want)
			}
			if packets[page-n-tagSize-1] != 42 {
				t.Fatalf("%d bytes: wrote before the packet", n)
			}
		}
	}
}

// TestSealerRefuses leaves to the standard library what a sealer can't do.
func TestSealerRefuses(t *testing.T) {
	s, _ := standard(t, make([]byte, aes.BlockSize))
	for _, tt := range []struct {
		header, payload int
		want            bool
	}{
		{28, 100, true},
		{maxHeader, maxPayload, true},
		{maxHeader + 1, 100, false},
		{28, maxPayload + 1, false},
		{16, 16, true},
		{12, 100, wide},
		{28, 15, wide},
	} {
		if got := s.takes(tt.header, tt.payload); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

func BenchmarkSealer(b *testing.B) {
	var key, iv [aes.BlockSize]byte
	iv[aes.BlockSize-1] = 1
	s, g := standard(b, key[:])
	dst, header := make([]byte, 2048), make([]byte, 28)
	low, high := words(&iv)
	for _, n := range []int{100, 1200} {
		payload := make([]byte, n)
		b.Run(fmt.Sprintf("standard/%d", n), func(b *testing.B) {
			for b.Loop() {
				g.Seal(dst[:0], iv[:saltSize], payload, header)
			}
		})
		for _, k := range kernels() {
			b.Run(fmt.Sprintf("vectors%s/%d", k.name, n), func(b *testing.B) {
				for b.Loop() {
					k.seal(s, &dst[0], &payload[0], n, &header[0], len(header), low, high)
				}
			})
		}
	}
}
