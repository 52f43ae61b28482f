package mtproto

import (
	"crypto/aes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/gotd/ige"
	"github.com/gotd/td/bin"
	"github.com/gotd/td/crypto"
)

const (
	outerHeader = 8 + 16             // auth_key_id, msg_key
	innerHeader = 8 + 8 + 8 + 4 + 4  // salt, session_id, msg_id, seqno, length
	minPadding  = 12                 // bytes
	maxPadding  = 1024               // bytes
	smallestMsg = outerHeader + 3*16 // header and padding filled up to a block
	clientSide  = 0                  // offset into the key for messages from clients
	serverSide  = 8                  // and for messages to them
	keepScratch = 64 << 10           // larger buffers are not kept
	quickAckBit = uint32(1) << 31    // set in every quick ack token
)

// errForged is what every message gets that was not made with the key or
// breaks the envelope's rules; the client learns nothing of the reason.
var errForged = errors.New("forged message")

// plain is a decrypted message.
type plain struct {
	salt, session, id int64
	seqno             int32
	body              []byte
	token             uint32 // of the quick ack
}

// openFrame decrypts what a client sent. The result shares no memory with frame.
func openFrame(key *crypto.Key, frame []byte) (plain, error) {
	if len(frame) < smallestMsg || (len(frame)-outerHeader)%aes.BlockSize != 0 {
		return plain{}, errForged
	}
	var msgKey bin.Int128
	copy(msgKey[:], frame[8:outerHeader])
	aesKey, iv := crypto.Keys(*key, msgKey, crypto.Client)
	text := make([]byte, len(frame)-outerHeader)
	ige.DecryptAES256Blocks(aesKey[:], iv[:], text, frame[outerHeader:])

	large := messageKey(key, clientSide, text)
	if subtle.ConstantTimeCompare(large[8:24], msgKey[:]) != 1 {
		return plain{}, errForged
	}
	p, err := parsePlain(text)
	p.token = binary.LittleEndian.Uint32(large[:]) | quickAckBit
	return p, err
}

// parsePlain cuts a decrypted message into its fields.
func parsePlain(text []byte) (plain, error) {
	if len(text) < innerHeader {
		return plain{}, errForged
	}
	n := int64(int32(binary.LittleEndian.Uint32(text[28:])))
	padding := int64(len(text)-innerHeader) - n
	if n < 0 || n%4 != 0 || padding < minPadding || padding > maxPadding {
		return plain{}, errForged
	}
	p := plain{
		salt:    int64(binary.LittleEndian.Uint64(text)),
		session: int64(binary.LittleEndian.Uint64(text[8:])),
		id:      int64(binary.LittleEndian.Uint64(text[16:])),
		seqno:   int32(binary.LittleEndian.Uint32(text[24:])),
		body:    text[innerHeader : innerHeader+n : innerHeader+n],
	}
	if p.session == 0 {
		return plain{}, errForged
	}
	return p, nil
}

// messageKey returns the hash of which msg_key is the middle.
func messageKey(key *crypto.Key, side int, text []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(key[88+side : 120+side])
	h.Write(text)
	h.Sum(sum[:0])
	return sum
}

// scratch is memory for making a frame.
type scratch struct{ text, frame []byte }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (s *scratch) release() {
	if cap(s.text) <= keepScratch {
		scratches.Put(s)
	}
}

// seal encrypts the message that text was begun with (beginText) into a frame
// that is valid until the scratch is released.
func (s *scratch) seal(keyID int64, key *crypto.Key) []byte {
	binary.LittleEndian.PutUint32(s.text[28:], uint32(len(s.text)-innerHeader))
	s.pad()
	large := messageKey(key, serverSide, s.text)
	var msgKey bin.Int128
	copy(msgKey[:], large[8:24])
	aesKey, iv := crypto.Keys(*key, msgKey, crypto.Server)

	if need := outerHeader + len(s.text); cap(s.frame) < need {
		s.frame = make([]byte, need, need+need/4)
	} else {
		s.frame = s.frame[:need]
	}
	binary.LittleEndian.PutUint64(s.frame, uint64(keyID))
	copy(s.frame[8:], msgKey[:])
	block, err := aes.NewCipher(aesKey[:])
	if err != nil {
		panic(err) // the key's length is fixed
	}
	ige.EncryptBlocks(block, iv[:], s.frame[outerHeader:], s.text)
	return s.frame
}

// pad fills the text up to whole blocks with at least minPadding random bytes.
func (s *scratch) pad() {
	var random [2*aes.BlockSize + 4*aes.BlockSize]byte
	_, _ = rand.Read(random[:]) // never fails
	n := len(s.text)
	padding := minPadding + (aes.BlockSize-(n+minPadding)%aes.BlockSize)%aes.BlockSize
	padding += int(random[len(random)-1]%4) * aes.BlockSize // hides the length a little
	s.text = append(s.text, random[:padding]...)
}

// begin starts the text of a message; its body is to be appended.
func (s *scratch) begin(salt, session, id int64, seqno int32) {
	b := s.text[:0]
	b = binary.LittleEndian.AppendUint64(b, uint64(salt))
	b = binary.LittleEndian.AppendUint64(b, uint64(session))
	b = binary.LittleEndian.AppendUint64(b, uint64(id))
	b = binary.LittleEndian.AppendUint32(b, uint32(seqno))
	s.text = binary.LittleEndian.AppendUint32(b, 0)
}
