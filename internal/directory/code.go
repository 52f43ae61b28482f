package directory

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

const (
	// CodeLength is how many digits a sign-in code has.
	CodeLength = 5

	codeLife  = 5 * time.Minute
	codeTries = 5
	maxCodes  = 10_000 // waiting at a time; the oldest give way

	// A phone may ask for 5 codes at once and then for one every 2 minutes:
	// with 5 tries each a guesser needs months.
	codeBurst = 5
	codeEvery = 2 * time.Minute
)

// codes are the sign-in codes that people have not used yet.
type codes struct {
	sink  Codes
	dev   bool
	sends *limiter
	mu    sync.Mutex
	sent  map[string]*sentCode // by phone_code_hash; guarded by mu
	order []string             // hashes, oldest first; guarded by mu
}

type sentCode struct {
	phone    string
	code     string
	expires  time.Time
	tries    int
	verified bool // the code was right; sign-up may follow
}

func newCodes(sink Codes, dev bool) *codes {
	return &codes{sink: sink, dev: dev, sends: newLimiter(codeBurst, codeEvery), sent: map[string]*sentCode{}}
}

// send makes a code for a parsed phone, hands it over and returns its hash.
func (c *codes) send(ctx context.Context, phone string) (string, error) {
	code, known := "", false
	if c.dev {
		code, known = devCode(phone)
	}
	if !known {
		if err := c.sends.take(phone, 1); err != nil {
			return "", err
		}
		code = randomCode()
		if err := c.sink.SendCode(ctx, phone, code); err != nil {
			return "", fmt.Errorf("send code: %w", err)
		}
	}
	hash := randomName(12)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(time.Now())
	c.sent[hash] = &sentCode{phone: phone, code: code, expires: time.Now().Add(codeLife)}
	c.order = append(c.order, hash)
	return hash, nil
}

// verify spends a try on the code behind hash.
func (c *codes) verify(phone, hash, code string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	sent, err := c.find(phone, hash)
	switch {
	case err != nil:
		return err
	case code == "":
		return errCodeEmpty
	case subtle.ConstantTimeCompare([]byte(sent.code), []byte(code)) == 1:
		sent.verified = true
		return nil
	}
	if sent.tries++; sent.tries >= codeTries {
		delete(c.sent, hash)
	}
	return errCodeInvalid
}

// verified tells whether the code behind hash was given before, without error.
func (c *codes) verified(phone, hash string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	sent, err := c.find(phone, hash)
	if err == nil && !sent.verified {
		err = errCodeInvalid
	}
	return err
}

// cancel makes a code worthless.
func (c *codes) cancel(phone, hash string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.find(phone, hash)
	if err == nil {
		delete(c.sent, hash)
	}
	return err
}

// find returns the code behind hash. mu is held.
func (c *codes) find(phone, hash string) (*sentCode, error) {
	if hash == "" {
		return nil, errCodeHashEmpty
	}
	sent := c.sent[hash]
	if sent == nil || sent.phone != phone || time.Now().After(sent.expires) {
		return nil, errCodeExpired
	}
	return sent, nil
}

// expire makes room for one more code. mu is held.
func (c *codes) expire(now time.Time) {
	for len(c.order) > 0 {
		oldest := c.sent[c.order[0]]
		if oldest != nil && now.Before(oldest.expires) && len(c.order) < maxCodes {
			return
		}
		delete(c.sent, c.order[0])
		c.order = c.order[1:]
	}
}

func randomCode() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%0*d", CodeLength, binary.LittleEndian.Uint64(b[:])%100_000)
}

// randomName returns n random bytes as base64url: 16 can't be guessed.
func randomName(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
