package exchange

import (
	"context"
	"encoding/hex"
	"math/big"
	"slices"

	"filippo.io/bigmod"
)

// generator and dhPrimeHex are the group that all clients know: 3 generates the
// quadratic residues modulo this safe prime of 2048 bits. Clients skip their
// long checks of the prime when they see it.
const (
	generator  = 3
	dhPrimeHex = "" +
		"c71caeb9c6b1c9048e6c522f70f13f73980d40238e3e21c14934d037563d930f" +
		"48198a0aa7c14058229493d22530f4dbfa336f6e0ac925139543aed44cce7c37" +
		"20fd51f69458705ac68cd4fe6b6b13abdc9746512969328454f18faf8c595f64" +
		"2477fe96bb2a941d5bcd1d4ac8cc49880708fa9b378e3c4f3a9060bee67cf9a4" +
		"a4a695811051907e162753b56b0f6b410dba74d8a84b2a14b3144e0ef1284754" +
		"fd17ed950d5965b4b9dd46582db1178d169c6bc465b0d6ff9ca3928fef5b9ae4" +
		"e418fc15e83ebea0f87fa9ff5eed70050ded2849f47bf959d956850ce929851f" +
		"0d8115f635b105ee2e4e15d04b2454bf6f4fadf034b10403119cd8e3b92fcc5b"
)

// The prime and the bounds of g_a and g_b, which are 2^(2048-64) away from 0
// and from the prime. None of them changes.
var (
	dhPrime   = new(big.Int).SetBytes(dhPrimeBytes())
	dhModulus = newDHModulus()
	dhLowest  = new(big.Int).Lsh(big.NewInt(1), 2048-64)
	dhHighest = new(big.Int).Sub(dhPrime, dhLowest)
)

func dhPrimeBytes() []byte {
	b, err := hex.DecodeString(dhPrimeHex)
	if err != nil {
		panic(err) // a constant
	}
	return b
}

func newDHModulus() *bigmod.Modulus {
	m, err := bigmod.NewModulus(dhPrimeBytes())
	if err != nil {
		panic(err) // a constant
	}
	return m
}

// inRange tells whether a public value is neither too small nor too large.
func inRange(b []byte) bool {
	n := new(big.Int).SetBytes(b)
	return len(b) <= 256 && n.Cmp(dhLowest) > 0 && n.Cmp(dhHighest) < 0
}

// pair is the server's half of a Diffie-Hellman agreement, for one exchange.
type pair struct {
	a  []byte // secret
	ga [256]byte
}

// newPair draws a pair: one modular exponentiation.
func newPair() pair {
	g := bigmod.NewNat().SetUint(generator).ExpandFor(dhModulus)
	for {
		p := pair{a: randomBytes(256)}
		copy(p.ga[:], bigmod.NewNat().Exp(g, p.a, dhModulus).Bytes(dhModulus))
		if inRange(p.ga[:]) {
			return p
		}
	}
}

// shared computes the common secret. gb is in range.
func (p pair) shared(gb []byte) (key [256]byte) {
	gb = slices.Concat(make([]byte, 256-len(gb)), gb)
	n, err := bigmod.NewNat().SetBytes(gb, dhModulus)
	if err != nil {
		panic(err) // it is in range
	}
	copy(key[:], bigmod.NewNat().Exp(n, p.a, dhModulus).Bytes(dhModulus))
	return key
}

func (p *pair) erase() {
	clear(p.a)
	*p = pair{}
}

// Pool keeps pairs ready, so that a rush of new clients costs half.
type Pool struct {
	pairs chan pair
	stop  context.CancelFunc
	done  chan struct{}
}

// StartPool returns a pool that fills itself up to size pairs in the
// background until it is closed.
func StartPool(size int) *Pool {
	ctx, stop := context.WithCancel(context.Background())
	p := &Pool{pairs: make(chan pair, max(size, 1)), stop: stop, done: make(chan struct{})}
	go p.fill(ctx)
	return p
}

func (p *Pool) fill(ctx context.Context) {
	defer close(p.done)
	for ctx.Err() == nil {
		next := newPair()
		select {
		case p.pairs <- next:
		case <-ctx.Done():
			next.erase()
		}
	}
}

// Close stops filling and erases what is left. Exchanges may go on without.
func (p *Pool) Close() {
	p.stop()
	<-p.done
	for {
		select {
		case left := <-p.pairs:
			left.erase()
		default:
			return
		}
	}
}

// take returns a pair that nobody else gets; an empty pool makes nobody wait
// for more than the calculation.
func (p *Pool) take() pair {
	if p != nil {
		select {
		case ready := <-p.pairs:
			return ready
		default:
		}
	}
	return newPair()
}
