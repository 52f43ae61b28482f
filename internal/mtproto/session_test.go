package mtproto

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"parley/internal/rpc"
	"parley/internal/tg"
)

func TestQuery(t *testing.T) {
	f := start(t, handler{})
	c := f.dial(t)
	id := c.call(withLayer(158, query(7)))
	created := c.waitID("new session", idNewSession)
	if created.long(4) != id {
		t.Errorf("first message %d, want %d", created.long(4), id)
	}
	if got := c.result(id); !bytes.Equal(got, query(7)) {
		t.Errorf("result = %x", got)
	}
	if got := c.result(c.call(query(8))); !bytes.Equal(got, query(8)) {
		t.Errorf("result = %x", got)
	}
	eventually(t, func() string {
		if f.keys.layer(c.key.IntID()) != 158 {
			return "layer is not stored"
		}
		return ""
	})
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"visible", rpc.Err(400, "GROUPCALL_INVALID"), "GROUPCALL_INVALID"},
		{"internal", errors.New("disk full"), "INTERNAL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, handler{handle: func(context.Context, *rpc.Session, []byte) ([]byte, error) { return nil, tt.err }})
			c := f.dial(t)
			if got := c.fails(c.call(withLayer(200, query(1)))); got != tt.want {
				t.Errorf("error = %s, want %s", got, tt.want)
			}
		})
	}
}

// TestFailuresAreNamed reads the log after a method failed.
func TestFailuresAreNamed(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	f := start(t, handler{handle: func(context.Context, *rpc.Session, []byte) ([]byte, error) {
		return nil, errors.New("disk full")
	}}, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(writer(func(b []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return log.Write(b)
		}), nil))
	})
	c := f.dial(t)
	leave := new(tg.PhoneLeaveGroupCallRequest)
	c.fails(c.call(withLayer(200, binary.LittleEndian.AppendUint32(nil, leave.TypeID()))))
	mu.Lock()
	defer mu.Unlock()
	want := `msg="request failed" method=phone.leaveGroupCall layer=200 device=test key=`
	if text := log.String(); strings.Count(text, want) != 1 || !strings.Contains(text, "disk full") {
		t.Errorf("logged %q, want %s", text, want)
	}
}

// writer is an io.Writer.
type writer func(b []byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

func TestHandlerPanics(t *testing.T) {
	f := start(t, handler{handle: func(_ context.Context, _ *rpc.Session, q []byte) ([]byte, error) {
		if q[4] == 13 {
			panic("unlucky")
		}
		return q, nil
	}})
	c := f.dial(t)
	c.greet()
	if got := c.fails(c.call(query(13))); got != "INTERNAL" {
		t.Errorf("error = %s", got)
	}
	c.result(c.call(query(14)))
}
