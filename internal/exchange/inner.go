package exchange

import (
	"crypto/aes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"slices"

	"github.com/gotd/ige"
	"github.com/gotd/td/bin"
	"github.com/gotd/td/mt"
)

// innerData is what a client says under the server's RSA key.
type innerData struct {
	pq, p, q           []byte
	nonce, serverNonce bin.Int128
	newNonce           bin.Int256
	hasDC, temp        bool
	dc                 int
	expiresIn          int // seconds, of a temporary key
}

// innerTempID is p_q_inner_data_temp#3c6a84d4, which gotd's types lack.
const innerTempID = 0x3c6a84d4

// parseInner reads the inner data at the start of data and tells its length:
//
//	p_q_inner_data#83c95aec pq:string p:string q:string nonce:int128 server_nonce:int128 new_nonce:int256 = P_Q_inner_data;
//	p_q_inner_data_dc#a9f55f95 pq:string p:string q:string nonce:int128 server_nonce:int128 new_nonce:int256 dc:int = P_Q_inner_data;
//	p_q_inner_data_temp#3c6a84d4 pq:string p:string q:string nonce:int128 server_nonce:int128 new_nonce:int256 expires_in:int = P_Q_inner_data;
//	p_q_inner_data_temp_dc#56fddf88 pq:string p:string q:string nonce:int128 server_nonce:int128 new_nonce:int256 dc:int expires_in:int = P_Q_inner_data;
func parseInner(data []byte) (in innerData, n int, err error) {
	b := &bin.Buffer{Buf: data}
	id, err := b.ID()
	if err != nil {
		return in, 0, err
	}
	switch id {
	case mt.PQInnerDataTypeID:
	case mt.PQInnerDataDCTypeID:
		in.hasDC = true
	case innerTempID:
		in.temp = true
	case mt.PQInnerDataTempDCTypeID:
		in.hasDC, in.temp = true, true
	default:
		return in, 0, ErrQuery
	}
	for _, s := range []*[]byte{&in.pq, &in.p, &in.q} {
		if *s, err = b.Bytes(); err != nil {
			return in, 0, err
		}
	}
	for _, d := range []bin.Decoder{&in.nonce, &in.serverNonce, &in.newNonce} {
		if err = d.Decode(b); err != nil {
			return in, 0, err
		}
	}
	if in.hasDC {
		if in.dc, err = b.Int(); err != nil {
			return in, 0, err
		}
	}
	if in.temp {
		if in.expiresIn, err = b.Int(); err != nil {
			return in, 0, err
		}
	}
	return in, len(data) - b.Len(), nil
}

// openInner finds the inner data in a decrypted RSA block. It always tries both
// schemes: what a refusal costs does not tell where it failed.
func openInner(block []byte) (innerData, bool) {
	padded, isPadded := openPadded(block)
	hashed, isHashed := openOld(block)
	switch {
	case isPadded:
		return padded, true
	case isHashed:
		return hashed, true
	default:
		return innerData{}, false
	}
}

// openPadded undoes RSA_PAD: 32 bytes of key, exclusive-ored with the SHA-256
// of the rest, which is AES-256-IGE of 192 reversed bytes and their SHA-256.
func openPadded(block []byte) (innerData, bool) {
	const size = 192
	masked, sealed := block[:32], block[32:]
	mask := sha256.Sum256(sealed)
	var key [32]byte
	subtle.XORBytes(key[:], masked, mask[:])

	plain := make([]byte, len(sealed))
	decryptIGE(key, [32]byte{}, plain, sealed)
	defer clear(plain)
	data, want := plain[:size], plain[size:]
	slices.Reverse(data)
	sum := sha256.Sum256(append(key[:], data...))
	in, _, err := parseInner(data)
	return in, subtle.ConstantTimeCompare(sum[:], want) == 1 && err == nil
}

// openOld opens the scheme of older clients: a zero byte, the SHA-1 of the data,
// the data, and random bytes to the end.
func openOld(block []byte) (innerData, bool) {
	want, data := block[1:1+sha1.Size], block[1+sha1.Size:]
	in, n, err := parseInner(data)
	if err != nil {
		n = 96 // what the data has at least
	}
	sum := sha1.Sum(data[:n])
	return in, subtle.ConstantTimeCompare(sum[:], want) == 1 && block[0] == 0 && err == nil
}

// temporaryKey derives the AES key and initial vector of the Diffie-Hellman step.
func temporaryKey(newNonce bin.Int256, serverNonce bin.Int128) (key, iv [32]byte) {
	hash := func(a, b []byte) [sha1.Size]byte {
		return sha1.Sum(slices.Concat(a, b))
	}
	ns := hash(newNonce[:], serverNonce[:])
	sn := hash(serverNonce[:], newNonce[:])
	nn := hash(newNonce[:], newNonce[:])
	copy(key[:], slices.Concat(ns[:], sn[:12]))
	copy(iv[:], slices.Concat(sn[12:], nn[:], newNonce[:4]))
	return key, iv
}

// sealHashed encrypts the SHA-1 of data, data, and padding to whole blocks.
func sealHashed(data []byte, newNonce bin.Int256, serverNonce bin.Int128) []byte {
	sum := sha1.Sum(data)
	plain := slices.Concat(sum[:], data)
	plain = append(plain, randomBytes(-len(plain)&(aes.BlockSize-1))...)
	key, iv := temporaryKey(newNonce, serverNonce)
	sealed := make([]byte, len(plain))
	ige.EncryptBlocks(cipherOf(key), iv[:], sealed, plain)
	return sealed
}

// openHashed decrypts sealed, decodes into d and checks the SHA-1 of exactly
// what was decoded.
func openHashed(sealed []byte, newNonce bin.Int256, serverNonce bin.Int128, d bin.Decoder) bool {
	if len(sealed) < 2*aes.BlockSize || len(sealed)%aes.BlockSize != 0 {
		return false
	}
	key, iv := temporaryKey(newNonce, serverNonce)
	plain := make([]byte, len(sealed))
	decryptIGE(key, iv, plain, sealed)
	want, data := plain[:sha1.Size], plain[sha1.Size:]
	b := &bin.Buffer{Buf: data}
	if err := d.Decode(b); err != nil {
		return false
	}
	sum := sha1.Sum(data[:len(data)-b.Len()])
	return subtle.ConstantTimeCompare(sum[:], want) == 1
}
