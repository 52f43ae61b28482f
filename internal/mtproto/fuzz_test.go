package mtproto

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/gotd/td/bin"
)

func FuzzPlain(f *testing.F) {
	f.Add(plaintext(1, 2, 3, 4, query(1)))
	f.Add(plaintext(1, 2, 3, 4, nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parsePlain(text)
		if err != nil {
			return
		}
		padding := len(text) - innerHeader - len(p.body)
		if p.session == 0 || len(p.body)%4 != 0 || padding < minPadding || padding > maxPadding {
			t.Errorf("accepted %+v with padding %d", p, padding)
		}
	})
}

func FuzzOpenFrame(f *testing.F) {
	key := randomKey()
	f.Add(sealClient(key, plaintext(1, 2, 3, 4, query(1))))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if _, err := openFrame(&key.Value, frame); err == nil && len(frame) < smallestMsg {
			t.Error("accepted a short frame")
		}
	})
}

func FuzzUnpack(f *testing.F) {
	const id = 1 << 40
	f.Add(packContainer(pings(id, 3)), int32(100))
	f.Add(packContainer([]incoming{{id: 4, seqno: 1, body: packContainer(nil)}}), int32(2))
	f.Add(appendInt(words(idContainer), 1<<30), int32(0))
	f.Fuzz(func(t *testing.T, body []byte, seqno int32) {
		parts, err := unpack(incoming{id: id, seqno: seqno, body: body})
		if err != nil {
			return
		}
		size := 8
		for _, p := range parts {
			size += partHeader + len(p.body)
			if p.id >= id || p.id%4 != 0 || p.seqno > seqno || constructor(p.body) == idContainer {
				t.Errorf("accepted %+v", p)
			}
		}
		if len(parts) == 0 || len(parts) > maxContainer || size != len(body) {
			t.Errorf("%d parts of %d bytes out of %d", len(parts), size, len(body))
		}
	})
}

func FuzzUnwrap(f *testing.F) {
	f.Add(query(1))
	f.Add(withLayer(200, query(1)))
	f.Add(packGzip(withLayer(200, query(1))))
	f.Add(wrap(idAfterMsgs, msgsAck([]int64{1, 2})[4:], query(1)))
	f.Add(wrap(idWithReCaptcha, []byte{254, 255, 255, 255}, nil))
	nested := withLayer(1, nil)
	at := len(nested) - 40
	for range 100 {
		nested = append(nested[:at:at], words(idJSONArray)...)
		nested = binary.LittleEndian.AppendUint32(nested, idVector)
		nested = appendInt(nested, 1)
		at = len(nested)
	}
	f.Add(nested)
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := unwrap(body)
		if err == nil && (len(c.query) < 4 || len(c.query) > max(len(body), maxInflated) || len(c.after) > maxWrappers*maxAfter) {
			t.Errorf("accepted %d bytes, %d messages to wait for", len(c.query), len(c.after))
		}
	})
}

func FuzzBind(f *testing.F) {
	key := randomKey()
	f.Add(append(words(idBindTempKey, key.IntID(), 1), 0, 0, 0, 0, 3, 1, 2, 3))
	f.Fuzz(func(t *testing.T, query []byte) {
		if len(query) < 4 {
			return
		}
		r, err := readBindRequest(query)
		if err != nil {
			return
		}
		r.perm = key.IntID()
		if _, ok := openBind(&key.Value, r, 4); ok {
			t.Error("a message made without the key is accepted")
		}
	})
}

// FuzzServices feeds a session whatever a client that has its key may send.
func FuzzServices(f *testing.F) {
	for id := range services {
		f.Add(binary.LittleEndian.AppendUint32(nil, id))
		f.Add(words(id, 1, 2, 3))
		f.Add(msgIDs(id, 1, 2, 3))
	}
	f.Add(withLayer(200, query(1)))
	srv, err := New(Config{RSA: testRSA(), Keys: &memKeys{}, Handler: handler{}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(srv.Close)
	f.Fuzz(func(t *testing.T, body []byte) {
		key := newAuthKey(5, randomKey().Value, 0, srv.limits)
		key.refs = 1
		c := srv.newConn(&polled{closed: make(chan struct{})}, addrIP(nil))
		c.key = key
		_ = c.message(plain{
			salt: key.salts.current(time.Now()), session: 1, id: srv.ids.next(kindClient), seqno: 1, body: body,
		}, true)
		_ = c.flush()
		if s := srv.registry.session(key, 1); s != nil {
			s.detach(c)
			srv.drop(s, "tested")
		}
	})
}

func TestSkipString(t *testing.T) {
	for _, n := range []int{0, 1, 3, 4, 253, 254, 255, 256, 70000} {
		var b bin.Buffer
		b.PutBytes(make([]byte, n))
		b.PutInt(7)
		if err := skipString(&b); err != nil {
			t.Fatal(err)
		}
		if rest, err := b.Int(); err != nil || rest != 7 || len(b.Buf) != 0 {
			t.Errorf("%d bytes: rest %d, %v", n, rest, err)
		}
	}
}
