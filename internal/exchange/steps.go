package exchange

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"math/big"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/mt"
)

// reqPQ answers
//
//	req_pq#60469778 nonce:int128 = ResPQ;
//	req_pq_multi#be7e8ef1 nonce:int128 = ResPQ;
//
// which begin a new exchange whatever came before.
func (x *Exchange) reqPQ(b *bin.Buffer, body []byte) ([]byte, error) {
	var nonce bin.Int128
	if _, err := b.ID(); err != nil {
		return nil, ErrQuery
	}
	if err := nonce.Decode(b); err != nil {
		return nil, ErrQuery
	}
	reply, sum := x.repeated(idle, body, b)
	if reply != nil {
		return reply, nil
	}
	x.reset()
	x.stage, x.began, x.nonce = sentPQ, time.Now(), nonce
	_, _ = rand.Read(x.serverNonce[:])
	x.p, x.q = newPQ(x.cfg.PQBits)
	return x.reply(idle, sum, &mt.ResPQ{
		Nonce: x.nonce, ServerNonce: x.serverNonce,
		Pq:                          new(big.Int).SetUint64(x.p * x.q).Bytes(),
		ServerPublicKeyFingerprints: []int64{Fingerprint(&x.cfg.RSA.PublicKey)},
	})
}

// reqDHParams answers
//
//	req_DH_params#d712e4be nonce:int128 server_nonce:int128 p:string q:string
//	  public_key_fingerprint:long encrypted_data:string = Server_DH_Params;
func (x *Exchange) reqDHParams(b *bin.Buffer, body []byte) ([]byte, error) {
	var req mt.ReqDHParamsRequest
	if err := req.Decode(b); err != nil {
		return nil, ErrQuery
	}
	reply, sum := x.repeated(sentPQ, body, b)
	if reply != nil {
		return reply, nil
	}
	if x.stage != sentPQ || !x.ours(req.Nonce, req.ServerNonce) || !sameNumber(req.P, x.p) || !sameNumber(req.Q, x.q) ||
		req.PublicKeyFingerprint != Fingerprint(&x.cfg.RSA.PublicKey) {
		return nil, ErrQuery
	}
	plain, ok := decryptRSA(x.cfg.RSA, req.EncryptedData)
	inner, valid := openInner(plain[:])
	clear(plain[:])
	if !ok || !valid || !x.ours(inner.nonce, inner.serverNonce) || !sameNumber(inner.pq, x.p*x.q) ||
		!sameNumber(inner.p, x.p) || !sameNumber(inner.q, x.q) || inner.temp && inner.expiresIn <= 0 {
		return nil, ErrQuery
	}
	if inner.dc, ok = plainDC(inner.hasDC, inner.dc); !ok {
		return nil, ErrWrongDC
	}
	x.stage, x.about, x.newNonce, x.pair = sentDH, inner, inner.newNonce, x.cfg.Pool.take()
	x.about.newNonce = bin.Int256{}
	return x.serverDHParams(sum)
}

func (x *Exchange) serverDHParams(sum [32]byte) ([]byte, error) {
	var plain bin.Buffer
	data := mt.ServerDHInnerData{
		Nonce: x.nonce, ServerNonce: x.serverNonce,
		G: generator, DhPrime: dhPrimeBytes(), GA: x.pair.ga[:], ServerTime: int(time.Now().Unix()),
	}
	if err := data.Encode(&plain); err != nil {
		return nil, err
	}
	return x.reply(sentPQ, sum, &mt.ServerDHParamsOk{
		Nonce: x.nonce, ServerNonce: x.serverNonce,
		EncryptedAnswer: sealHashed(plain.Buf, x.newNonce, x.serverNonce),
	})
}

// setClientDHParams answers
//
//	set_client_DH_params#f5045f1f nonce:int128 server_nonce:int128
//	  encrypted_data:string = Set_client_DH_params_answer;
func (x *Exchange) setClientDHParams(b *bin.Buffer, body []byte) ([]byte, *Key, error) {
	var req mt.SetClientDHParamsRequest
	if err := req.Decode(b); err != nil {
		return nil, nil, ErrQuery
	}
	reply, sum := x.repeated(sentDH, body, b)
	if reply != nil {
		return reply, nil, nil
	}
	if x.stage != sentDH || !x.ours(req.Nonce, req.ServerNonce) {
		return nil, nil, ErrQuery
	}
	var inner mt.ClientDHInnerData
	if !openHashed(req.EncryptedData, x.newNonce, x.serverNonce, &inner) {
		return nil, nil, ErrQuery
	}
	if !x.ours(inner.Nonce, inner.ServerNonce) || inner.RetryID != x.retryID || !inRange(inner.GB) {
		return nil, nil, ErrQuery
	}
	return x.finish(inner.GB, sum)
}

// maxRetries is how often a client may be asked for another key. Two keys with
// the same id are a wonder; one that keeps coming is an attempt at something.
const maxRetries = 3

// finish computes the key, and keeps it unless its id is in use.
func (x *Exchange) finish(gb []byte, sum [32]byte) ([]byte, *Key, error) {
	key := &Key{Value: x.pair.shared(gb), Temp: x.about.temp, DC: x.about.dc}
	hash := sha1.Sum(key.Value[:])
	key.ID = int64(binary.LittleEndian.Uint64(hash[12:]))
	aux := hash[:8]

	if key.ID == 0 || x.cfg.Taken != nil && x.cfg.Taken(key.ID) {
		clear(key.Value[:])
		if x.retries++; x.retries > maxRetries {
			reply, err := x.reply(sentDH, sum, &mt.DhGenFail{
				Nonce: x.nonce, ServerNonce: x.serverNonce, NewNonceHash3: x.newNonceHash(3, aux),
			})
			x.reset()
			return reply, nil, err
		}
		x.retryID = int64(binary.LittleEndian.Uint64(aux))
		reply, err := x.reply(sentDH, sum, &mt.DhGenRetry{
			Nonce: x.nonce, ServerNonce: x.serverNonce, NewNonceHash2: x.newNonceHash(2, aux),
		})
		return reply, nil, err
	}
	key.Salt = int64(binary.LittleEndian.Uint64(x.newNonce[:]) ^ binary.LittleEndian.Uint64(x.serverNonce[:]))
	if key.Temp {
		key.ExpiresAt = time.Now().Add(time.Duration(x.about.expiresIn) * time.Second)
	}
	reply, err := x.reply(sentDH, sum, &mt.DhGenOk{
		Nonce: x.nonce, ServerNonce: x.serverNonce, NewNonceHash1: x.newNonceHash(1, aux),
	})
	x.stage, x.newNonce = finished, bin.Int256{}
	x.pair.erase()
	return reply, key, err
}

// newNonceHash proves that the server knows the new nonce and the key.
func (x *Exchange) newNonceHash(kind byte, aux []byte) (hash bin.Int128) {
	h := sha1.New()
	h.Write(x.newNonce[:])
	h.Write([]byte{kind})
	h.Write(aux)
	copy(hash[:], h.Sum(nil)[4:])
	return hash
}

// reply encodes m and remembers it for a repetition of the query.
func (x *Exchange) reply(at stage, query [32]byte, m bin.Encoder) ([]byte, error) {
	var b bin.Buffer
	if err := m.Encode(&b); err != nil {
		return nil, err
	}
	x.answers[at] = answer{query: query, reply: b.Buf}
	return b.Buf, nil
}
