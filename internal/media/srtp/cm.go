package srtp

import (
	"encoding/binary"
	"fmt"

	"github.com/pion/rtp"
	pion "github.com/pion/srtp/v3"
)

const (
	cmTag  = 10
	rtcpCM = 64 // replay window of SRTCP
)

// cm is AES128_CM_HMAC_SHA1_80. pion would estimate rollover counters by itself
// and is told them instead: it knows streams only from their first packet on.
type cm struct {
	context *pion.Context
	header  rtp.Header
	packet  []byte // scratch
}

func newCM(key, salt []byte) (*cm, error) {
	c, err := pion.CreateContext(key, salt, pion.ProtectionProfileAes128CmHmacSha1_80, pion.SRTCPReplayProtection(rtcpCM))
	if err != nil {
		return nil, fmt.Errorf("make srtp context: %w", err)
	}
	return &cm{context: c}, nil
}

func (c *cm) SealRTP(packet []byte, header int, payload []byte, index uint64) (int, error) {
	c.context.SetROC(binary.BigEndian.Uint32(packet[8:]), uint32(index>>16))
	c.packet = append(append(c.packet[:0], packet[:header]...), payload...)
	return finish(packet)(c.context.EncryptRTP(packet[:0], c.packet, &c.header))
}

func (c *cm) OpenRTP(packet []byte, header int, index uint64) ([]byte, error) {
	if header < rtpFixed || len(packet) < header+cmTag {
		return nil, ErrAuth
	}
	c.context.SetROC(binary.BigEndian.Uint32(packet[8:]), uint32(index>>16))
	b, err := c.context.DecryptRTP(c.packet[:0], packet, &c.header)
	return c.opened(packet, b, err)
}

func (c *cm) SealRTCP(dst, packet []byte) (int, error) {
	if len(packet) < rtcpHeader {
		return 0, ErrAuth
	}
	return finish(dst)(c.context.EncryptRTCP(dst[:0], packet, nil))
}

func (c *cm) OpenRTCP(packet []byte) ([]byte, error) {
	b, err := c.context.DecryptRTCP(c.packet[:0], packet, nil)
	return c.opened(packet, b, err)
}

// opened copies what pion decrypted back over the packet and keeps its buffer.
func (c *cm) opened(packet, plain []byte, err error) ([]byte, error) {
	if err != nil || len(plain) > len(packet) {
		return nil, ErrAuth
	}
	c.packet = plain
	return packet[:copy(packet, plain)], nil
}

// finish makes sure that what was appended stands in dst.
func finish(dst []byte) func([]byte, error) (int, error) {
	return func(b []byte, err error) (int, error) {
		if err != nil {
			return 0, fmt.Errorf("protect packet: %w", err)
		}
		return copy(dst, b), nil
	}
}
