package mtproto

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func newOutbox() *outbox { return &outbox{ids: new(idSource), total: new(atomic.Int64)} }

func (o *outbox) sendAll(t *testing.T) []part {
	t.Helper()
	var none []*message
	var all []part
	for range 100 {
		b := o.next(&none, true, false)
		if len(b.parts) == 0 {
			return all
		}
		all = append(all, b.parts...)
	}
	t.Fatal("an outbox without an end")
	return nil
}

func TestStaleMessagesGetNewIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		o.push(&message{body: query(1), content: true})
		first := o.sendAll(t)[0]
		time.Sleep(staleAfter - time.Second)
		o.push(&message{body: query(2), content: true})
		second := o.sendAll(t)[0]
		o.resendAll(time.Now(), time.Now())
		if again := o.sendAll(t); len(again) != 1 || again[0].id != first.id {
			t.Errorf("what has just been sent goes again: %+v", again)
		}
		time.Sleep(staleAfter - time.Second)
		o.resendAll(time.Now(), time.Now())
		if again := o.sendAll(t); len(again) != 2 || again[0].id != first.id || again[1].id != second.id {
			t.Errorf("sent again %+v", again)
		}
		time.Sleep(2 * staleAfter)
		o.resendAll(time.Now(), time.Now())
		again := o.sendAll(t)
		if len(again) != 2 || again[0].id <= second.id || again[1].id <= again[0].id || again[0].seqno <= second.seqno {
			t.Errorf("stale messages become %+v", again)
		}
		o.acked([]int64{again[0].id, again[1].id, first.id})
		if o.len() != 0 || o.bytes != 0 || o.total.Load() != 0 {
			t.Errorf("%d messages, %d bytes left", o.len(), o.bytes)
		}
	})
}

func TestBatchesAreBounded(t *testing.T) {
	o := newOutbox()
	for range 3 {
		o.push(&message{body: make([]byte, batchBytes-100), content: true})
	}
	for range 3 * batchMessages {
		o.push(&message{body: query(1)})
	}
	var none []*message
	frames := 0
	for b := o.next(&none, true, false); len(b.parts) > 0; b = o.next(&none, true, false) {
		frames++
		size := 0
		for _, p := range b.parts {
			size += len(p.body)
			if len(b.parts) > 1 && p.id >= b.container.id {
				t.Errorf("message %d in container %d", p.id, b.container.id)
			}
		}
		if len(b.parts) > batchMessages || size > batchBytes {
			t.Errorf("%d messages of %d bytes in one frame", len(b.parts), size)
		}
	}
	if frames < 6 || o.total.Load() != int64(o.bytes) || len(o.unacked) != 3 {
		t.Errorf("%d frames, %d bytes, %d unacknowledged", frames, o.bytes, len(o.unacked))
	}
}

func TestInboxWindow(t *testing.T) {
	var b inbox
	for i := range int64(3 * windowSize) {
		if code := b.add(4*i+4, anySeqno); code != codeOK {
			t.Fatalf("code %d", code)
		}
		b.trim()
	}
	if n := len(b.window); n < windowSize || n > windowSize+windowSlack {
		t.Errorf("%d ids kept", n)
	}
	if code := b.add(b.floor, anySeqno); code != codeIDForgotten {
		t.Errorf("a forgotten id gets code %d", code)
	}
	if b.find(b.highest()) == nil || b.find(b.floor) != nil {
		t.Error("the window is not the highest ids")
	}
}

// TestSlowReader checks that a client that does not read costs a bounded time.
func TestSlowReader(t *testing.T) {
	h := newRecorder()
	f := start(t, h.handler(), func(c *Config) {
		c.Limits.Write = 100 * time.Millisecond
		c.Limits.UnackedBytes, c.Limits.Unacked = 256<<20, 1<<20
	})
	c := f.dial(t)
	c.greet()
	s := h.session(c.key.IntID())
	for range 64 {
		s.Push(bulk(make([]byte, 1<<20)))
	}
	eventually(t, func() string {
		if n := f.Metrics().Conns; n != 0 {
			return fmt.Sprintf("%d connections", n)
		}
		return ""
	})
	if f.Metrics().Sessions != 1 {
		t.Error("the session went with its connection")
	}
}

// bulk is an update of any size.
type bulk []byte

func (b bulk) EncodeLayer(int) ([]byte, error) { return b, nil }
func (b bulk) MarshalJSON() ([]byte, error)    { return json.Marshal(len(b)) }
