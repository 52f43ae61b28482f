package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	requestTime = 30 * time.Second
	maxAnswer   = 4 << 20
)

// api is the JSON API of a server.
type api struct {
	base string // http://host:port
	http *http.Client
}

func newAPI(base string, parallel int) *api {
	t := &http.Transport{MaxIdleConnsPerHost: parallel, MaxConnsPerHost: parallel}
	return &api{base: base, http: &http.Client{Transport: t, Timeout: requestTime}}
}

// user is somebody signed in.
type user struct {
	api   *api
	token string
}

// object is a constructor with fields to be looked at.
type object map[string]any

// call asks for a method and decodes its result, unless result is nil.
func (u *user) call(ctx context.Context, method string, params, result any) error {
	body, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("encode %s: %w", method, err)
	}
	return u.api.post(ctx, method, u.token, body, result)
}

func (a *api) post(ctx context.Context, method, token string, body []byte, result any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+"/api/"+method, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask for %s: %w", method, err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := a.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask for %s: %w", method, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer to %s: %w", method, err)
	}
	if res.StatusCode != http.StatusOK {
		return refusal(method, res.Status, answer)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(answer, result); err != nil {
		return fmt.Errorf("read answer to %s: %w", method, err)
	}
	return nil
}

var errRefused = errors.New("refused")

// refusal is what an answer that is none says.
func refusal(method, status string, answer []byte) error {
	var e struct {
		Error struct {
			Code int    `json:"code"`
			Name string `json:"name"`
		} `json:"error"`
	}
	if json.Unmarshal(answer, &e) == nil && e.Error.Name != "" {
		status = fmt.Sprintf("%d %s", e.Error.Code, e.Error.Name)
	}
	return fmt.Errorf("%s: %w: %s", method, errRefused, status)
}

// signIn makes a session for a test phone of a development server, and the
// user if nobody has the phone.
func (a *api) signIn(ctx context.Context, number int) (*user, error) {
	const anyID, anyHash, digit = 1, "load", "7"
	var token struct {
		Token string `json:"token"`
	}
	if err := a.post(ctx, "token", "", nil, &token); err != nil {
		return nil, err
	}
	u := &user{a, token.Token}
	phone := fmt.Sprintf("99966%s%04d", digit, number)
	var sent struct {
		Hash string `json:"phone_code_hash"`
	}
	err := u.call(ctx, "auth.sendCode", object{
		"phone_number": phone, "api_id": anyID, "api_hash": anyHash, "settings": object{"_": "codeSettings"},
	}, &sent)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Kind string `json:"_"`
	}
	err = u.call(ctx, "auth.signIn", object{
		"phone_number": phone, "phone_code_hash": sent.Hash, "phone_code": digit + digit + digit + digit + digit,
	}, &answer)
	if err == nil && answer.Kind == "auth.authorizationSignUpRequired" {
		err = u.call(ctx, "auth.signUp", object{
			"phone_number": phone, "phone_code_hash": sent.Hash, "first_name": "Load", "last_name": fmt.Sprint(number),
		}, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("sign in as %s (is the server in development mode?): %w", phone, err)
	}
	return u, nil
}

// updates is what of an Updates object matters here.
type updates struct {
	Updates []struct {
		Kind   string                `json:"_"`
		Call   reference             `json:"call"`
		Params struct{ Data string } `json:"params"`
	} `json:"updates"`
	Chats []reference `json:"chats"`
}

// reference names an object of the API.
type reference struct {
	ID   string `json:"id"`
	Hash string `json:"access_hash"`
}

func (r reference) channel() object {
	return object{"_": "inputChannel", "channel_id": r.ID, "access_hash": r.Hash}
}

func (r reference) peer() object {
	return object{"_": "inputPeerChannel", "channel_id": r.ID, "access_hash": r.Hash}
}

func (r reference) call() object {
	return object{"_": "inputGroupCall", "id": r.ID, "access_hash": r.Hash}
}

var errShape = errors.New("unexpected answer")

// openCall makes a public supergroup and a call in it.
func (u *user) openCall(ctx context.Context, name string) (chat, call reference, err error) {
	var made updates
	if err = u.call(ctx, "channels.createChannel", object{"megagroup": true, "title": name, "about": ""}, &made); err != nil {
		return chat, call, err
	}
	if len(made.Chats) == 0 {
		return chat, call, fmt.Errorf("channels.createChannel: %w", errShape)
	}
	chat = made.Chats[0]
	if err = u.call(ctx, "channels.updateUsername", object{"channel": chat.channel(), "username": name}, nil); err != nil {
		return chat, call, err
	}
	var opened updates
	if err = u.call(ctx, "phone.createGroupCall", object{"peer": chat.peer(), "random_id": 1}, &opened); err != nil {
		return chat, call, err
	}
	for _, v := range opened.Updates {
		if v.Kind == "updateGroupCall" {
			return chat, v.Call, nil
		}
	}
	return chat, call, fmt.Errorf("phone.createGroupCall: %w", errShape)
}
