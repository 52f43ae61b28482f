package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"parley/internal/peer"
)

// ErrTaken is returned by a Store when another has the name, phone or token.
var ErrTaken = errors.New("directory: taken")

const (
	minUsername = 4 // 5 for users who choose one at Telegram, 4 where it sells them
	maxUsername = 32
)

// validUsername tells whether name follows Telegram's rules for usernames.
func validUsername(name string) bool {
	if len(name) < minUsername || len(name) > maxUsername {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '_') {
			return false
		}
	}
	return !strings.HasSuffix(name, "_") && !strings.Contains(name, "__")
}

// setName gives id the username name in place of old; "" takes it away.
func (s *Service) setName(ctx context.Context, id peer.ID, old, name string) error {
	switch {
	case name == old:
		return errNameNotModified
	case name != "" && !validUsername(name):
		return errNameInvalid
	}
	err := s.store.SaveName(ctx, id, name)
	if errors.Is(err, ErrTaken) {
		return errNameOccupied
	}
	if err != nil {
		return fmt.Errorf("save username: %w", err)
	}
	return nil
}

// CheckUsername tells whether id may take name: nobody else has it.
func (s *Service) CheckUsername(ctx context.Context, id peer.ID, name string) (bool, error) {
	if !validUsername(name) {
		return false, errNameInvalid
	}
	owner, err := s.store.PeerByName(ctx, name)
	if err != nil {
		return false, fmt.Errorf("find username: %w", err)
	}
	return owner.IsZero() || owner == id, nil
}

// ByUsername returns who has a username, with or without "@".
func (s *Service) ByUsername(ctx context.Context, name string) (peer.ID, error) {
	name = strings.TrimPrefix(name, "@")
	if !validUsername(name) {
		return peer.ID{}, errNameInvalid
	}
	id, err := s.store.PeerByName(ctx, name)
	if err != nil {
		return peer.ID{}, fmt.Errorf("find username: %w", err)
	}
	if id.IsZero() {
		return peer.ID{}, errNameNotOccupied
	}
	return id, nil
}
