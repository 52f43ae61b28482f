package api

import (
	"context"
	"crypto/rand"
	"time"

	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/tg"
)

func accountMethods(a *API) {
	on(a, usersOnly, a.updateStatus)
	on(a, usersOnly, a.updateProfile)
	on(a, usersOnly, a.checkUsername)
	on(a, usersOnly, a.updateUsername)
	on(a, usersOnly, a.getAuthorizations)
	on(a, usersOnly, a.resetAuthorization)
	on(a, open, a.getPassword)
}

func unixNow() int { return int(time.Now().Unix()) }

// account.updateStatus#6628562c offline:Bool = Bool;
func (a *API) updateStatus(_ context.Context, c rpc.Caller, r *tg.AccountUpdateStatusRequest) (tg.Bool, error) {
	a.Directory.SetOnline(c.User, !r.Offline)
	return true, nil
}

// account.updateProfile#78515775 flags:# first_name:flags.0?string last_name:flags.1?string about:flags.2?string = User;
func (a *API) updateProfile(ctx context.Context, c rpc.Caller, r *tg.AccountUpdateProfileRequest) (tg.UserClass, error) {
	if err := a.Directory.UpdateProfile(ctx, c, r.FirstName, r.LastName, r.About); err != nil {
		return nil, err
	}
	return a.self(ctx, c)
}

// account.checkUsername#2714d86c username:string = Bool;
func (a *API) checkUsername(ctx context.Context, c rpc.Caller, r *tg.AccountCheckUsernameRequest) (tg.Bool, error) {
	free, err := a.Directory.CheckUsername(ctx, peer.OfUser(c.User), r.Username)
	return tg.Bool(free), err
}

// account.updateUsername#3e0bdd7c username:string = User;
func (a *API) updateUsername(ctx context.Context, c rpc.Caller, r *tg.AccountUpdateUsernameRequest) (tg.UserClass, error) {
	if err := a.Directory.SetUsername(ctx, c, r.Username); err != nil {
		return nil, err
	}
	return a.self(ctx, c)
}

// self returns the caller as they see themselves.
func (a *API) self(ctx context.Context, c rpc.Caller) (tg.UserClass, error) {
	users, err := a.Directory.Users(ctx, c.User, []int64{c.User})
	if err != nil {
		return nil, err
	}
	return users[0], nil
}

// account.getAuthorizations#e320c158 = account.Authorizations;
func (a *API) getAuthorizations(ctx context.Context, c rpc.Caller, _ *tg.AccountGetAuthorizationsRequest) (*tg.AccountAuthorizations, error) {
	list, err := a.Directory.Authorizations(ctx, c.User)
	if err != nil {
		return nil, err
	}
	res := &tg.AccountAuthorizations{AuthorizationTTLDays: 365, Authorizations: make([]tg.Authorization, 0, len(list))}
	for _, s := range list {
		one := tg.Authorization{
			Hash: s.Key, DeviceModel: s.Device, APIID: 1, AppName: s.Device,
			DateCreated: int(s.Created), DateActive: int(s.Created),
		}
		if s.Key == c.Session.Key { // the caller's own has the hash 0
			one.Hash, one.Current, one.DateActive = 0, true, unixNow()
		}
		res.Authorizations = append(res.Authorizations, one)
	}
	return res, nil
}

// account.resetAuthorization#df77f3bc hash:long = Bool;
func (a *API) resetAuthorization(ctx context.Context, c rpc.Caller, r *tg.AccountResetAuthorizationRequest) (tg.Bool, error) {
	return true, a.revoke(ctx, c.User, r.Hash)
}

// account.getPassword#548a30f5 = account.Password;
func (a *API) getPassword(context.Context, rpc.Caller, *tg.AccountGetPasswordRequest) (*tg.AccountPassword, error) {
	random := make([]byte, 256)
	_, _ = rand.Read(random) // never fails
	return &tg.AccountPassword{
		NewAlgo: &tg.PasswordKdfAlgoUnknown{}, NewSecureAlgo: &tg.SecurePasswordKdfAlgoUnknown{}, SecureRandom: random,
	}, nil
}
