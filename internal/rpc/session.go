package rpc

import (
	"encoding/json"
	"strings"
	"sync/atomic"
)

// Body is something a session can be told: an update that knows its bytes at
// every layer. Implementations cache what they encode; many sessions share one.
type Body interface {
	// EncodeLayer returns the boxed TL bytes for a client of layer.
	EncodeLayer(layer int) ([]byte, error)
	json.Marshaler
}

// A Session is one client program's conversation with the server: an MTProto
// session (auth key and session id) or one JSON WebSocket. It outlives the
// connections that carry it.
type Session struct {
	ID  int64 // unique in this process; immutable
	Key int64 // what the sign-in is bound to: the permanent auth key's id, or the JSON token's; immutable
	DC  int   // the data centre the client thinks it speaks to, 0 = any; set before the session is used

	push    func(Body)
	layer   atomic.Int32
	updates atomic.Bool
	device  atomic.Pointer[string]
}

var lastSession atomic.Int64

// NewSession returns a session of key. push hands an update to the client's
// queue and must not block: when the queue is full it drops the whole session
// state, so that the client finds a new session and asks for the difference.
func NewSession(key int64, push func(Body)) *Session {
	return &Session{ID: lastSession.Add(1), Key: key, push: push}
}

// Layer returns the layer the client last declared; 0 before it did.
func (s *Session) Layer() int { return int(s.layer.Load()) }

// SetLayer notes the layer the client declared.
func (s *Session) SetLayer(layer int) { s.layer.Store(int32(layer)) }

// Device returns what the client called itself in initConnection.
func (s *Session) Device() string {
	if d := s.device.Load(); d != nil {
		return *d
	}
	return ""
}

// maxDevice is how many bytes of a device's name are kept.
const maxDevice = 128

// SetDevice notes what the client calls itself, the beginning of it.
func (s *Session) SetDevice(device string) {
	device = strings.Clone(strings.ToValidUTF8(device[:min(len(device), maxDevice)], ""))
	s.device.Store(&device)
}

// WantsUpdates tells whether the client asked anything outside
// invokeWithoutUpdates: only then are updates pushed to it.
func (s *Session) WantsUpdates() bool { return s.updates.Load() }

// WantUpdates notes that updates may be pushed from now on.
func (s *Session) WantUpdates() { s.updates.Store(true) }

// Push hands body to the client without waiting.
func (s *Session) Push(body Body) { s.push(body) }

// Caller is who calls a method: a signed-in user and the session that asked.
// Session is nil when the server acts by itself.
type Caller struct {
	User    int64 // 0 when nobody is signed in
	Bot     bool
	Session *Session
}
