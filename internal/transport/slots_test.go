package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// TestLargeFramesTakeSlots has two connections begin a large frame, for one of
// which there is room.
func TestLargeFramesTakeSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots := NewSlots(1)
		open := func() (client net.Conn, c *conn) {
			client, server := net.Pipe()
			c = &conn{stream: server, framing: intermediate{}, in: &buffer{src: server}}
			c.Share(slots)
			return client, c
		}
		frame := intermediate{}.frame(nil, make([]byte, 2*largeSize))
		half := len(frame) * 3 / 4

		first, c := open()
		read := make(chan error)
		go func() {
			for {
				_, err := c.ReadFrame()
				read <- err
				if err != nil {
					return
				}
			}
		}()
		for range 2 {
			if _, err := first.Write(frame[:half]); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if len(slots) != 1 {
				t.Error("a large frame on its way has no slot")
			}
			second, d := open()
			go func() {
				_, _ = second.Write(intermediate{}.frame(nil, make([]byte, largeSize/2)))
				_, _ = second.Write(frame)
			}()
			if _, err := d.ReadFrame(); err != nil {
				t.Errorf("a small frame beside a large one: %v", err)
			}
			if _, err := d.ReadFrame(); !errors.Is(err, ErrBusy) {
				t.Errorf("a large frame beside another: %v", err)
			}
			_, _ = d.Close(), second.Close()
			if _, err := first.Write(frame[half:]); err != nil {
				t.Fatal(err)
			}
			if err := <-read; err != nil {
				t.Errorf("a large frame: %v", err)
			}
			synctest.Wait()
			if len(slots) != 0 {
				t.Error("a frame that has come keeps its slot")
			}
		}
		_, _ = first.Write(frame[:half])
		began := time.Now()
		if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != LargeTimeout {
			t.Errorf("a frame that does not go on: %v after %v", err, time.Since(began))
		}

		first, c = open()
		go func() {
			_, err := c.ReadFrame()
			read <- err
		}()
		_, _ = first.Write(frame[:half])
		_ = c.Close()
		if err := <-read; err == nil || len(slots) != 0 {
			t.Errorf("after the end: %v, %d slots taken", err, len(slots))
		}
	})
}

func TestSlotsReadAll(t *testing.T) {
	for _, tt := range []struct {
		slots Slots
		size  int
		want  error
	}{
		{nil, 5 * largeSize, nil},
		{NewSlots(1), 5 * largeSize, nil},
		{NewSlots(1), largeSize + 1, nil},
		{NewSlots(0), largeSize, nil},
		{NewSlots(0), 0, nil},
		{NewSlots(0), largeSize + 1, ErrBusy},
	} {
		in := bytes.Repeat(binary.LittleEndian.AppendUint32(nil, 0x01020304), tt.size/4+1)[:tt.size]
		got, err := tt.slots.ReadAll(bytes.NewReader(in))
		if !errors.Is(err, tt.want) || err == nil && !bytes.Equal(got, in) || len(tt.slots) != 0 {
			t.Errorf("%d of %d bytes, %v, %d slots taken", len(got), tt.size, err, len(tt.slots))
		}
		broken := io.MultiReader(bytes.NewReader(in), iotest.ErrReader(io.ErrUnexpectedEOF))
		if _, err := tt.slots.ReadAll(broken); err == nil || len(tt.slots) != 0 {
			t.Errorf("%d bytes and an error: %v, %d slots taken", tt.size, err, len(tt.slots))
		}
	}
}
