package stun

import (
	"net"
	"net/netip"
	"testing"

	pion "github.com/pion/stun/v3"
)

const pwd = "1k7vls8kb2tr4eu093jkalphcq"

func request(t testing.TB, setters ...pion.Setter) []byte {
	t.Helper()
	all := append([]pion.Setter{pion.TransactionID, pion.BindingRequest, pion.NewUsername("ours:theirs")}, setters...)
	m, err := pion.Build(append(all, pion.NewShortTermIntegrity(pwd), pion.Fingerprint)...)
	if err != nil {
		t.Fatal(err)
	}
	return m.Raw
}

func TestRequest(t *testing.T) {
	raw := request(t, pion.RawAttribute{Type: pion.AttrUseCandidate}, pion.RawAttribute{Type: pion.AttrICEControlling, Value: make([]byte, 8)},
		pion.RawAttribute{Type: 0xc057, Value: make([]byte, 3)})
	var r Request
	if !r.Parse(raw) || string(r.Local) != "ours" || string(r.Remote) != "theirs" || !r.UseCandidate || !r.Controlling {
		t.Fatalf("request = %+v", r)
	}
	if !NewAuth(pwd).Check(&r) {
		t.Error("right password refused")
	}
	if NewAuth(pwd + "x").Check(&r) {
		t.Error("wrong password accepted")
	}
	raw[len(raw)-1]++
	if r.Parse(raw) {
		t.Error("wrong fingerprint accepted")
	}
}

// TestControlledIsServed proves that a controlled client gets no role conflict.
func TestControlledIsServed(t *testing.T) {
	var r Request
	if !r.Parse(request(t, pion.RawAttribute{Type: pion.AttrICEControlled, Value: make([]byte, 8)})) || r.Controlling {
		t.Errorf("request = %+v", r)
	}
}

func TestResponse(t *testing.T) {
	raw := request(t)
	auth := NewAuth(pwd)
	for _, addr := range []string{"203.0.113.9:4711", "[2001:db8::9]:4711", "[::ffff:203.0.113.9]:4711"} {
		var r Request
		if !r.Parse(raw) {
			t.Fatal("refused")
		}
		b := make([]byte, ResponseSize)
		from := netip.MustParseAddrPort(addr)
		n := auth.Respond(b, &r, from)
		m := &pion.Message{Raw: b[:n]}
		if err := m.Decode(); err != nil {
			t.Fatal(err)
		}
		var got pion.XORMappedAddress
		if err := got.GetFrom(m); err != nil || !got.IP.Equal(net.IP(from.Addr().Unmap().AsSlice())) || got.Port != 4711 {
			t.Errorf("mapped %v, %v; want %v", got, err, from)
		}
		if err := pion.NewShortTermIntegrity(pwd).Check(m); err != nil {
			t.Error(err)
		}
		if err := pion.Fingerprint.Check(m); err != nil || m.Type != pion.BindingSuccess {
			t.Errorf("%v, %v", m.Type, err)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	raw, auth, b, addr := request(t), NewAuth(pwd), make([]byte, ResponseSize), netip.MustParseAddrPort("203.0.113.9:1")
	var r Request
	if n := testing.AllocsPerRun(100, func() {
		if !r.Parse(raw) || !auth.Check(&r) {
			t.Fatal("refused")
		}
		auth.Respond(b, &r, addr)
	}); n != 0 {
		t.Errorf("%v allocations a check", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(request(f))
	auth := NewAuth(pwd)
	f.Fuzz(func(_ *testing.T, b []byte) {
		var r Request
		if r.Parse(b) {
			auth.Check(&r)
			auth.Respond(make([]byte, ResponseSize), &r, netip.MustParseAddrPort("[::1]:1"))
		}
	})
}
