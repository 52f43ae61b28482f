package mtproto

import (
	"crypto/aes"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/gotd/ige"
	"github.com/gotd/td/bin"
	"github.com/gotd/td/crypto"

	"parley/internal/rpc"
)

// Errors of auth.bindTempAuthKey.
var (
	errBindMessage = rpc.Err(400, "ENCRYPTED_MESSAGE_INVALID")
	errBound       = rpc.Err(400, "TEMP_AUTH_KEY_ALREADY_BOUND")
	errNotTemp     = rpc.Err(400, "TEMP_AUTH_KEY_EMPTY")
)

// bindSlack is by how much the expiry a client computed may lie behind ours.
const bindSlack = 5 * time.Minute

// bindRequest is
//
//	auth.bindTempAuthKey#cdd42a05 perm_auth_key_id:long nonce:long expires_at:int encrypted_message:bytes = Bool;
type bindRequest struct {
	perm, nonce int64
	expires     int
	message     []byte
}

func readBindRequest(query []byte) (r bindRequest, err error) {
	b := &bin.Buffer{Buf: query}
	b.Skip(4)
	if r.perm, err = b.Long(); err != nil {
		return r, err
	}
	if r.nonce, err = b.Long(); err != nil {
		return r, err
	}
	if r.expires, err = b.Int(); err != nil {
		return r, err
	}
	r.message, err = b.Bytes()
	return r, err
}

// bind binds the session's temporary key to a permanent one, as the query in
// the message id asks. It follows https://core.telegram.org/api/pfs.
func (s *session) bind(id int64, query []byte) error {
	r, err := readBindRequest(query)
	if err != nil {
		return fmt.Errorf("%w: %w", rpc.ErrInput, err)
	}
	if !s.key.temp {
		return errNotTemp
	}
	perm, err := s.srv.registry.use(s.srv.ctx, s.srv.cfg.Keys, r.perm)
	if err != nil {
		return err
	}
	if perm == nil {
		return errBindMessage
	}
	if err := s.checkBind(id, r, perm); err != nil {
		s.srv.registry.release(perm)
		return err
	}
	replaced, ok := s.srv.registry.bind(s.key, perm)
	if !ok {
		return errBound
	}
	for _, old := range replaced {
		s.srv.drop(old, "temporary key replaced")
	}
	return nil
}

// checkBind checks that whoever sent r holds both keys, and meant this very
// message in this very session.
func (s *session) checkBind(id int64, r bindRequest, perm *authKey) error {
	inner, ok := openBind(&perm.value, r, id)
	now := time.Now()
	expires := time.Unix(int64(r.expires), 0)
	switch {
	case !ok, perm.temp,
		inner.Nonce != r.nonce,
		inner.PermAuthKeyID != r.perm,
		inner.TempAuthKeyID != s.key.id,
		inner.TempSessionID != s.id,
		inner.ExpiresAt != r.expires,
		!expires.After(now),
		expires.After(s.key.expires.Add(bindSlack)):
		return errBindMessage
	}
	return nil
}

// openBind decrypts the binding message with the permanent key in the old
// way, MTProto v1: random:int128 msg_id:long seqno:int length:int, the
// message, padding. Its id must be that of the request.
func openBind(key *crypto.Key, r bindRequest, id int64) (inner crypto.BindAuthKeyInner, ok bool) {
	const header, length = 16 + 8 + 4 + 4, 4 + 4*8 + 4
	data := r.message
	if len(data) < 24+header+length || (len(data)-24)%aes.BlockSize != 0 || len(data) > 24+header+length+aes.BlockSize {
		return inner, false
	}
	if int64(binary.LittleEndian.Uint64(data)) != r.perm {
		return inner, false
	}
	var msgKey bin.Int128
	copy(msgKey[:], data[8:24])
	aesKey, iv := crypto.KeysV1(*key, msgKey)
	text := make([]byte, len(data)-24)
	ige.DecryptAES256Blocks(aesKey[:], iv[:], text, data[24:])

	text = text[:header+length]
	sum := crypto.MessageKeyV1(text)
	if subtle.ConstantTimeCompare(sum[:], msgKey[:]) != 1 ||
		int64(binary.LittleEndian.Uint64(text[16:])) != id ||
		binary.LittleEndian.Uint32(text[24:]) != 0 ||
		binary.LittleEndian.Uint32(text[28:]) != length {
		return inner, false
	}
	return inner, inner.Decode(&bin.Buffer{Buf: text[header:]}) == nil
}
