package mtproto

import (
	"fmt"

	"github.com/gotd/td/bin"
)

// onDestroySession handles destroy_session#e7512126 session_id:long = DestroySessionRes;
// a session cannot destroy itself.
func (s *session) onDestroySession(c *conn, m incoming, b *bin.Buffer) error {
	id, err := b.Long()
	if err != nil {
		return fmt.Errorf("read session to destroy: %w", err)
	}
	result := uint32(idSessionNone)
	if other := s.srv.registry.session(s.key, id); other != nil && other != s {
		if s.srv.drop(other, "destroyed") {
			result = idSessionOK
		}
	}
	c.post(s, &message{body: words(result, id), answers: m.id})
	return nil
}

// onDestroyKey handles destroy_auth_key#d1435160 = DestroyAuthKeyRes; with a
// bound temporary key it destroys the permanent one.
func (s *session) onDestroyKey(c *conn, m incoming, _ *bin.Buffer) error {
	result, id := uint32(idKeyOK), s.key.id
	if perm := s.key.principal(); perm != nil {
		id = perm.id
		if err := s.srv.cfg.Keys.DeleteKey(s.srv.ctx, id); err != nil {
			s.srv.cfg.Log.Error("key not deleted", "key", id, "err", err)
			result = idKeyFail
		}
	}
	s.send(&message{body: words(result), answers: m.id})
	if result == idKeyOK {
		s.srv.DropKey(id)
		c.post(s, nil)
	}
	return nil
}
