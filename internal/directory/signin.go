package directory

import (
	"context"
	"errors"
	"fmt"

	"parley/internal/rpc"
)

// Authorization says who is signed in with a key.
type Authorization struct {
	Key     int64
	User    int64
	Created int64
	Device  string
}

const maxDevice = 128

// SendCode sends a sign-in code to a phone and returns its phone_code_hash.
func (s *Service) SendCode(ctx context.Context, phone string) (hash string, err error) {
	number, ok := parsePhone(phone)
	if !ok {
		return "", errPhoneInvalid
	}
	return s.codes.send(ctx, number)
}

// ResendCode replaces a code by a new one, sent the same way.
func (s *Service) ResendCode(ctx context.Context, phone, hash string) (string, error) {
	if err := s.CancelCode(phone, hash); err != nil {
		return "", err
	}
	return s.SendCode(ctx, phone)
}

// CancelCode makes a code worthless.
func (s *Service) CancelCode(phone, hash string) error {
	number, ok := parsePhone(phone)
	if !ok {
		return errPhoneInvalid
	}
	return s.codes.cancel(number, hash)
}

// SignIn binds the key to the phone's user if the code is right. User 0
// without an error means that nobody has the phone: SignUp may follow.
func (s *Service) SignIn(ctx context.Context, a Authorization, phone, hash, code string) (user int64, err error) {
	number, ok := parsePhone(phone)
	if !ok {
		return 0, errPhoneInvalid
	}
	if err = s.codes.verify(number, hash, code); err != nil {
		return 0, err
	}
	user, err = s.store.UserByPhone(ctx, number)
	if err != nil {
		return 0, fmt.Errorf("find phone: %w", err)
	}
	if user == 0 {
		return 0, nil
	}
	a.User = user
	if err := s.authorize(ctx, a, false); err != nil {
		return 0, err
	}
	_ = s.codes.cancel(number, hash) // used up; it may have expired meanwhile
	return user, nil
}

// SignUp adds the user of a phone whose code was given to SignIn, and binds
// the key to it.
func (s *Service) SignUp(ctx context.Context, a Authorization, phone, hash string, first, last string) (user int64, err error) {
	number, ok := parsePhone(phone)
	if !ok {
		return 0, errPhoneInvalid
	}
	if err = s.codes.verified(number, hash); err != nil {
		return 0, err
	}
	u := User{Phone: number, FirstName: clean(first, maxName), LastName: clean(last, maxName), Created: unix()}
	if u.FirstName == "" {
		return 0, errFirstName
	}
	if a.User, err = s.addUser(ctx, u); err != nil {
		return 0, err
	}
	if err := s.authorize(ctx, a, false); err != nil {
		return 0, err
	}
	_ = s.codes.cancel(number, hash)
	return a.User, nil
}

// addUser enters a new user; a taken phone is PHONE_NUMBER_OCCUPIED.
func (s *Service) addUser(ctx context.Context, u User) (int64, error) {
	id, err := s.store.AddUser(ctx, u)
	if errors.Is(err, ErrTaken) {
		return 0, errPhoneOccupied
	}
	if err != nil {
		return 0, fmt.Errorf("add user: %w", err)
	}
	return id, nil
}

// AddUser enters a user without sign-in, or finds the one who has the phone:
// for the demo and for operators.
func (s *Service) AddUser(ctx context.Context, phone, first, last string) (int64, error) {
	number, ok := parsePhone(phone)
	if !ok {
		return 0, errPhoneInvalid
	}
	user, err := s.store.UserByPhone(ctx, number)
	if err != nil || user != 0 {
		return user, err
	}
	return s.addUser(ctx, User{Phone: number, FirstName: clean(first, maxName), LastName: clean(last, maxName), Created: unix()})
}

// authorize binds a key to a user.
func (s *Service) authorize(ctx context.Context, a Authorization, bot bool) error {
	a.Created, a.Device = unix(), clean(a.Device, maxDevice)
	defer s.keyCache.drop(a.Key)
	if err := s.store.SaveAuthorization(ctx, a); err != nil {
		return fmt.Errorf("save authorization: %w", err)
	}
	s.log.Info("signed in", "user", a.User, "bot", bot)
	return nil
}

// SignedIn returns who is signed in with a key; User 0 is nobody. Session is
// not set.
func (s *Service) SignedIn(ctx context.Context, key int64) (rpc.Caller, error) {
	return s.keyCache.one(key, func() (rpc.Caller, error) {
		a, err := s.store.LoadAuthorization(ctx, key)
		if err != nil {
			return rpc.Caller{}, fmt.Errorf("load authorization: %w", err)
		}
		if a.User == 0 {
			return rpc.Caller{}, nil
		}
		u, err := s.user(ctx, a.User)
		if err != nil {
			return rpc.Caller{}, err
		}
		return rpc.Caller{User: u.ID, Bot: u.Bot}, nil
	})
}

// Bind signs the key in as a user who proved themselves elsewhere.
func (s *Service) Bind(ctx context.Context, a Authorization, user int64) error {
	u, err := s.user(ctx, user)
	if err != nil {
		return err
	}
	a.User = user
	return s.authorize(ctx, a, u.Bot)
}

// LogOut unbinds a key; closing its sessions is the caller's part.
func (s *Service) LogOut(ctx context.Context, key int64) error {
	defer s.keyCache.drop(key)
	if err := s.store.DeleteAuthorization(ctx, key); err != nil {
		return fmt.Errorf("delete authorization: %w", err)
	}
	return nil
}

// Authorizations returns all keys that a user is signed in with.
func (s *Service) Authorizations(ctx context.Context, user int64) ([]Authorization, error) {
	all, err := s.store.AuthorizationsOf(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("list authorizations: %w", err)
	}
	return all, nil
}

// Revoke signs out another key of the same user.
func (s *Service) Revoke(ctx context.Context, user, key int64) error {
	all, err := s.Authorizations(ctx, user)
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.Key == key {
			return s.LogOut(ctx, key)
		}
	}
	return errHashInvalid
}
