package app

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"parley/internal/call"
	"parley/internal/calls"
	"parley/internal/directory"
	"parley/internal/event"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/sfu"
	"parley/internal/tg"
	"parley/internal/updates"
)

// The demo world. Its users sign in with their phones and the code 11111.
const (
	demoOwner  = "9996610000"
	demoMember = "9996610001"
	demoTone   = "9996610002"
	demoName   = "demo"
	demoAhead  = 7 * 24 * time.Hour // when its video chat is announced for
)

// tone is one second of a 440 Hz tone: 50 Opus frames of 20 ms and toneFrame
// bytes each, 48 kHz mono at a constant 24 kbit/s.
//
//go:embed tone.opus
var tone []byte

const (
	toneFrame = 60
	toneTime  = 20 * time.Millisecond
)

// demo keeps the public supergroup @demo with a scheduled video chat. Once
// that is started a participant joins that plays a tone, so that whoever joins
// hears something. It sees starts by standing between calls and their
// publisher.
type demo struct {
	*updates.Service
	dir   *directory.Service
	calls *calls.Service
	media *sfu.Server
	log   *slog.Logger

	chat    peer.ID // set by open before anything starts
	player  int64   // user who plays; set by open
	started chan call.ID
	cancel  context.CancelFunc
	done    chan struct{}
}

func newDemo(u *updates.Service, d *directory.Service, c *calls.Service, m *sfu.Server, log *slog.Logger) *demo {
	return &demo{Service: u, dir: d, calls: c, media: m, log: log, started: make(chan call.ID, 1), done: make(chan struct{})}
}

// Publish is the updates' own; it looks out for the start of the demo's call.
func (d *demo) Publish(ctx context.Context, c rpc.Caller, commit func(ctx context.Context) ([]event.Event, error)) (tg.UpdatesClass, error) {
	return d.Service.Publish(ctx, c, func(ctx context.Context) ([]event.Event, error) {
		events, err := commit(ctx)
		for _, e := range events {
			changed, ok := e.(event.CallChanged)
			if ok && changed.Info.Chat == d.chat && changed.Info.State == call.Active && changed.Info.Count == 0 {
				d.notice(changed.Info.ID)
			}
		}
		return events, err
	})
}

// notice tells the player of a call; only the newest matters.
func (d *demo) notice(id call.ID) {
	select {
	case <-d.started:
	default:
	}
	d.started <- id
}

// open makes what of the demo world is missing and lets the player wait. What
// people did to it since the last start is no reason not to start.
func (d *demo) open(ctx context.Context) error {
	err := d.build(ctx)
	if _, meant := rpc.Visible(err); err != nil && !meant {
		return err
	}
	if err != nil {
		d.log.Warn("demo world not complete", "err", err)
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d.cancel = cancel
	go d.run(run)
	return nil
}

func (d *demo) build(ctx context.Context) error {
	users := map[string]int64{}
	for phone, name := range map[string]string{demoOwner: "Demo Owner", demoMember: "Demo Member", demoTone: "Tone"} {
		first, last, _ := strings.Cut(name, " ")
		id, err := d.dir.AddUser(ctx, phone, first, last)
		if err != nil {
			return fmt.Errorf("make demo user: %w", err)
		}
		users[phone] = id
	}
	d.player = users[demoTone]
	owner := rpc.Caller{User: users[demoOwner]}
	if err := d.openChat(ctx, owner, users); err != nil {
		return fmt.Errorf("make @%s: %w", demoName, err)
	}
	if err := d.openCall(ctx, owner); err != nil {
		return fmt.Errorf("schedule the call of @%s: %w", demoName, err)
	}
	return nil
}

func (d *demo) openChat(ctx context.Context, owner rpc.Caller, users map[string]int64) error {
	id, err := d.dir.ByUsername(ctx, demoName)
	if err == nil {
		d.chat = id
		return nil
	}
	if _, meant := rpc.Visible(err); !meant {
		return err
	}
	d.chat, _, err = d.dir.CreateChannel(ctx, owner, directory.NewChannel{Title: "Parley demo", About: "Start the video chat to hear a tone."})
	if err != nil {
		return err
	}
	if err = d.dir.SetChannelName(ctx, owner, d.chat, demoName); err != nil {
		return err
	}
	_, err = d.dir.Invite(ctx, owner, d.chat.ID, []int64{users[demoMember], d.player})
	return err
}

// openCall schedules a video chat, unless there is one; one that runs already
// gets its player.
func (d *demo) openCall(ctx context.Context, owner rpc.Caller) error {
	id, _, ok := d.calls.OfChat(d.chat)
	if !ok {
		_, err := d.calls.Create(ctx, owner, calls.CreateRequest{
			Chat: d.chat, Title: "Demo", ScheduleDate: time.Now().Add(demoAhead).Unix(),
		})
		return err
	}
	v, err := d.calls.Get(ctx, owner, call.ID(id), 1)
	if err == nil && v.Info.State == call.Active {
		d.notice(call.ID(id))
	}
	return err
}

// run joins every call that is started, one at a time.
func (d *demo) run(ctx context.Context) {
	defer close(d.done)
	stop := func() {}
	for {
		select {
		case <-ctx.Done():
			stop()
			return
		case id := <-d.started:
			stop()
			var err error
			if stop, err = d.play(ctx, id); err != nil {
				stop = func() {}
				d.log.Warn("demo tone not played", "call", int64(id), "err", err)
			}
		}
	}
}

// play joins a call as the tone's user and sends the tone until stop.
func (d *demo) play(ctx context.Context, id call.ID) (stop func(), err error) {
	source := rand.Int32N(1<<31-2) + 1
	params, err := tonePayload(source)
	if err != nil {
		return nil, err
	}
	_, err = d.calls.Join(ctx, rpc.Caller{User: d.player}, id, calls.JoinRequest{As: peer.OfUser(d.player), Params: params})
	if err != nil {
		return nil, err
	}
	return d.media.Play(int64(id), uint32(source), slices.Collect(slices.Chunk(tone, toneFrame)), toneTime), nil
}

// tonePayload is the join payload of a participant without a network.
func tonePayload(source int32) ([]byte, error) {
	fingerprint := strings.TrimSuffix(strings.Repeat("00:", 32), ":")
	return json.Marshal(map[string]any{
		"ssrc": source, "ufrag": "tone", "pwd": "nobody-connects-with-this",
		"fingerprints": []map[string]string{{"hash": "sha-256", "setup": "passive", "fingerprint": fingerprint}},
	})
}

func (d *demo) close() {
	if d.cancel == nil {
		return
	}
	d.cancel()
	<-d.done
}
