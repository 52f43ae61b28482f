package mtproto

import (
	"fmt"

	"github.com/gotd/td/bin"

	"parley/internal/rpc"
)

// Constructor ids of the wrappers around queries, and of what they hold.
const (
	idWithLayer       = 0xda9b0d0d // invokeWithLayer layer:int query:!X
	idInitConnection  = 0xc1cd5ea9
	idAfterMsg        = 0xcb9f372d // invokeAfterMsg msg_id:long query:!X
	idAfterMsgs       = 0x3dc4b4f0 // invokeAfterMsgs msg_ids:Vector<long> query:!X
	idWithoutUpdates  = 0xbf9459b7 // invokeWithoutUpdates query:!X
	idWithRange       = 0x365275f2 // invokeWithMessagesRange range:MessageRange query:!X
	idMessageRange    = 0x0ae30253 // messageRange min_id:int max_id:int
	idWithTakeout     = 0xaca9fd2e // invokeWithTakeout takeout_id:long query:!X
	idWithBusiness    = 0xdd289f8e // invokeWithBusinessConnection connection_id:string query:!X
	idWithPlay        = 0x1df92984 // invokeWithGooglePlayIntegrity nonce:string token:string query:!X
	idWithApns        = 0x0dae54f8 // invokeWithApnsSecret nonce:string secret:string query:!X
	idWithReCaptcha   = 0xadbb0f94 // invokeWithReCaptcha token:string query:!X
	idClientProxy     = 0x75588b3f // inputClientProxy address:string port:int
	idJSONNull        = 0x3f6d7b68 // jsonNull
	idJSONBool        = 0xc7345e6a // jsonBool value:Bool
	idJSONNumber      = 0x2be0dfa4 // jsonNumber value:double
	idJSONString      = 0xb71e767a // jsonString value:string
	idJSONArray       = 0xf7444763 // jsonArray value:Vector<JSONValue>
	idJSONObject      = 0x99c1d49d // jsonObject value:Vector<JSONObjectValue>
	idJSONObjectValue = 0xc0de1bd9 // jsonObjectValue key:string value:JSONValue
)

// maxJSONDepth bounds the nesting of the JSON a client describes itself with.
const maxJSONDepth = 16

// Errors of wrapped queries.
var (
	errLayer      = rpc.Err(400, "CONNECTION_LAYER_INVALID")
	errNoLayer    = rpc.Err(400, "CONNECTION_NOT_INITED")
	errWaitFailed = rpc.Err(400, "MSG_WAIT_FAILED")
	errWaitTime   = rpc.Err(400, "MSG_WAIT_TIMEOUT")
)

// call is a query without its wrappers.
type call struct {
	query  []byte
	layer  int     // declared with it, 0 if none
	quiet  bool    // in invokeWithoutUpdates
	after  []int64 // messages to be answered first
	device string  // what the client calls itself, "" if it did not say
}

// unwrap takes the wrappers off a message. What it finds out before an error
// stays in the call: a layer counts even when the query is unusable.
func unwrap(body []byte) (call, error) {
	var c call
	b := &bin.Buffer{Buf: body}
	inflated := false
	for range maxWrappers {
		id := constructor(b.Buf)
		if id == idGzipped {
			if inflated {
				return c, rpc.ErrInput
			}
			inflated = true
			b.Skip(4)
			plain, err := inflate(b)
			if err != nil || len(b.Buf) != 0 {
				return c, rpc.ErrInput
			}
			b.Buf = plain
			continue
		}
		wrapped, err := c.takeWrapper(id, b)
		if err != nil {
			return c, err
		}
		if !wrapped {
			c.query = b.Buf
			return c, nil
		}
	}
	return c, rpc.ErrInput
}

// takeWrapper takes the wrapper id off b, if it is one.
func (c *call) takeWrapper(id uint32, b *bin.Buffer) (bool, error) {
	take, ok := wrappers[id]
	if !ok {
		if len(b.Buf) < 4 {
			return false, rpc.ErrInput
		}
		return false, nil
	}
	b.Skip(4)
	if err := take(c, b); err != nil {
		return false, fmt.Errorf("%w: %w", rpc.ErrInput, err)
	}
	return true, nil
}

