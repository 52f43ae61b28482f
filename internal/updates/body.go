package updates

import (
	"sync"

	"parley/internal/rpc"
	"parley/internal/tg"
)

var _ rpc.Body = (*body)(nil)

// body is updates that look the same to one or more viewers, encoded once per
// layer however many sessions are told.
type body struct {
	updates *tg.Updates // immutable

	mu     sync.Mutex
	layers map[int]encoded // guarded by mu
	json   encoded         // guarded by mu
}

type encoded struct {
	bytes []byte
	err   error
}

// newBody returns a body whose encoding in the newest layer is known.
func newBody(u *tg.Updates, newest []byte) *body {
	return &body{updates: u, layers: map[int]encoded{tg.Layer: {bytes: newest}}}
}

// EncodeLayer returns the updates as a client of layer reads them.
func (b *body) EncodeLayer(layer int) ([]byte, error) {
	layer = tg.Clamp(layer)
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.layers[layer]
	if !ok {
		e.bytes, e.err = tg.Encode(b.updates, layer)
		b.layers[layer] = e
	}
	return e.bytes, e.err
}

// MarshalJSON returns the updates for clients of the JSON gateway.
func (b *body) MarshalJSON() ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.json.bytes == nil && b.json.err == nil {
		b.json.bytes, b.json.err = b.updates.MarshalJSON() // json.Marshal would look it through again
	}
	return b.json.bytes, b.json.err
}
