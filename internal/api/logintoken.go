package api

import (
	"context"
	"crypto/hmac"
	"encoding/binary"
	"time"

	"parley/internal/directory"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// What a login token can answer.
var (
	errTokenInvalid = rpc.Err(400, "AUTH_TOKEN_INVALID")
	errTokenExpiry  = rpc.Err(400, "AUTH_TOKEN_EXPIRED")
)

// tokenLife is how long a login token is valid; clients draw a new one then.
const tokenLife = 30 * time.Second

func loginTokenMethods(a *API) {
	on(a, open, a.exportLoginToken)
	on(a, open, a.importLoginToken)
	on(a, usersOnly, a.acceptLoginToken)
}

// auth.exportLoginToken#b7e085fe api_id:int api_hash:string except_ids:Vector<long> = auth.LoginToken;
//
// A token names the key that asks and says until when: nothing has to be kept.
// Once it was accepted the key is signed in, and asking again says so.
func (a *API) exportLoginToken(ctx context.Context, c rpc.Caller, _ *tg.AuthExportLoginTokenRequest) (tg.AuthLoginTokenClass, error) {
	if c.User != 0 {
		auth, err := a.authorized(ctx, c, c.User, nil)
		if err != nil {
			return nil, err
		}
		return &tg.AuthLoginTokenSuccess{Authorization: auth}, nil
	}
	expires := time.Now().Add(tokenLife).Unix()
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(c.Session.Key))
	binary.BigEndian.PutUint64(b[8:], uint64(expires))
	return &tg.AuthLoginToken{Expires: int(expires), Token: append(b[:], a.Hasher.MAC("login token", b[:])...)}, nil
}

// auth.acceptLoginToken#e894ad4d token:bytes = Authorization;
//
// Whoever shows the token signs in as the caller.
func (a *API) acceptLoginToken(ctx context.Context, c rpc.Caller, r *tg.AuthAcceptLoginTokenRequest) (*tg.Authorization, error) {
	if len(r.Token) < 16 || !hmac.Equal(r.Token[16:], a.Hasher.MAC("login token", r.Token[:16])) {
		return nil, errTokenInvalid
	}
	now := time.Now().Unix()
	if int64(binary.BigEndian.Uint64(r.Token[8:])) < now {
		return nil, errTokenExpiry
	}
	key := int64(binary.BigEndian.Uint64(r.Token))
	if err := a.Directory.Bind(ctx, directory.Authorization{Key: key, Created: now}, c.User); err != nil {
		return nil, err
	}
	return &tg.Authorization{Hash: key, APIID: 1, DateCreated: int(now), DateActive: int(now)}, nil
}

// auth.importLoginToken#95ac5ce4 token:bytes = auth.LoginToken;
//
// Only a login at another data centre is imported, and there is none.
func (a *API) importLoginToken(context.Context, rpc.Caller, *tg.AuthImportLoginTokenRequest) (tg.AuthLoginTokenClass, error) {
	return nil, errTokenExpiry
}
