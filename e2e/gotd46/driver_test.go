package gotd46

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gotd/td/session"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/auth"
	"github.com/gotd/td/telegram/dcs"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"

	"parley/e2e/harness"
	"parley/e2e/harness/scenario"
)

// keys keeps the auth keys of phones that dialled before.
type keys struct {
	mu   sync.Mutex
	kept map[string]*session.StorageMemory // guarded by mu
}

// of returns the storage of a phone, and whether it was there before.
func (k *keys) of(phone string) (*session.StorageMemory, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, ok := k.kept[phone]
	if !ok {
		s = &session.StorageMemory{}
		if phone != "" {
			k.kept[phone] = s
		}
	}
	return s, ok
}

// client is a gotd client that runs.
type client struct {
	*telegram.Client
	api  *tg.Client
	self *tg.User
	news scenario.News
	stop context.CancelFunc
	end  chan error
}

// dialer returns a scenario.Dial whose clients share their kept keys.
func dialer() scenario.Dial {
	k := &keys{kept: map[string]*session.StorageMemory{}}
	return func(t *testing.T, s *harness.Server, who scenario.Who) scenario.Client {
		t.Helper()
		return dial(t, s, who, k)
	}
}

// dial connects, and signs in if nobody did with this key before.
func dial(t *testing.T, s *harness.Server, who scenario.Who, k *keys) *client {
	t.Helper()
	storage, kept := k.of(who.Phone.Number)
	c := &client{end: make(chan error, 1)}
	c.Client = telegram.NewClient(s.APIID, s.APIHash, options(t, s, who, storage, c))
	c.api = c.API()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	c.stop = stop
	ready := make(chan struct{})
	go func() {
		c.end <- c.Run(ctx, func(ctx context.Context) error {
			close(ready)
			<-ctx.Done()
			return nil
		})
	}()
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close %s: %v", who.Name, err)
		}
	})
	select {
	case <-ready:
	case err := <-c.end:
		c.end <- err
		t.Fatalf("connect %s: %v", who.Name, err)
	case <-time.After(harness.Patience):
		t.Fatalf("%s is not connected after %v", who.Name, harness.Patience)
	}
	if who.Stranger {
		return c
	}
	signIn, stopSignIn := context.WithTimeout(ctx, harness.Patience)
	defer stopSignIn()
	if err := c.signIn(signIn, who, kept); err != nil {
		t.Fatalf("sign %s in: %v", who.Name, err)
	}
	return c
}

// options points a client at the server.
func options(t *testing.T, s *harness.Server, who scenario.Who, storage session.Storage, c *client) telegram.Options {
	t.Helper()
	host, port := s.Addr(t)
	o := telegram.Options{
		PublicKeys: []*rsa.PublicKey{s.RSA(t)},
		DC:         s.DC,
		DCList: dcs.List{
			Options: []tg.DCOption{{ID: s.DC, IPAddress: host, Port: port}},
			Domains: map[int]string{s.DC: s.WS},
		},
		SessionStorage: storage,
		UpdateHandler: telegram.UpdateHandlerFunc(func(_ context.Context, u tg.UpdatesClass) error {
			c.news.Add(told(u))
			return nil
		}),
	}
	if who.WebSocket {
		o.Resolver = dcs.Websocket(dcs.WebsocketOptions{})
	}
	return o
}

// signIn signs in by code or token; with a kept key it checks that this is not
// needed any more.
func (c *client) signIn(ctx context.Context, who scenario.Who, kept bool) error {
	switch {
	case kept:
		self, err := c.Client.Self(ctx)
		c.self = self
		return err
	case who.Token != "":
		a, err := c.Auth().Bot(ctx, who.Token)
		if err != nil {
			return err
		}
		c.self, _ = a.User.AsNotEmpty()
		return nil
	}
	code, err := c.Auth().SendCode(ctx, who.Phone.Number, auth.SendCodeOptions{})
	if err != nil {
		return err
	}
	a, err := c.Auth().SignIn(ctx, who.Phone.Number, who.Phone.Code, code.PhoneCodeHash)
	if _, unknown := errors.AsType[*auth.SignUpRequired](err); unknown {
		a, err = c.Auth().SignUp(ctx, auth.SignUp{
			PhoneNumber: who.Phone.Number, PhoneCodeHash: code.PhoneCodeHash, FirstName: who.Name,
		})
	}
	if err != nil {
		return err
	}
	self, ok := a.User.AsNotEmpty()
	c.self = self
	if !ok {
		return errors.New("authorization without a user")
	}
	return nil
}

func (c *client) Close() error {
	c.stop()
	select {
	case err := <-c.end:
		c.end <- nil // closing twice is fine
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	case <-time.After(harness.Patience):
		return errors.New("still running")
	}
}

func (c *client) News() *scenario.News { return &c.news }

func (c *client) Self() scenario.User {
	return scenario.User{ID: int64(c.self.ID), AccessHash: c.self.AccessHash}
}

func (c *client) State(ctx context.Context) (scenario.State, error) {
	s, err := c.api.UpdatesGetState(ctx)
	if err != nil {
		return scenario.State{}, seen(err)
	}
	return scenario.State{Pts: s.Pts, Date: s.Date}, nil
}

func (c *client) FindUser(ctx context.Context, phone string) (scenario.User, error) {
	r, err := c.api.ContactsImportContacts(ctx, []tg.InputPhoneContact{{ClientID: 1, Phone: phone, FirstName: phone}})
	if err != nil {
		return scenario.User{}, seen(err)
	}
	for _, u := range r.Users {
		if u, ok := u.AsNotEmpty(); ok {
			return scenario.User{ID: int64(u.ID), AccessHash: u.AccessHash}, nil
		}
	}
	return scenario.User{}, fmt.Errorf("importing %s found nobody", phone)
}

// seen turns the library's error into the scenario's.
func seen(err error) error {
	if e, ok := tgerr.As(err); ok {
		return &scenario.Error{Code: e.Code, Name: e.Message}
	}
	return err
}
