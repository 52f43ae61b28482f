package api

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/binary"
	"time"

	"parley/internal/directory"
	"parley/internal/rpc"
	"parley/internal/tg"
)

// What signing in can answer besides the directory's own errors.
var (
	errAuthBytes  = rpc.Err(400, "AUTH_BYTES_INVALID")
	errNoPassword = rpc.Err(400, "PASSWORD_HASH_INVALID")
	errDC         = rpc.Err(400, "DC_ID_INVALID")
)

const codeLength = 5

func authMethods(a *API) {
	on(a, open, a.sendCode)
	on(a, open, a.resendCode)
	on(a, open, a.cancelCode)
	on(a, open, a.signIn)
	on(a, open, a.signUp)
	on(a, open, a.importBotAuthorization)
	on(a, open, a.logOut)
	on(a, open, a.dropTempAuthKeys)
	on(a, open, a.importAuthorization)
	on(a, signedIn, a.exportAuthorization)
	on(a, usersOnly, a.resetAuthorizations)
	on(a, open, a.checkPassword)
}

// auth.sendCode#a677244f phone_number:string api_id:int api_hash:string settings:CodeSettings = auth.SentCode;
func (a *API) sendCode(ctx context.Context, _ rpc.Caller, r *tg.AuthSendCodeRequest) (tg.AuthSentCodeClass, error) {
	return sentCode(a.Directory.SendCode(ctx, r.PhoneNumber))
}

// auth.resendCode#cae47523 flags:# phone_number:string phone_code_hash:string reason:flags.0?string = auth.SentCode;
func (a *API) resendCode(ctx context.Context, _ rpc.Caller, r *tg.AuthResendCodeRequest) (tg.AuthSentCodeClass, error) {
	return sentCode(a.Directory.ResendCode(ctx, r.PhoneNumber, r.PhoneCodeHash))
}

func sentCode(hash string, err error) (tg.AuthSentCodeClass, error) {
	if err != nil {
		return nil, err
	}
	return &tg.AuthSentCode{Type: &tg.AuthSentCodeTypeApp{Length: codeLength}, PhoneCodeHash: hash}, nil
}

// auth.cancelCode#1f040578 phone_number:string phone_code_hash:string = Bool;
func (a *API) cancelCode(_ context.Context, _ rpc.Caller, r *tg.AuthCancelCodeRequest) (tg.Bool, error) {
	return true, a.Directory.CancelCode(r.PhoneNumber, r.PhoneCodeHash)
}

// auth.signIn#8d52a951 flags:# phone_number:string phone_code_hash:string phone_code:flags.0?string email_verification:flags.1?EmailVerification = auth.Authorization;
func (a *API) signIn(ctx context.Context, c rpc.Caller, r *tg.AuthSignInRequest) (tg.AuthAuthorizationClass, error) {
	var code string
	if r.PhoneCode != nil {
		code = *r.PhoneCode
	}
	user, err := a.Directory.SignIn(ctx, a.authorization(c), r.PhoneNumber, r.PhoneCodeHash, code)
	if err == nil && user == 0 {
		return &tg.AuthAuthorizationSignUpRequired{}, nil
	}
	return a.authorized(ctx, c, user, err)
}

// auth.signUp#aac7b717 flags:# no_joined_notifications:flags.0?true phone_number:string phone_code_hash:string first_name:string last_name:string = auth.Authorization;
func (a *API) signUp(ctx context.Context, c rpc.Caller, r *tg.AuthSignUpRequest) (tg.AuthAuthorizationClass, error) {
	user, err := a.Directory.SignUp(ctx, a.authorization(c), r.PhoneNumber, r.PhoneCodeHash, r.FirstName, r.LastName)
	return a.authorized(ctx, c, user, err)
}

// auth.importBotAuthorization#67a3ff2c flags:int api_id:int api_hash:string bot_auth_token:string = auth.Authorization;
func (a *API) importBotAuthorization(ctx context.Context, c rpc.Caller, r *tg.AuthImportBotAuthorizationRequest) (tg.AuthAuthorizationClass, error) {
	user, err := a.Directory.SignInBot(ctx, a.authorization(c), r.BotAuthToken)
	return a.authorized(ctx, c, user, err)
}

// authorization is the sign-in of the caller's key.
func (a *API) authorization(c rpc.Caller) directory.Authorization {
	return directory.Authorization{Key: c.Session.Key, Created: time.Now().Unix(), Device: c.Session.Device()}
}

