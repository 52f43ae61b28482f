package mtproto

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/gotd/td/mt"
	"golang.org/x/time/rate"

	"parley/internal/exchange"
	"parley/internal/rpc"
)

const (
	pairPool      = 16        // Diffie-Hellman pairs computed ahead
	maxPolled     = 1024      // key exchanges over plain HTTP at the same time
	maxLimiters   = 1 << 16   // addresses of which the rate is known
	plainHeader   = 8 + 8 + 4 // key id 0, message id, length
	exchangeNonce = 16
)

// exchanges is what the key exchanges of all connections share.
type exchanges struct {
	srv  *Server // immutable
	cfg  exchange.Config
	pool *exchange.Pool
	busy chan struct{} // as many compute at the same time

	mu       sync.Mutex
	limiters map[netip.Addr]*rate.Limiter // guarded by mu
	polled   map[pollKey]*polledExchange  // guarded by mu: those over plain HTTP
}

// pollKey tells the exchanges over plain HTTP apart, where each query may come
// on a connection of its own.
type pollKey struct {
	ip    netip.Addr
	nonce [exchangeNonce]byte
}

type polledExchange struct {
	*exchange.Exchange

	since time.Time
}

func startExchanges(s *Server) *exchanges {
	x := &exchanges{
		srv: s, pool: exchange.StartPool(pairPool), busy: make(chan struct{}, s.limits.Exchanges),
		limiters: map[netip.Addr]*rate.Limiter{}, polled: map[pollKey]*polledExchange{},
	}
	x.cfg = exchange.Config{RSA: s.cfg.RSA, Pool: x.pool, Taken: x.taken, PQBits: s.cfg.PQBits}
	return x
}

func (x *exchanges) close() { x.pool.Close() }

// taken tells whether a key with this id exists. When in doubt it does.
func (x *exchanges) taken(id int64) bool {
	if x.srv.registry.knows(id) {
		return true
	}
	_, err := x.srv.cfg.Keys.LoadKey(x.srv.ctx, id)
	return !errors.Is(err, rpc.ErrNoKey)
}

// allow tells whether a client at ip may begin an exchange.
func (x *exchanges) allow(ip netip.Addr) bool {
	ip = network(ip)
	x.mu.Lock()
	defer x.mu.Unlock()
	l := x.limiters[ip]
	if l == nil {
		if len(x.limiters) >= maxLimiters {
			clear(x.limiters)
		}
		perMinute := x.srv.limits.ExchangesRate
		l = rate.NewLimiter(rate.Limit(perMinute)/60, perMinute)
		x.limiters[ip] = l
	}
	return l.Allow()
}

// sweep forgets what has not been used for long.
func (x *exchanges) sweep(now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for ip, l := range x.limiters {
		if l.TokensAt(now) >= float64(l.Burst()) {
			delete(x.limiters, ip)
		}
	}
	for k, p := range x.polled {
		if now.Sub(p.since) > exchange.Lifetime {
			p.Close()
			delete(x.polled, k)
		}
	}
}

// exchangeKeys answers a plaintext frame.
func (c *conn) exchangeKeys(frame []byte) (code int32, ok bool) {
	x := c.srv.exchanges
	if begins(frame) && !x.allow(c.ip) {
		return codeFlood, false
	}
	if c.exchange == nil && c.once {
		c.exchange = x.claim(c.ip, frame)
	}
	if c.exchange == nil {
		c.exchange = exchange.New(x.cfg)
	}
	reply, err := x.step(c.exchange, frame)
	if err != nil {
		c.srv.cfg.Log.Debug("key exchange refused", "err", err)
		return exchange.Code(err), false
	}
	if c.once && x.keep(c.ip, frame, c.exchange) {
		c.exchange = nil
	}
	c.postPlain(reply)
	return 0, true
}

// begins tells whether a plaintext frame begins an exchange.
func begins(frame []byte) bool {
	if len(frame) < plainHeader {
		return false
	}
	id := constructor(frame[plainHeader:])
	return id == mt.ReqPqRequestTypeID || id == mt.ReqPqMultiRequestTypeID
}

// step feeds a frame to an exchange and stores the key that results.
func (x *exchanges) step(e *exchange.Exchange, frame []byte) ([]byte, error) {
	select {
	case x.busy <- struct{}{}:
	case <-x.srv.ctx.Done():
		return nil, x.srv.ctx.Err()
	}
	reply, key, err := e.Step(frame)
	<-x.busy
	if err != nil || key == nil {
		return reply, err
	}
	if err := x.store(key); err != nil {
		return nil, err
	}
	x.srv.stats.exchanged.Add(1)
	return reply, nil
}

func (x *exchanges) store(key *exchange.Key) error {
	now := time.Now()
	if key.Temp {
		k := newAuthKey(key.ID, key.Value, key.Salt, x.srv.limits)
		k.temp, k.expires, k.dc = true, key.ExpiresAt, key.DC
		k.salts.until = now.Add(firstSaltTime)
		if !x.srv.registry.addTemp(k) {
			return errors.New("too many temporary keys")
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(x.srv.ctx, x.srv.limits.Request)
	defer cancel()
	err := x.srv.cfg.Keys.SaveKey(ctx, rpc.Key{ID: key.ID, Value: key.Value, Salt: key.Salt, DC: key.DC, Created: now})
	if err != nil {
		return fmt.Errorf("save key: %w", err)
	}
	return nil
}

// pollKeyOf finds the client's nonce, with which every query of an exchange begins.
func pollKeyOf(ip netip.Addr, frame []byte) (k pollKey, ok bool) {
	if len(frame) < plainHeader+4+exchangeNonce {
		return k, false
	}
	k.ip = ip
	copy(k.nonce[:], frame[plainHeader+4:])
	return k, true
}

// claim takes the exchange that a frame over plain HTTP continues, nil if there is none.
func (x *exchanges) claim(ip netip.Addr, frame []byte) *exchange.Exchange {
	k, ok := pollKeyOf(ip, frame)
	if !ok {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.polled[k]
	if p == nil {
		return nil
	}
	delete(x.polled, k)
	return p.Exchange
}

// keep puts an exchange aside until its next query and tells whether it could.
func (x *exchanges) keep(ip netip.Addr, frame []byte, e *exchange.Exchange) bool {
	k, ok := pollKeyOf(ip, frame)
	if !ok {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.polled[k] != nil {
		return false
	}
	if len(x.polled) >= maxPolled {
		for other, p := range x.polled { // any one; else a few could keep all others out
			p.Close()
			delete(x.polled, other)
			break
		}
	}
	x.polled[k] = &polledExchange{Exchange: e, since: time.Now()}
	return true
}
