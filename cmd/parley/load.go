package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"parley/internal/load"
)

const defaultSeconds = 5

// loadCmd measures a server under load. Numbers that are not given are the
// scenario's.
type loadCmd struct {
	Scenario    string `default:"A2" help:"What to measure: ${scenarios}."`
	ClientJSON  string `name:"client-json" default:"./data/client.json" placeholder:"FILE" help:"client.json of the server, which runs with --dev (default: ./data/client.json)."`
	Server      string `placeholder:"URL" help:"Address of the server's JSON API, instead of client.json."`
	PID         int    `name:"pid" help:"Process of the server (default: whoever listens there)."`
	Seconds     *int   `help:"Length of a window, 1 to 120 s (default: 5); a storm of joins takes its time."`
	Windows     int    `default:"3" help:"Windows to measure."`
	Baseline    bool   `help:"Measure a bare pion SFU in turns with the server, and print the ratio; videos have one layer."`
	Feedback    bool   `help:"Receivers send RTCP: reports, transport-wide feedback, NACK."`
	Listen      bool   `help:"Participants, at most 1900, hear updates over WebSockets."`
	AllowRemote bool   `help:"Allow a server that is not this machine."`
	JSON        bool   `name:"json" help:"Print one line of JSON per window."`
	Rooms       *int   `help:"Calls at a time."`
	Publishers  *int   `help:"Publishers in each call."`
	Listeners   *int   `help:"Listeners in each call."`
	Size        *int   `help:"Bytes of an audio packet's payload."`
	Kbps        *int   `help:"Bit rate of a video's best layer."`
	Layers      *int   `help:"Simulcast layers of a video."`
	Loudest     *int   `help:"How many voices the server forwards to one participant, as it was told by its own --loudest."`
}

// config returns the scenario, and how long its windows are, with what was given.
func (l loadCmd) config() (load.Config, error) {
	c := load.Config{
		PID: l.PID, Seconds: defaultSeconds, Windows: l.Windows,
		AllowRemote: l.AllowRemote, Feedback: l.Feedback, Listen: l.Listen, Progress: os.Stderr,
	}
	var err error
	if c.Scenario, err = load.Find(l.Scenario); err != nil {
		return c, err
	}
	s := &c.Scenario
	for _, o := range []struct {
		name     string
		to, from *int
		useless  bool
	}{
		{"rooms", &s.Rooms, l.Rooms, false},
		{"publishers", &s.Publishers, l.Publishers, false},
		{"listeners", &s.Listeners, l.Listeners, false},
		{"size", &s.Size, l.Size, s.Video},
		{"kbps", &s.Kbps, l.Kbps, !s.Video},
		{"layers", &s.Layers, l.Layers, !s.Video},
		{"loudest", &s.Loudest, l.Loudest, s.Video},
		{"seconds", &c.Seconds, l.Seconds, false},
	} {
		switch {
		case o.from == nil:
		case o.useless:
			return c, fmt.Errorf("%w: --%s changes nothing about %s", load.ErrSetting, o.name, s)
		default:
			*o.to = *o.from
		}
	}
	return c, nil
}

// server returns the address of the JSON API.
func (l loadCmd) server() (string, error) {
	if l.Server != "" {
		return l.Server, nil
	}
	var client struct {
		HTTP string `json:"http"`
	}
	b, err := os.ReadFile(l.ClientJSON)
	if err == nil {
		if err = json.Unmarshal(b, &client); err != nil || client.HTTP == "" {
			err = fmt.Errorf("%s is no server's client.json", l.ClientJSON)
		}
	}
	if err != nil {
		return "", fmt.Errorf("%w: no server: %w; start one with parley serve --dev, or pass --client-json or --server", load.ErrSetting, err)
	}
	return client.HTTP, nil
}

func (l loadCmd) run(ctx context.Context) error {
	cfg, err := l.config()
	if err != nil {
		return err
	}
	if cfg.Server, err = l.server(); err != nil {
		return err
	}
	if l.Baseline {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find own program: %w", err)
		}
		cfg.Baseline = []string{self, "load-baseline"}
	}
	var windows []load.Window
	cfg.Each = func(w load.Window) {
		windows = append(windows, w)
		if l.JSON {
			_ = json.NewEncoder(os.Stdout).Encode(w)
		}
	}
	if err := load.Run(ctx, cfg); err != nil {
		return err
	}
	out := os.Stdout
	if l.JSON {
		out = os.Stderr
	}
	_, err = fmt.Fprint(out, load.Summary(windows))
	return err
}