// authorized answers a sign-in with the user as they see themselves. Sessions
// of the key that are still somebody else's hear nothing more.
func (a *API) authorized(ctx context.Context, c rpc.Caller, user int64, err error) (tg.AuthAuthorizationClass, error) {
	if err != nil {
		return nil, err
	}
	if c.User != 0 && c.User != user {
		a.Updates.DetachKey(c.Session.Key)
	}
	if c.Session.WantsUpdates() {
		a.Updates.Attach(user, c.Session)
	}
	users, err := a.Directory.Users(ctx, user, []int64{user})
	if err != nil {
		return nil, err
	}
	return &tg.AuthAuthorization{User: users[0]}, nil
}

// auth.logOut#3e72ba19 = auth.LoggedOut;
//
// The key itself stays: clients sign in again with it.
func (a *API) logOut(ctx context.Context, c rpc.Caller, _ *tg.AuthLogOutRequest) (*tg.AuthLoggedOut, error) {
	if c.User == 0 {
		return &tg.AuthLoggedOut{}, nil
	}
	if err := a.Directory.LogOut(ctx, c.Session.Key); err != nil {
		return nil, err
	}
	a.Updates.DetachKey(c.Session.Key)
	return &tg.AuthLoggedOut{}, nil
}

// auth.resetAuthorizations#9fab0d1a = Bool;
func (a *API) resetAuthorizations(ctx context.Context, c rpc.Caller, _ *tg.AuthResetAuthorizationsRequest) (tg.Bool, error) {
	list, err := a.Directory.Authorizations(ctx, c.User)
	if err != nil {
		return false, err
	}
	for _, other := range list {
		if other.Key == c.Session.Key {
			continue
		}
		if err := a.revoke(ctx, c.User, other.Key); err != nil {
			return false, err
		}
	}
	return true, nil
}

// revoke ends one sign-in of a user and everything that runs under it.
func (a *API) revoke(ctx context.Context, user, key int64) error {
	if err := a.Directory.Revoke(ctx, user, key); err != nil {
		return err
	}
	a.Updates.DetachKey(key)
	a.SignedOut(key)
	return nil
}

// auth.dropTempAuthKeys#8e48a188 except_auth_keys:Vector<long> = Bool;
//
// Temporary keys are those of MTProto, which drops them itself: a JSON client
// has none.
func (a *API) dropTempAuthKeys(context.Context, rpc.Caller, *tg.AuthDropTempAuthKeysRequest) (tg.Bool, error) {
	return true, nil
}

// exportLife is how long an exported sign-in can be imported, in seconds.
const exportLife = 60

// auth.exportAuthorization#e5bfffcd dc_id:int = auth.ExportedAuthorization;
//
// All data centres are this server, so the bytes are a MAC over who and until
// when, and nothing has to be kept.
func (a *API) exportAuthorization(_ context.Context, c rpc.Caller, r *tg.AuthExportAuthorizationRequest) (*tg.AuthExportedAuthorization, error) {
	if r.DCID < 1 || r.DCID > 5 {
		return nil, errDC
	}
	var b [16]byte
	_, _ = rand.Read(b[8:]) // never fails
	binary.BigEndian.PutUint64(b[:8], uint64(time.Now().Unix()+exportLife))
	return &tg.AuthExportedAuthorization{ID: c.User, Bytes: append(b[:], a.exportMAC(c.User, b[:])...)}, nil
}

// auth.importAuthorization#a57a7dad id:long bytes:bytes = auth.Authorization;
func (a *API) importAuthorization(ctx context.Context, c rpc.Caller, r *tg.AuthImportAuthorizationRequest) (tg.AuthAuthorizationClass, error) {
	if len(r.Bytes) < 16 || !hmac.Equal(r.Bytes[16:], a.exportMAC(r.ID, r.Bytes[:16])) ||
		int64(binary.BigEndian.Uint64(r.Bytes)) < time.Now().Unix() {
		return nil, errAuthBytes
	}
	err := a.Directory.Bind(ctx, a.authorization(c), r.ID)
	return a.authorized(ctx, c, r.ID, err)
}

func (a *API) exportMAC(user int64, nonce []byte) []byte {
	return a.Hasher.MAC("export", binary.BigEndian.AppendUint64(nil, uint64(user)), nonce)
}

// auth.checkPassword#d18b4d16 password:InputCheckPasswordSRP = auth.Authorization;
//
// Nobody has a password here.
func (a *API) checkPassword(context.Context, rpc.Caller, *tg.AuthCheckPasswordRequest) (tg.AuthAuthorizationClass, error) {
	return nil, errNoPassword
}
