package transport

import (
	"bytes"
	"testing"
)

// drain reads until an error, which must come in the end.
func drain(t *testing.T, read func() (Frame, error), size int) {
	t.Helper()
	for range size + 1 {
		f, err := read()
		if err != nil {
			return
		}
		if len(f.Payload) == 0 || len(f.Payload)%4 != 0 && len(f.Payload) < 20 {
			t.Fatalf("frame of %d bytes", len(f.Payload))
		}
	}
	t.Fatal("more frames than bytes")
}

func FuzzSniff(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n"), 3)
	f.Add([]byte("DELETE /x HTTP/1.1\r\n"), 30)
	f.Add(append([]byte{0xef, 10}, cipherMessage(1)...), 1)
	f.Add(append([]byte{0xee, 0xee, 0xee, 0xee, 40, 0, 0, 0}, cipherMessage(1)...), 5)
	f.Add(append([]byte{0xdd, 0xdd, 0xdd, 0xdd, 40, 0, 0, 0x80}, cipherMessage(1)...), 5)
	f.Add(fullFrame(0, cipherMessage(1)), 100)
	f.Add(bytes.Repeat([]byte{7}, 100), 64)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		in := &script{in: bytes.Clone(data), step: 1 + step&0xfff}
		framed, conn, err := Sniff(in, testSecret)
		switch {
		case err != nil:
		case conn != nil:
			head := make([]byte, 4)
			if n, _ := conn.Read(head); !bytes.HasPrefix(data, head[:n]) || n == 0 {
				t.Fatalf("put back %q of %q", head[:n], data)
			}
		default:
			drain(t, framed.ReadFrame, len(data))
		}
	})
}

func fuzzFraming(f *testing.F, framings func() framing) {
	f.Helper()
	f.Add(framings().frame(nil, cipherMessage(1)), 1)
	f.Add(framings().frame(nil, cipherMessage(300)), 99)
	f.Add(framings().frame(framings().frame(nil, plainMessage(20)), plainMessage(40)), 7)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, 2)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		fr := framings()
		in := &buffer{src: &script{in: bytes.Clone(data), step: 1 + step&0xfff}}
		drain(t, func() (Frame, error) { return fr.read(in) }, len(data))
		if len(in.data) > max(minBuffer, 2*len(data)) {
			t.Fatalf("%d bytes of input made a buffer of %d", len(data), len(in.data))
		}
	})
}

func FuzzAbridged(f *testing.F)     { fuzzFraming(f, func() framing { return abridged{} }) }
func FuzzIntermediate(f *testing.F) { fuzzFraming(f, func() framing { return intermediate{} }) }
func FuzzPadded(f *testing.F)       { fuzzFraming(f, func() framing { return padded{} }) }
func FuzzFull(f *testing.F)         { fuzzFraming(f, func() framing { return &full{} }) }
