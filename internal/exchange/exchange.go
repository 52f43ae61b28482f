// Package exchange is the server's half of MTProto's auth key exchange.
//
// An Exchange is a state machine that one connection feeds with its plaintext
// frames; it has no goroutine and waits for nothing. It owns the secrets of the
// exchange and erases them when the exchange ends, however it ends. A Pool
// computes the expensive half of the Diffie-Hellman pairs ahead of time.
//
// All arithmetic on secrets (RSA, Diffie-Hellman) is done in constant time by
// filippo.io/bigmod, which has the code of crypto/rsa: that offers no raw
// decryption, and math/big would need blinding. All refusals look the same and
// every RSA block is tried under both schemes, so that answers tell nothing.
//
// It follows https://core.telegram.org/mtproto/auth_key and
// security_guidelines.
package exchange

import (
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/mt"
)

// Lifetime is how long an exchange may take.
const Lifetime = 10 * time.Minute

// Errors that end an exchange. Code tells what the client hears.
var (
	ErrQuery   = errors.New("exchange: incorrect query")
	ErrWrongDC = errors.New("exchange: no such data center")
)

// Code returns the transport error that answers err.
func Code(err error) int32 {
	if errors.Is(err, ErrWrongDC) {
		return -444
	}
	return -404
}

// Key is the result of an exchange.
type Key struct {
	ID        int64 // low 64 bits of SHA-1 of Value; never 0
	Value     [256]byte
	Salt      int64     // the first server salt
	Temp      bool      // to be bound to a permanent key, kept in memory only
	ExpiresAt time.Time // of a temporary key
	DC        int       // 1 to 5: what the client thinks it speaks to; 0: it did not say
}

// Config is what exchanges need. Its values are shared by all of them.
type Config struct {
	RSA    *rsa.PrivateKey     // 2048 bits
	Pool   *Pool               // nil: each exchange computes its own pair
	Taken  func(id int64) bool // tells whether a key with this id exists; nil: none does
	PQBits int                 // of each of the two primes, 8 to 31; anything else means 31
}

// stage is what has been answered.
type stage int

const (
	idle stage = iota
	sentPQ
	sentDH
	finished
)

// answer is a reply that an identical query gets again.
type answer struct {
	query [sha256.Size]byte
	reply []byte
}

// Exchange is the state of one connection's exchanges, one after another. It
// is not safe for concurrent use.
type Exchange struct {
	cfg    Config // immutable
	lastID int64  // of the messages sent; outlives the state
	state
}

// state is what is known of the exchange under way.
type state struct {
	stage       stage
	began       time.Time
	nonce       bin.Int128
	serverNonce bin.Int128
	p, q        uint64
	answers     [finished]answer // by the stage that the query was for

	newNonce bin.Int256 // secret
	pair     pair       // secret
	about    innerData  // what the client wants of the key
	retries  int
	retryID  int64 // what the client must name: 0, or the key that was refused
}

// New returns an exchange that waits for its first query.
func New(cfg Config) *Exchange {
	if cfg.PQBits < 8 || cfg.PQBits > 31 {
		cfg.PQBits = 31
	}
	return &Exchange{cfg: cfg}
}

// Close erases the secrets of an exchange that was not finished.
func (x *Exchange) Close() { x.reset() }

// Step answers one frame with an unencrypted message. With the last reply it
// returns the key, which must be stored before the reply is sent. An error ends
// the exchange: Code(err) is the answer, and all but a new beginning fails.
func (x *Exchange) Step(frame []byte) (reply []byte, key *Key, err error) {
	body, err := openEnvelope(frame)
	if err == nil {
		reply, key, err = x.answer(body)
	}
	if err != nil {
		x.reset()
		return nil, nil, fmt.Errorf("exchange keys: %w", err)
	}
	return x.envelope(reply), key, nil
}

func (x *Exchange) reset() {
	x.pair.erase()
	x.state = state{}
}

func (x *Exchange) answer(body []byte) ([]byte, *Key, error) {
	if x.stage != idle && time.Since(x.began) > Lifetime {
		x.reset()
	}
	b := &bin.Buffer{Buf: body}
	id, err := b.PeekID()
	if err != nil {
		return nil, nil, ErrQuery
	}
	switch id {
	case mt.ReqPqRequestTypeID, mt.ReqPqMultiRequestTypeID:
		reply, err := x.reqPQ(b, body)
		return reply, nil, err
	case mt.ReqDHParamsRequestTypeID:
		reply, err := x.reqDHParams(b, body)
		return reply, nil, err
	case mt.SetClientDHParamsRequestTypeID:
		return x.setClientDHParams(b, body)
	default:
		return nil, nil, ErrQuery
	}
}

// repeated returns the reply that was given to the same query before. rest is
// what follows the query in body: TDLib fills it with random bytes.
func (x *Exchange) repeated(at stage, body []byte, rest *bin.Buffer) ([]byte, [sha256.Size]byte) {
	sum := sha256.Sum256(body[:len(body)-rest.Len()])
	if a := x.answers[at]; a.reply != nil && a.query == sum {
		return a.reply, sum
	}
	return nil, sum
}
