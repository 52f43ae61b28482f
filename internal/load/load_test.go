package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// tiny is a scenario that a busy machine can stand.
func tiny(t *testing.T, name string) Scenario {
	t.Helper()
	s, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	s.Rooms, s.Publishers, s.Listeners = 1, 2, 4
	return s
}

// TestEveryPacketArrives runs 2 x 4 for two seconds against a real server and
// the baseline.
func TestEveryPacketArrives(t *testing.T) {
	t.Parallel()
	var windows []Window
	var progress bytes.Buffer
	err := Run(t.Context(), Config{
		Scenario: tiny(t, "A2"), Server: serve(t), Seconds: 2, Windows: 1, Baseline: baselineCommand(t),
		Progress: &progress, Each: func(w Window) { windows = append(windows, w) },
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	if len(windows) != 2 {
		t.Fatalf("%d windows", len(windows))
	}
	for _, w := range windows {
		// 4 listeners get 2 streams, 2 publishers 1, of 50 packets a second
		if want := int64(2 * 50 * (4*2 + 2*1)); w.Expected != want || w.Received != want || w.Lost != 0 || w.Broken != 0 {
			t.Errorf("%s: got %d of %d packets, %d lost, %d broken; want %d", w.Server, w.Received, w.Expected, w.Lost, w.Broken, want)
		}
		if !(w.P50 > 0 && w.P99 >= w.P50 && w.CPU >= 0) {
			t.Errorf("%s: %s", w.Server, w)
		}
	}
	if s := Summary(windows); !strings.Contains(s, "A2 parley") || !strings.Contains(s, "A2 baseline") {
		t.Error(s)
	}
}

// TestFeedbackHarmsNobody lets all receivers report.
func TestFeedbackHarmsNobody(t *testing.T) {
	t.Parallel()
	w := run(t, serve(t), Config{Scenario: tiny(t, "A2"), Feedback: true})
	if want := int64(50 * (4*2 + 2*1)); w.Received != want || w.Lost != 0 || w.Broken != 0 {
		t.Errorf("got %d of %d packets, want %d", w.Received, w.Expected, want)
	}
}

// TestListen lets four join while everybody listens: all but themselves are told
// of the last at least.
func TestListen(t *testing.T) {
	t.Parallel()
	server := serve(t)
	for _, listen := range []bool{false, true} {
		w := run(t, server, Config{Scenario: tiny(t, "J1"), Listen: listen})
		if heard := float64(w.Pushes) * float64(w.Joins); listen && heard < 5 || !listen && heard != 0 {
			t.Errorf("listening %v: %v pushes", listen, heard)
		}
	}
}

// TestRooms keeps rooms apart.
func TestRooms(t *testing.T) {
	t.Parallel()
	s := tiny(t, "S1")
	s.Rooms, s.Publishers, s.Listeners = 2, 2, 1
	w := run(t, serve(t), Config{Scenario: s})
	if want := int64(2 * 50 * (1*2 + 2*1)); w.Received != want || w.Lost != 0 {
		t.Errorf("got %d of %d packets, want %d", w.Received, w.Expected, want)
	}
}

// TestLoudest expects what the server forwards when more speak than a client
// can play.
func TestLoudest(t *testing.T) {
	t.Parallel()
	s := tiny(t, "A1")
	s.Publishers, s.Listeners = 10, 3
	w := run(t, serve(t), Config{Scenario: s})
	if want := int64(50 * 13 * 8); w.Received != want || w.Lost != 0 {
		t.Errorf("got %d of %d packets, want %d", w.Received, w.Expected, want)
	}
}

func TestStorm(t *testing.T) {
	t.Parallel()
	s := tiny(t, "J1")
	s.Publishers = 1
	w := run(t, serve(t), Config{Scenario: s})
	if w.Joins != 4 || !(w.JoinRate > 0) || !(w.JoinCPU >= 0) {
		t.Errorf("storm: %+v", w)
	}
}

// run measures one window of a second.
func run(t *testing.T, server string, cfg Config) (w Window) {
	t.Helper()
	cfg.Server, cfg.Seconds, cfg.Windows, cfg.Each = server, 1, 1, func(got Window) { w = got }
	if err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestVideoArrives shows two videos to four viewers who ask for them.
func TestVideoArrives(t *testing.T) {
	t.Parallel()
	for _, layers := range []int{1, 3} {
		s := tiny(t, "V3")
		s.Kbps, s.Layers = 500, layers
		w := run(t, serve(t), Config{Scenario: s, Feedback: true})
		if w.Lost != 0 || w.Received == 0 || w.Broken != 0 {
			t.Errorf("%d layers: got %d of %d packets", layers, w.Received, w.Expected)
		}
	}
}

// TestBaselineVideo publishes to the baseline alone.
func TestBaselineVideo(t *testing.T) {
	t.Parallel()
	base, err := startBaseline(t.Context(), baselineCommand(t))
	if err != nil {
		t.Fatal(err)
	}
	defer base.close()
	cfg := Config{Scenario: tiny(t, "V3")}
	side, err := cfg.open(t.Context(), "baseline", newPeers(base.url, cfg.Scenario), base.command.Process.Pid)
	if side != nil {
		defer side.close()
	}
	if err != nil {
		t.Fatal(err)
	}
	w, err := side.crowd.window(t.Context(), side.pid, 1, side.idle)
	if err != nil {
		t.Fatal(err)
	}
	if w.Lost != 0 || w.Received < 2000 || w.Broken != 0 {
		t.Errorf("got %d of %d packets", w.Received, w.Expected)
	}
}

func TestRunRefuses(t *testing.T) {
	good := Config{Scenario: tiny(t, "A1"), Server: "http://127.0.0.1:1", Seconds: 1, Windows: 1}
	for name, tt := range map[string]struct {
		edit func(*Config)
		says string
	}{
		"no seconds":    {func(c *Config) { c.Seconds = 0 }, "--seconds"},
		"long windows":  {func(c *Config) { c.Seconds = 121 }, "--seconds"},
		"no windows":    {func(c *Config) { c.Windows = 0 }, "--windows"},
		"too long":      {func(c *Config) { c.Seconds, c.Windows, c.Baseline = 60, 6, []string{"x"} }, "longer than 10m0s"},
		"crowd":         {func(c *Config) { c.Scenario.Listeners = 1999 }, "--participants"},
		"small":         {func(c *Config) { c.Scenario.Size = 31 }, "--size"},
		"four layers":   {func(c *Config) { c.Scenario.Layers = 4 }, "--layers"},
		"no publishers": {func(c *Config) { c.Scenario.Publishers = 0 }, "--publishers"},
		"no bits":       {func(c *Config) { c.Scenario.Video = true }, "--kbps"},
		"no url":        {func(c *Config) { c.Server = "127.0.0.1:80" }, "--server"},
		"another host":  {func(c *Config) { c.Server = "http://192.0.2.1" }, "--allow-remote"},
	} {
		cfg := good
		tt.edit(&cfg)
		err := Run(t.Context(), cfg)
		if !errors.Is(err, ErrSetting) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Run(t.Context(), good); !errors.Is(err, errNoPID) {
		t.Errorf("nobody listens: %v", err)
	}
}

// TestExpected knows who hears whom.
func TestExpected(t *testing.T) {
	for name, want := range map[string]int{
		"A1": 50 * 8, "A2": 110 * 8, "A3": 410 * 8, "A4": 400, "V1": 100, "V2": 100, "V3": 400, "S1": 20 * (4*4 + 4*3), "J1": 400,
	} {
		s, err := Find(strings.ToLower(name))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.expected(); got != want || s.validate() != nil {
			t.Errorf("%s: %d packets for one, want %d; %v", name, got, want, s.validate())
		}
	}
	if _, err := Find("A9"); !errors.Is(err, ErrSetting) || !strings.Contains(err.Error(), "A1, A2") {
		t.Error(err)
	}
}

func TestWindowJSON(t *testing.T) {
	b, err := json.Marshal(Window{Scenario: "A2", Server: "parley", PPS: 1.23456, CPU: figure(math.NaN()), Lost: -1})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"scenario", "server", "pps", "cpu_us_per_packet", "lost", "p50_ms", "p99_ms", "rss_bytes_per_participant"} {
		if _, ok := got[key]; !ok {
			t.Errorf("no %s in %v", key, slices.Sorted(maps.Keys(got)))
		}
	}
	if got["pps"] != 1.235 || got["cpu_us_per_packet"] != nil || got["lost"] != -1.0 {
		t.Error(got)
	}
}

func TestSummaryRatio(t *testing.T) {
	var all []Window
	for _, cpu := range []figure{4, 5, 90} {
		all = append(all, Window{Scenario: "A2", Server: "baseline", CPU: 2 * cpu}, Window{Scenario: "A2", Server: "parley", CPU: cpu, Lost: 1})
	}
	got := Summary(all)
	for _, want := range []string{"median of 3", "5.00 us", "10.00 us", "3 of 0 lost", "costs 0.50 of"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
}

func TestGuard(t *testing.T) {
	for addr, ok := range map[string]bool{"127.0.0.1": true, "127.3.2.1": true, "::1": true, "192.0.2.1": false, "2001:db8::1": false} {
		a := netip.MustParseAddr(addr)
		if err := (Config{}).guard()(a); (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
		if err := (Config{AllowRemote: true}).guard()(a); err != nil {
			t.Errorf("%s allowed: %v", addr, err)
		}
	}
}
