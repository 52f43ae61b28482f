package load

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"

	"parley/internal/colibri"
)

// target is a server that clients join.
type target interface {
	// prepare makes the rooms and whoever will be in them: all that is not to
	// be measured.
	prepare(ctx context.Context) error
	// join tells the server about a client and returns its end.
	join(ctx context.Context, room, seat int, o offer) (remote, error)
	// leave ends a client's participation.
	leave(ctx context.Context, room, seat int, o offer) error
	// pushes returns how often clients were told of something, if they listen.
	pushes() (n int64, listening bool)
	// close ends the rooms.
	close(ctx context.Context)
}

// parallel is how many requests, and joins, run at a time.
const parallel = 16

// parley is a Parley server, reached through its JSON API.
type parley struct {
	api      *api
	scenario Scenario
	users    []*user // by room and seat
	chats    []reference
	calls    []reference
	listen   bool // for updates, with ears
	ears     ears
}

func newParley(base string, s Scenario, listen bool) *parley {
	return &parley{
		api: newAPI(base, parallel), scenario: s, listen: listen, users: make([]*user, s.Rooms*s.seats()),
		chats: make([]reference, s.Rooms), calls: make([]reference, s.Rooms),
	}
}

func (p *parley) pushes() (int64, bool) { return p.ears.pushes.Load(), p.listen }

func (p *parley) user(room, seat int) *user { return p.users[room*p.scenario.seats()+seat] }

func (p *parley) prepare(ctx context.Context) error {
	err := each(ctx, len(p.users), func(ctx context.Context, i int) (err error) {
		p.users[i], err = p.api.signIn(ctx, i)
		if err == nil && p.listen {
			err = p.ears.open(ctx, p.users[i])
		}
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, p.scenario.Rooms, func(ctx context.Context, room int) (err error) {
		p.chats[room], p.calls[room], err = p.user(room, 0).openCall(ctx, "load_"+token(12))
		return err
	})
}

// payload is the join payload.
type payload struct {
	SSRC         int32                 `json:"ssrc"`
	Ufrag        string                `json:"ufrag"`
	Pwd          string                `json:"pwd"`
	Fingerprints []colibri.Fingerprint `json:"fingerprints"`
	Groups       []colibri.SourceGroup `json:"ssrc-groups,omitempty"`
}

func (p *parley) join(ctx context.Context, room, seat int, o offer) (remote, error) {
	params, err := json.Marshal(payload{
		SSRC: int32(o.ssrc), Ufrag: o.ufrag, Pwd: o.pwd, Groups: o.groups,
		Fingerprints: []colibri.Fingerprint{{Hash: "sha-256", Setup: "passive", Fingerprint: o.cert.fingerprint}},
	})
	if err != nil {
		return remote{}, fmt.Errorf("encode join payload: %w", err)
	}
	var joined updates
	err = p.user(room, seat).call(ctx, "phone.joinGroupCall", object{
		"call": p.calls[room].call(), "join_as": object{"_": "inputPeerSelf"}, "muted": !o.publishes,
		"video_stopped": len(o.groups) == 0, "params": object{"_": "dataJSON", "data": string(params)},
	}, &joined)
	if err != nil {
		return remote{}, err
	}
	for _, v := range joined.Updates {
		if v.Kind == "updateGroupCallConnection" {
			return parseAnswer([]byte(v.Params.Data))
		}
	}
	return remote{}, fmt.Errorf("phone.joinGroupCall: %w", errShape)
}

// parseAnswer reads a join answer. Of several addresses the first of IPv4 is
// taken, else the first.
func parseAnswer(data []byte) (remote, error) {
	var a struct {
		Transport struct {
			Ufrag, Pwd   string
			Fingerprints []colibri.Fingerprint
			Candidates   []struct{ IP, Port string }
		}
		Video struct{ Endpoint string }
	}
	if err := json.Unmarshal(data, &a); err != nil {
		return remote{}, fmt.Errorf("read join answer: %w", err)
	}
	t := a.Transport
	if t.Ufrag == "" || t.Pwd == "" || len(t.Fingerprints) == 0 {
		return remote{}, fmt.Errorf("join answer: %w", errShape)
	}
	r := remote{ufrag: t.Ufrag, pwd: t.Pwd, fingerprint: t.Fingerprints[0].Fingerprint, endpoint: a.Video.Endpoint}
	for _, c := range t.Candidates {
		addr, err := netip.ParseAddrPort(net.JoinHostPort(c.IP, c.Port))
		if err != nil {
			return remote{}, fmt.Errorf("read candidate: %w", err)
		}
		if !r.addr.IsValid() || addr.Addr().Is4() && !r.addr.Addr().Is4() {
			r.addr = addr
		}
	}
	if !r.addr.IsValid() {
		return remote{}, fmt.Errorf("join answer without candidates: %w", errShape)
	}
	return r, nil
}

func (p *parley) leave(ctx context.Context, room, seat int, o offer) error {
	return p.user(room, seat).call(ctx, "phone.leaveGroupCall", object{"call": p.calls[room].call(), "source": int32(o.ssrc)}, nil)
}

func (p *parley) close(ctx context.Context) {
	defer p.api.http.CloseIdleConnections()
	defer p.ears.close()
	_ = each(ctx, len(p.chats), func(ctx context.Context, room int) error {
		u := p.user(room, 0)
		if u == nil || p.chats[room].ID == "" {
			return nil
		}
		if p.calls[room].ID != "" {
			_ = u.call(ctx, "phone.discardGroupCall", object{"call": p.calls[room].call()}, nil)
		}
		_ = u.call(ctx, "channels.deleteChannel", object{"channel": p.chats[room].channel()}, nil)
		return nil
	})
}
