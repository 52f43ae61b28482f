package directory

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"parley/internal/peer"
)

const (
	minToken = 1
	maxToken = 128
)

// parseToken returns the number of a bot token N:secret.
func parseToken(token string) (n int64, ok bool) {
	number, secret, found := strings.Cut(token, ":")
	if !found || len(secret) < minToken || len(token) > maxToken {
		return 0, false
	}
	for i := range len(secret) {
		c := secret[i]
		if letter := c|0x20 >= 'a' && c|0x20 <= 'z'; !letter && (c < '0' || c > '9') && c != '_' && c != '-' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	return n, err == nil && n > 0 && number[0] != '+'
}

// SignInBot binds the key to the bot of a token. With Dev every well-formed
// token has a bot.
func (s *Service) SignInBot(ctx context.Context, a Authorization, token string) (user int64, err error) {
	n, ok := parseToken(token)
	if !ok {
		return 0, errTokenInvalid
	}
	hash := sha256.Sum256([]byte(token))
	a.User, err = s.store.UserByToken(ctx, hash[:])
	if err != nil {
		return 0, fmt.Errorf("find bot token: %w", err)
	}
	if a.User == 0 {
		if !s.dev {
			return 0, errTokenInvalid
		}
		if a.User, err = s.AddBot(ctx, token, fmt.Sprintf("Bot %d", n)); err != nil {
			return 0, err
		}
	}
	if err := s.authorize(ctx, a, true); err != nil {
		return 0, err
	}
	return a.User, nil
}

// AddBot registers a bot token N:secret. The bot's id is N when that is free
// and below 2^31, and its username dev_N_bot when nobody has it.
func (s *Service) AddBot(ctx context.Context, token, name string) (int64, error) {
	n, ok := parseToken(token)
	if !ok {
		return 0, errTokenInvalid
	}
	hash := sha256.Sum256([]byte(token))
	u := User{Bot: true, Token: hash[:], FirstName: clean(name, maxName), Created: unix()}
	if n < 1<<31 {
		u.ID = n
	}
	id, err := s.store.AddUser(ctx, u)
	if errors.Is(err, ErrTaken) { // signed in twice at once
		return s.store.UserByToken(ctx, hash[:])
	}
	if err != nil {
		return 0, fmt.Errorf("add bot: %w", err)
	}
	if err := s.store.SaveName(ctx, peer.OfUser(id), fmt.Sprintf("dev_%d_bot", n)); err != nil && !errors.Is(err, ErrTaken) {
		return 0, fmt.Errorf("name bot: %w", err)
	}
	s.userCache.drop(id)
	return id, nil
}