// wrappers reads what stands between a wrapper's id and its query.
var wrappers = map[uint32]func(*call, *bin.Buffer) error{
	idInitConnection: func(c *call, b *bin.Buffer) (err error) {
		c.device, err = readClient(b)
		return err
	},
	idWithLayer: func(c *call, b *bin.Buffer) (err error) {
		c.layer, err = b.Int()
		if err == nil && c.layer <= 0 {
			return errMalformed
		}
		return err
	},
	idAfterMsg: func(c *call, b *bin.Buffer) error {
		id, err := b.Long()
		c.after = append(c.after, id)
		return err
	},
	idAfterMsgs: func(c *call, b *bin.Buffer) error {
		ids, err := readIDs(b, maxAfter)
		c.after = append(c.after, ids...)
		return err
	},
	idWithoutUpdates: func(c *call, _ *bin.Buffer) error {
		c.quiet = true
		return nil
	},
	idWithRange: func(_ *call, b *bin.Buffer) error {
		if err := b.ConsumeID(idMessageRange); err != nil {
			return err
		}
		return skipLong(b) // two ints
	},
	idWithTakeout:   func(_ *call, b *bin.Buffer) error { return skipLong(b) },
	idWithBusiness:  func(_ *call, b *bin.Buffer) error { return skipStrings(b, 1) },
	idWithPlay:      func(_ *call, b *bin.Buffer) error { return skipStrings(b, 2) },
	idWithApns:      func(_ *call, b *bin.Buffer) error { return skipStrings(b, 2) },
	idWithReCaptcha: func(_ *call, b *bin.Buffer) error { return skipStrings(b, 1) },
}

func skipLong(b *bin.Buffer) error {
	_, err := b.Long()
	return err
}

func skipStrings(b *bin.Buffer, n int) error {
	for range n {
		if err := skipString(b); err != nil {
			return err
		}
	}
	return nil
}

// skipString skips a string or bytes without copying it.
func skipString(b *bin.Buffer) error {
	if len(b.Buf) == 0 {
		return errMalformed
	}
	head, n := 1, int(b.Buf[0])
	if n >= 254 {
		if len(b.Buf) < 4 || n == 255 {
			return errMalformed
		}
		head, n = 4, int(b.Buf[1])|int(b.Buf[2])<<8|int(b.Buf[3])<<16
	}
	size := (head + n + 3) &^ 3
	if size > len(b.Buf) {
		return errMalformed
	}
	b.Skip(size)
	return nil
}

// readClient returns the device model of what initConnection says about the
// client, and skips the rest:
//
//	initConnection#c1cd5ea9 {X:Type} flags:# api_id:int device_model:string system_version:string
//	app_version:string system_lang_code:string lang_pack:string lang_code:string
//	proxy:flags.0?InputClientProxy params:flags.1?JSONValue query:!X = X;
func readClient(b *bin.Buffer) (device string, err error) {
	flags, err := b.Uint32()
	if err != nil {
		return "", err
	}
	if _, err = b.Int(); err != nil {
		return "", err
	}
	if device, err = b.String(); err != nil {
		return "", err
	}
	if err = skipStrings(b, 5); err != nil {
		return "", err
	}
	if flags&1 != 0 {
		if err = skipProxy(b); err != nil {
			return "", err
		}
	}
	if flags&2 != 0 {
		err = skipJSON(b, maxJSONDepth)
	}
	return device, err
}

func skipProxy(b *bin.Buffer) error {
	if err := b.ConsumeID(idClientProxy); err != nil {
		return err
	}
	if err := skipString(b); err != nil {
		return err
	}
	_, err := b.Int()
	return err
}

// skipJSON skips a JSONValue nested at most depth deep.
func skipJSON(b *bin.Buffer, depth int) error {
	if depth == 0 {
		return errMalformed
	}
	id, err := b.ID()
	if err != nil {
		return err
	}
	switch id {
	case idJSONNull:
		return nil
	case idJSONBool:
		_, err = b.Bool()
		return err
	case idJSONNumber:
		return skipLong(b)
	case idJSONString:
		return skipString(b)
	case idJSONArray, idJSONObject:
		return skipJSONVector(b, id == idJSONObject, depth-1)
	default:
		return errMalformed
	}
}

func skipJSONVector(b *bin.Buffer, named bool, depth int) error {
	n, err := b.VectorHeader()
	if err != nil {
		return err
	}
	for range n { // every value takes at least four bytes, so the buffer bounds this
		if named {
			if err = b.ConsumeID(idJSONObjectValue); err != nil {
				return err
			}
			if err = skipString(b); err != nil {
				return err
			}
		}
		if err = skipJSON(b, depth); err != nil {
			return err
		}
	}
	return nil
}
