package updates

import (
	"sync"

	"parley/internal/rpc"
)

// registry knows which sessions belong to which user.
type registry struct {
	mu     sync.RWMutex
	byUser map[int64]map[*rpc.Session]struct{} // guarded by mu
	userOf map[*rpc.Session]int64              // guarded by mu
}

func newRegistry() *registry {
	return &registry{byUser: map[int64]map[*rpc.Session]struct{}{}, userOf: map[*rpc.Session]int64{}}
}

// Attach notes that a session belongs to a signed-in user and may be told of
// updates as soon as it wants them. It is cheap to repeat.
func (s *Service) Attach(user int64, session *rpc.Session) { s.sessions.attach(user, session) }

// Detach forgets a session.
func (s *Service) Detach(session *rpc.Session) { s.sessions.detach(session) }

// DetachKey forgets all sessions of a key, because nobody is signed in with it
// any more.
func (s *Service) DetachKey(key int64) {
	for _, session := range s.sessions.ofKey(key) {
		s.sessions.detach(session)
	}
}

// Online tells whether any session of the user is told of updates.
func (s *Service) Online(user int64) bool { return len(s.sessions.listening([]int64{user})) > 0 }

// Sessions returns how many sessions are attached.
func (s *Service) Sessions() int {
	s.sessions.mu.RLock()
	defer s.sessions.mu.RUnlock()
	return len(s.sessions.userOf)
}

func (r *registry) attach(user int64, session *rpc.Session) {
	r.mu.RLock()
	known := r.userOf[session] == user
	r.mu.RUnlock()
	if known {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(session)
	r.userOf[session] = user
	if r.byUser[user] == nil {
		r.byUser[user] = map[*rpc.Session]struct{}{}
	}
	r.byUser[user][session] = struct{}{}
}

func (r *registry) detach(session *rpc.Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(session)
}

// drop forgets a session; mu is held.
func (r *registry) drop(session *rpc.Session) {
	user, ok := r.userOf[session]
	if !ok {
		return
	}
	delete(r.userOf, session)
	delete(r.byUser[user], session)
	if len(r.byUser[user]) == 0 {
		delete(r.byUser, user)
	}
}

// of returns the user's sessions that want updates, but one.
func (r *registry) of(user int64, except *rpc.Session) []*rpc.Session {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []*rpc.Session
	for session := range r.byUser[user] {
		if session != except && session.WantsUpdates() {
			all = append(all, session)
		}
	}
	return all
}

// listening returns those of the users, each once, who have a session that
// wants updates.
func (r *registry) listening(users []int64) map[int64]bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	found := map[int64]bool{}
	for _, user := range users {
		for session := range r.byUser[user] {
			if session.WantsUpdates() {
				found[user] = true
				break
			}
		}
	}
	return found
}

func (r *registry) ofKey(key int64) []*rpc.Session {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []*rpc.Session
	for session := range r.userOf {
		if session.Key == key {
			all = append(all, session)
		}
	}
	return all
}
