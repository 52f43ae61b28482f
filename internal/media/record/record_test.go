package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/pion/dtls/v3/pkg/crypto/ciphersuite"
	"github.com/pion/dtls/v3/pkg/crypto/prf"
	"github.com/pion/dtls/v3/pkg/protocol"
	"github.com/pion/dtls/v3/pkg/protocol/recordlayer"
)

func secrets() *Secrets {
	s := &Secrets{Master: bytes.Repeat([]byte{7}, 48), Next: 1}
	s.Client[0], s.Server[0] = 1, 2
	return s
}

// pair returns both ends of a connection.
func pair(t testing.TB) (client, server *Layer) {
	t.Helper()
	client, err := New(secrets(), true)
	if err != nil {
		t.Fatal(err)
	}
	server, err = New(secrets(), false)
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

// theirs makes pion's cipher of the client's end.
func theirs(t *testing.T) *ciphersuite.GCM {
	t.Helper()
	s := secrets()
	k, err := prf.GenerateEncryptionKeys(s.Master, s.Client[:], s.Server[:], 0, 16, 4, sha256.New)
	if err != nil {
		t.Fatal(err)
	}
	g, err := ciphersuite.NewGCM(k.ClientWriteKey, k.ClientWriteIV, k.ServerWriteKey, k.ServerWriteIV)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestPion: what pion seals we open, and the reverse.
func TestPion(t *testing.T) {
	_, server := pair(t)
	pion := theirs(t)
	h := recordlayer.Header{Version: protocol.Version1_2, Epoch: 1, SequenceNumber: 5, ContentType: protocol.ContentTypeApplicationData}
	r := &recordlayer.RecordLayer{Header: h, Content: &protocol.ApplicationData{Data: []byte("hello")}}
	raw, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := pion.Encrypt(r, raw)
	if err != nil {
		t.Fatal(err)
	}
	if kind, plain, rest := server.Open(sealed); kind != Data || string(plain) != "hello" || len(rest) != 0 {
		t.Errorf("opened %d %q, %d bytes left", kind, plain, len(rest))
	}
	b := server.Seal([]byte{9}, Alert, []byte{1, 0})
	if len(b) != 1+2+Overhead || binary.BigEndian.Uint64(b[4:]) != 1<<48|1 {
		t.Errorf("sealed %x", b)
	}
	plain, err := pion.Decrypt(recordlayer.Header{}, b[1:])
	if err != nil || !bytes.Equal(plain[13:], []byte{1, 0}) {
		t.Errorf("pion opened %x: %v", plain, err)
	}
}

func TestReplay(t *testing.T) {
	client, server := pair(t)
	var sent [][]byte
	for range 200 {
		sent = append(sent, client.Seal(nil, Data, []byte("x")))
	}
	// In the order they come in: whether they are taken.
	for _, step := range []struct {
		n  int
		ok bool
	}{{0, true}, {0, false}, {2, true}, {1, true}, {2, false}, {70, true}, {7, true}, {6, false}, {7, false}, {69, true}, {199, true}, {70, false}} {
		kind, _, _ := server.Open(bytes.Clone(sent[step.n]))
		if got := kind == Data; got != step.ok {
			t.Errorf("record %d taken: %t, want %t", step.n, got, step.ok)
		}
	}
}

func TestWrong(t *testing.T) {
	client, server := pair(t)
	good := client.Seal(nil, Data, []byte("payload"))
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 0x81
		if kind, plain, _ := server.Open(b); kind != None {
			t.Errorf("with byte %d changed it is %d %q", i, kind, plain)
		}
	}
	for n := range len(good) {
		if kind, _, _ := server.Open(bytes.Clone(good[:n])); kind != None {
			t.Errorf("of %d bytes it is %d", n, kind)
		}
	}
	if kind, _, _ := client.Open(bytes.Clone(good)); kind != None {
		t.Error("opened by its own sender")
	}
	if kind, _, _ := server.Open(good); kind != Data {
		t.Error("the right one is not taken after all")
	}
}

// TestDatagram: records of one datagram come one after another.
func TestDatagram(t *testing.T) {
	client, server := pair(t)
	plain := []byte{byte(Handshake), 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 1, 1}
	b := append([]byte{20, 254, 253, 0, 0, 0, 0, 0, 0, 0, 8, 0, 1, 1}, plain...)
	b = client.Seal(b, Data, []byte("a"))
	b = client.Seal(b, Handshake, []byte("finished"))
	b = client.Seal(b, Alert, []byte{1, 0})
	var got []Kind
	for len(b) > 0 {
		var kind Kind
		kind, _, b = server.Open(b)
		got = append(got, kind)
	}
	if want := []Kind{None, Handshake, Data, None, Alert}; !bytes.Equal(raw(got), raw(want)) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func raw(k []Kind) (b []byte) {
	for _, k := range k {
		b = append(b, byte(k))
	}
	return b
}

func TestAllocations(t *testing.T) {
	client, server := pair(t)
	buffer, payload := make([]byte, 0, 2048), make([]byte, 1100)
	if n := testing.AllocsPerRun(100, func() {
		if kind, _, _ := server.Open(client.Seal(buffer, Data, payload)); kind != Data {
			t.Fatal("not opened")
		}
	}); n != 0 {
		t.Errorf("%g allocations a record", n)
	}
}

// TestSecrets: randoms are those of the first hello of the right end, and the
// next number is the one after what was sent.
func TestSecrets(t *testing.T) {
	hello := func(kind, at byte, epoch uint16, random byte) []byte {
		b := []byte{byte(Handshake), 254, 253, byte(epoch >> 8), byte(epoch), 0, 0, 0, 0, 0, 0, 0, 12 + 34}
		b = append(b, kind, 0, 0, 34, 0, 0, 0, 0, at, 0, 0, 34, 254, 253)
		return append(b, bytes.Repeat([]byte{random}, 32)...)
	}
	var s Secrets
	s.Heard(hello(2, 0, 0, 1)[:58], false) // too short
	s.Heard(hello(2, 1, 0, 2), false)      // a later fragment
	s.Heard(hello(2, 0, 1, 3), false)      // with a cipher
	s.Heard(hello(1, 0, 0, 4), false)      // a client's
	s.Heard(append(hello(2, 1, 0, 5), hello(2, 0, 0, 6)...), false)
	s.Heard(hello(2, 0, 0, 7), false)
	s.Said(hello(1, 0, 0, 8), true)
	if s.Server[0] != 6 || s.Server[31] != 6 || s.Client[0] != 8 || s.Next != 0 {
		t.Errorf("got %+v", s)
	}
	client, _ := pair(t)
	s.Said(client.Seal(client.Seal([]byte{20, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1}, Data, nil), Data, nil), true)
	if s.Next != 3 {
		t.Errorf("next is %d", s.Next)
	}
}

// FuzzHello: a datagram of anything is read.
func FuzzHello(f *testing.F) {
	f.Add([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, true)
	f.Fuzz(func(t *testing.T, b []byte, client bool) {
		var s Secrets
		s.Said(b, client)
		if client && s.server || !client && s.client || s.Next > 1<<48 {
			t.Fatalf("got %+v", s)
		}
	})
}

// FuzzOpen: whatever comes, the rest gets shorter and nothing opens that was
// not sealed.
func FuzzOpen(f *testing.F) {
	client, _ := pair(f)
	f.Add(client.Seal(nil, Data, []byte("x"))[:20])
	f.Add([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, server := pair(t)
		for len(b) > 0 {
			kind, plain, rest := server.Open(b)
			if len(rest) >= len(b) || plain != nil || kind == Data || kind == Alert {
				t.Fatalf("%d %x, %d of %d bytes left", kind, plain, len(rest), len(b))
			}
			b = rest
		}
	})
}
