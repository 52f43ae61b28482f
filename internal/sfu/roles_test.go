package sfu

import (
	"net/netip"
	"testing"
	"time"

	"parley/internal/calls"
	"parley/internal/colibri"
	"parley/internal/media/rtcp"
	"parley/internal/media/rtp"
	"parley/internal/media/udp"
)

// keyed tells when a number is used twice.
type keyed struct {
	plain
	t    *testing.T
	used map[[2]uint64]bool
}

func (z keyed) SealRTP(b []byte, header int, payload []byte, index uint64) (int, error) {
	var h rtp.Header
	h.Parse(b[:header])
	k := [2]uint64{uint64(h.SSRC), index}
	if z.used[k] {
		z.t.Errorf("SSRC %d, index %d sealed twice under one key", h.SSRC, index)
	}
	z.used[k] = true
	return z.plain.SealRTP(b, header, payload, index)
}

// TestRepairNumbersAfterRoles has somebody join anew with an SSRC in another
// role, and back: no number is used twice under one key.
func TestRepairNumbersAfterRoles(t *testing.T) {
	b := newBench(t, 0, 1)
	b.now = time.Second
	to := b.order[0]
	to.out = keyed{t: t, used: map[[2]uint64]bool{}}
	b.want(to, colibri.Wants{Default: colibri.Heights{Max: 720}})
	id := int64(10)
	enter := func(old *conn, ssrc int32) *conn {
		id++
		j := calls.MediaJoin{Call: 1, Conn: id, User: 7, Endpoint: endpointOf(id)}
		j.Payload = colibri.Join{SSRC: ssrc, HasSSRC: true}
		if ssrc != 501 {
			j.Payload.Groups = []colibri.SourceGroup{{Semantics: "FID", Sources: []int32{500, 501}}}
		}
		c, _, _ := newConn(j)
		if err := b.shard.join(c, j); err != nil {
			t.Fatal(err)
		}
		addr := udp.Peer{AddrPort: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, 0, byte(id)}), 1)}
		b.claim(c, addr)
		b.move(c, addr)
		b.ready(c, plain{}, plain{})
		if old != nil {
			b.remove(old) // what calls.tell does: Leave, then Gate
		}
		c.audio.open = true
		if c.video != nil {
			b.gate(c.video, true)
		}
		return c
	}
	send := func(c *conn, h rtp.Header, payload []byte) {
		var d udp.Datagram
		n := h.Write(d.Slot[:])
		d.N, d.From = n+copy(d.Slot[n:], payload), c.addr
		b.receive(&d)
		b.forward()
		b.runPlans()
	}
	show := func(c *conn) {
		for i := range 20 {
			b.now += 33 * time.Millisecond
			send(c, rtp.Header{SSRC: 500, Type: 100, Sequence: uint16(i), Timestamp: uint32(3000 * i), Marker: true}, slim(2, true, uint8(i)))
		}
		w := to.view(c.video)
		p, _, _ := rtcp.Next(rtcp.AppendNack(nil, 1, 500, []uint16{uint16(w.last - 1)}))
		m, _ := p.Missing()
		b.resend(w, m)
	}
	one := enter(nil, 600)
	show(one)
	two := enter(one, 501) // its sound has the SSRC of the old one's RTX
	send(two, rtp.Header{SSRC: 501, Type: 111, Sequence: 9, HasLevel: true, Level: 20, Voice: true}, []byte("sound"))
	three := enter(two, 601)
	show(three)
}
