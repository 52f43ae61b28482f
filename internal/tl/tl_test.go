package tl

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	b := NewBuffer(nil)
	b.PutID(0xdeadbeef)
	b.PutInt(-5)
	b.PutLong(math.MinInt64)
	b.PutDouble(-0.5)
	b.PutBool(true)
	b.PutBool(false)
	b.PutInt128([16]byte{1})
	b.PutInt256([32]byte{2})
	b.PutInts([]int{1, -1})
	b.PutLongs([]int64{3})
	b.PutLongsAsInts([]int64{4, -4})
	b.PutStrings([]string{"", "ü"})
	b.PutBytesVector([][]byte{{}, {5}})
	b.PutRaw([]byte{9, 9, 9})
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	d := NewDecoder(b.Bytes())
	got := []any{
		d.ID(), d.Int(), d.Long(), d.Double(), d.Bool(), d.Bool(), d.Int128(), d.Int256(), d.Ints(), d.Longs(),
		d.LongsFromInts(), d.Strings(), d.BytesVector(), d.Rest(),
	}
	want := []any{
		uint32(0xdeadbeef), -5, int64(math.MinInt64), -0.5, true, false,
		[16]byte{1},
		[32]byte{2},
		[]int{1, -1},
		[]int64{3},
		[]int64{4, -4},
		[]string{"", "ü"},
		[][]byte{{}, {5}},
		[]byte{9, 9, 9},
	}
	if d.Err() != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, d.Err())
	}
}

func TestStrings(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 252, 253, 254, 255, 256, 257, 65536} {
		b := NewBuffer(nil)
		text := strings.Repeat("x", n)
		b.PutString(text)
		if b.Len()%4 != 0 {
			t.Errorf("%d bytes: length %d is no multiple of 4", n, b.Len())
		}
		d := NewDecoder(b.Bytes())
		if got := d.String(); got != text || d.Err() != nil || d.Len() != 0 {
			t.Errorf("%d bytes: got %d, %v, %d left", n, len(got), d.Err(), d.Len())
		}
		d = NewDecoder(b.Bytes()[:b.Len()-1])
		if d.Bytes() != nil || !errors.Is(d.Err(), ErrShort) {
			t.Errorf("%d bytes cut: %v", n, d.Err())
		}
	}
}

func TestInvalid(t *testing.T) {
	for name, tt := range map[string]struct {
		data []byte
		read func(*Decoder)
		want error
	}{
		"short int":    {[]byte{1, 2, 3}, func(d *Decoder) { d.Int() }, ErrShort},
		"bool":         {[]byte{1, 2, 3, 4}, func(d *Decoder) { d.Bool() }, ErrInvalid},
		"string 255":   {[]byte{255, 0, 0, 0}, func(d *Decoder) { d.Bytes() }, ErrInvalid},
		"no string":    {nil, func(d *Decoder) { d.Bytes() }, ErrShort},
		"long string":  {[]byte{254, 1}, func(d *Decoder) { d.Bytes() }, ErrShort},
		"vector id":    {[]byte{1, 2, 3, 4, 0, 0, 0, 0}, func(d *Decoder) { d.Ints() }, ErrInvalid},
		"vector count": {[]byte{0x15, 0xc4, 0xb5, 0x1c, 2, 0, 0, 0, 1, 0, 0, 0}, func(d *Decoder) { d.Ints() }, ErrShort},
		"negative":     {[]byte{0x15, 0xc4, 0xb5, 0x1c, 0xff, 0xff, 0xff, 0xff}, func(d *Decoder) { d.Ints() }, ErrShort},
		"size":         {make([]byte, MaxSize+1), func(*Decoder) {}, ErrLimit},
		"depth": {nil, func(d *Decoder) {
			for range MaxDepth + 1 {
				d.Enter()
			}
		}, ErrLimit},
		"nodes": {nil, func(d *Decoder) {
			for range MaxNodes + 1 {
				d.Enter()
				d.Leave()
			}
		}, ErrLimit},
	} {
		d := NewDecoder(tt.data)
		tt.read(d)
		if !errors.Is(d.Err(), tt.want) {
			t.Errorf("%s: err = %v, want %v", name, d.Err(), tt.want)
		}
		if d.Int() != 0 || d.String() != "" || len(d.Longs()) != 0 || d.Rest() != nil {
			t.Errorf("%s: reads on after an error", name)
		}
	}
}

func TestRange(t *testing.T) {
	for _, put := range []func(*Buffer){
		func(b *Buffer) { b.PutInt(math.MaxInt32 + 1) },
		func(b *Buffer) { b.PutLongAsInt(math.MinInt32 - 1) },
		func(b *Buffer) { b.PutBytes(make([]byte, 1<<24)) },
	} {
		b := NewBuffer(nil)
		if put(b); !errors.Is(b.Err(), ErrRange) {
			t.Errorf("err = %v, want ErrRange", b.Err())
		}
	}
}

func TestRecover(t *testing.T) {
	b := NewBuffer(nil)
	at := b.BeginVector()
	mark := b.Len()
	b.PutInt(1)
	b.Fail(ErrAbsent)
	if !b.Recover(mark) || b.Len() != mark || b.Err() != nil {
		t.Errorf("not recovered: %d bytes, %v", b.Len(), b.Err())
	}
	b.PutInt(2)
	b.Grow(at)
	b.PutID(7)
	b.ClearBits(b.Len()-4, 2)
	want := []byte{0x15, 0xc4, 0xb5, 0x1c, 1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("got %x", b.Bytes())
	}
	b.Fail(ErrRange)
	if b.Recover(0) {
		t.Error("recovered from another error")
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add([]byte{0x15, 0xc4, 0xb5, 0x1c, 1, 0, 0, 0, 3, 'a', 'b', 'c'}, byte(3))
	f.Fuzz(func(t *testing.T, data []byte, kind byte) {
		d := NewDecoder(data)
		read := []func(){
			func() { d.Ints() }, func() { d.Longs() }, func() { d.LongsFromInts() }, func() { d.Strings() },
			func() { d.BytesVector() }, func() { _ = d.String() }, func() { d.Bool() }, func() { d.Int256() },
		}
		read[int(kind)%len(read)]()
		if d.Err() == nil && len(data)-d.Len() > len(data) {
			t.Error("read more than there is")
		}
	})
}
