package rpc

import (
	"context"
	"errors"
	"time"
)

// ErrNoKey is returned by a key store that does not know an id.
var ErrNoKey = errors.New("rpc: no such key")

// Key is a permanent MTProto auth key as it outlives the process.
type Key struct {
	ID      int64 // low 64 bits of SHA-1 of Value, as int64
	Value   [256]byte
	Salt    int64 // first server salt
	Layer   int   // last declared, 0 = never
	DC      int   // the data centre the client thinks it speaks to; 0 = it did not say
	Created time.Time
}

// Keys keeps permanent auth keys. Implementations encrypt Value at rest.
type Keys interface {
	LoadKey(ctx context.Context, id int64) (Key, error) // ErrNoKey when unknown
	SaveKey(ctx context.Context, k Key) error           // an error when the id is taken
	DeleteKey(ctx context.Context, id int64) error
	// DeleteUnusedKeys deletes keys made before a time that nobody is signed in
	// with, but those that inUse tells of.
	DeleteUnusedKeys(ctx context.Context, before time.Time, inUse func(id int64) bool) error
	SetKeyLayer(ctx context.Context, id int64, layer int) error
}
