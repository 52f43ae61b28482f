package srtp

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"math/bits"
)

const (
	tagSize    = 16
	saltSize   = 12
	rtpFixed   = 12
	rtcpHeader = 8
	indexSize  = 4
	encrypted  = 1 << 31 // the E flag of SRTCP

	labelRTPKey   = 0
	labelRTPSalt  = 2
	labelRTCPKey  = 3
	labelRTCPSalt = 5
)

// gcm is AEAD_AES_128_GCM or AEAD_AES_256_GCM.
type gcm struct {
	fast              *sealer // does what rtp does; nil where it cannot
	rtp, rtcp         cipher.AEAD
	rtpSalt, rtcpSalt [aes.BlockSize]byte // and the counter 1
	iv                [aes.BlockSize]byte // scratch: arguments of an interface would escape
	aad               [rtcpHeader + indexSize]byte
	index             uint32 // of the last SRTCP packet sent
	seen              sources
}

// newGCM makes a context that mostly seals, or mostly opens.
func newGCM(key, salt []byte, seals bool) (*gcm, error) {
	g := &gcm{}
	for _, part := range []struct {
		aead             *cipher.AEAD
		salt             *[aes.BlockSize]byte
		keyLabel, saltOf byte
	}{
		{&g.rtp, &g.rtpSalt, labelRTPKey, labelRTPSalt},
		{&g.rtcp, &g.rtcpSalt, labelRTCPKey, labelRTCPSalt},
	} {
		k, err := derive(key, salt, part.keyLabel, len(key))
		if err != nil {
			return nil, err
		}
		s, err := derive(key, salt, part.saltOf, saltSize)
		if err != nil {
			return nil, err
		}
		copy(part.salt[:], s)
		part.salt[aes.BlockSize-1] = 1
		block, err := aes.NewCipher(k)
		if err != nil {
			return nil, fmt.Errorf("make srtp cipher: %w", err)
		}
		if *part.aead, err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("make srtp cipher: %w", err)
		}
		if seals && part.aead == &g.rtp {
			g.fast = newSealer(k, block)
		}
	}
	return g, nil
}

// rtpNonce returns the IV of RFC 7714 8.1 and the counter 1, as words of the
// smallest byte first: memory written in smaller parts than it is read in keeps
// the processor waiting.
func (g *gcm) rtpNonce(ssrc uint32, index uint64) (low, high uint64) {
	i := bits.ReverseBytes64(index)
	low, high = binary.LittleEndian.Uint64(g.rtpSalt[:]), binary.LittleEndian.Uint64(g.rtpSalt[8:])
	return low ^ uint64(ssrc)<<16 ^ i>>16<<48, high ^ i>>32
}

// spellNonce sets the IV from the words of rtpNonce.
func (g *gcm) spellNonce(low, high uint64) {
	binary.LittleEndian.PutUint64(g.iv[:], low)
	binary.LittleEndian.PutUint64(g.iv[8:], high)
}

// rtcpNonce sets the IV of RFC 7714 9.1.
func (g *gcm) rtcpNonce(ssrc []byte, index uint32) {
	n := &g.iv
	copy(n[:], g.rtcpSalt[:])
	for i := range 4 {
		n[2+i] ^= ssrc[i]
		n[8+i] ^= byte(index >> (24 - 8*i))
	}
}

func (g *gcm) SealRTP(packet []byte, header int, payload []byte, index uint64) (int, error) {
	low, high := g.rtpNonce(binary.LittleEndian.Uint32(packet[8:]), index)
	if g.fast != nil && g.fast.takes(header, len(payload)) {
		return header + g.fast.seal(packet[header:], payload, packet[:header], low, high), nil
	}
	g.spellNonce(low, high)
	return header + len(g.rtp.Seal(packet[header:header], g.iv[:saltSize], payload, packet[:header])), nil
}

func (g *gcm) OpenRTP(packet []byte, header int, index uint64) ([]byte, error) {
	if header < rtpFixed || len(packet) < header+tagSize {
		return nil, ErrAuth
	}
	g.spellNonce(g.rtpNonce(binary.LittleEndian.Uint32(packet[8:]), index))
	if _, err := g.rtp.Open(packet[header:header], g.iv[:saltSize], packet[header:], packet[:header]); err != nil {
		return nil, ErrAuth
	}
	return packet[:len(packet)-tagSize], nil
}

func (g *gcm) SealRTCP(dst, packet []byte) (int, error) {
	if len(packet) < rtcpHeader {
		return 0, ErrAuth
	}
	g.index = (g.index + 1) &^ encrypted
	g.rtcpNonce(packet[4:8], g.index)
	copy(g.aad[:], packet[:rtcpHeader])
	binary.BigEndian.PutUint32(g.aad[rtcpHeader:], g.index|encrypted)
	copy(dst, packet[:rtcpHeader])
	n := rtcpHeader + len(g.rtcp.Seal(dst[rtcpHeader:rtcpHeader], g.iv[:saltSize], packet[rtcpHeader:], g.aad[:]))
	return n + copy(dst[n:], g.aad[rtcpHeader:]), nil
}

func (g *gcm) OpenRTCP(packet []byte) ([]byte, error) {
	end := len(packet) - indexSize
	if end < rtcpHeader+tagSize {
		return nil, ErrAuth
	}
	word := binary.BigEndian.Uint32(packet[end:])
	index, ssrc := word&^encrypted, binary.BigEndian.Uint32(packet[4:])
	if word&encrypted == 0 || g.seen.before(ssrc, index) {
		return nil, ErrAuth
	}
	g.rtcpNonce(packet[4:8], index)
	copy(g.aad[:], packet[:rtcpHeader])
	copy(g.aad[rtcpHeader:], packet[end:])
	if _, err := g.rtcp.Open(packet[rtcpHeader:rtcpHeader], g.iv[:saltSize], packet[rtcpHeader:end], g.aad[:]); err != nil {
		return nil, ErrAuth
	}
	g.seen.note(ssrc, index)
	return packet[:end-tagSize], nil
}

// sources remembers the SRTCP indices of the last few senders on a connection.
type sources struct {
	all  []sourceIndex
	next int // to be replaced
}

type sourceIndex struct {
	ssrc   uint32
	window Window
}

const maxSources = 32

func (s *sources) find(ssrc uint32) *Window {
	for i := range s.all {
		if s.all[i].ssrc == ssrc {
			return &s.all[i].window
		}
	}
	return nil
}

// before tells whether a packet came before, or is too old to know.
func (s *sources) before(ssrc, index uint32) bool {
	w := s.find(ssrc)
	return w != nil && !w.Fresh(uint64(index))
}

// note remembers a packet that proved right.
func (s *sources) note(ssrc, index uint32) {
	w := s.find(ssrc)
	switch {
	case w != nil:
	case len(s.all) < maxSources:
		s.all = append(s.all, sourceIndex{ssrc: ssrc})
		w = &s.all[len(s.all)-1].window
	default:
		s.all[s.next] = sourceIndex{ssrc: ssrc}
		w = &s.all[s.next].window
		s.next = (s.next + 1) % maxSources
	}
	w.Accept(uint64(index))
}
