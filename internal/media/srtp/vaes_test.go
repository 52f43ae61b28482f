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
		t.Skip("this processor has no AVX-512 with VAES: the standard library seals")
	}
	return s, g
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
// packet and header, and sees that it touches nothing behind either.
func TestSealer(t *testing.T) {
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
			payload, dst := payloads[page-n:], packets[page-n-tagSize:]
			_, _ = rng.Read(header)
			_, _ = rng.Read(payload)
			_, _ = rng.Read(iv[:saltSize])
			iv[aes.BlockSize-1] = 1
			packets[page-n-tagSize-1] = 42
			low, high := words(&iv)
			size := s.seal(dst, payload, header, low, high)
			if want := g.Seal(nil, iv[:saltSize], payload, header); size != len(want) || !bytes.Equal(dst, want) {
				t.Fatalf("%d bytes with a header of %d: %x, want %x", n, len(header), dst, want)
			}
			if packets[page-n-tagSize-1] != 42 {
				t.Fatalf("%d bytes: wrote before the packet", n)
			}
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
		b.Run(fmt.Sprintf("vectors/%d", n), func(b *testing.B) {
			for b.Loop() {
				s.seal(dst, payload, header, low, high)
			}
		})
	}
}
