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
	"time"
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
		if !(w.P50 > 0 && w.P99 >= w.P50) || w.CPU <= 0 {
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
		if heard := float64(w.Pushes) * float64(w.Joins); listen && !(heard >= 5) || !listen && w.Pushes.known() {
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

// TestWrongLoudest says what the server forwards instead of counting losses, or
// more than all.
func TestWrongLoudest(t *testing.T) {
	t.Parallel()
	for _, n := range []int{5, 9} {
		s := tiny(t, "A1")
		s.Publishers, s.Listeners, s.Loudest = 10, 3, n
		err := Run(t.Context(), Config{Scenario: s, Server: serve(t), Seconds: 1, Windows: 1})
		if !errors.Is(err, ErrSetting) || !strings.Contains(err.Error(), "8 of the loudest") || !strings.Contains(err.Error(), "--loudest 8") {
			t.Errorf("--loudest %d: %v", n, err)
		}
	}
}

// TestVoices tells another number of voices from loss.
func TestVoices(t *testing.T) {
	s := Scenario{Rooms: 1, Publishers: 10, Listeners: 40, Loudest: 8} // 50 hear 8
	for received, want := range map[int64]int{
		20_000: 8, 19_990: 8, 20_010: 8, 19_000: 8, 17_500: 7, 17_495: 7, 10_000: 4, 9_000: 8, 0: 8,
		20_500: 9, 22_500: 9, 24_000: 10, 30_000: 8,
	} {
		if n := s.voices(received, 50); n != want {
			t.Errorf("%d received: %d voices, want %d", received, n, want)
		}
	}
	s.Publishers = 4 // 40 hear 4, 4 hear 3
	for _, received := range []int64{172 * 50, 172*50 - 1, 172*50 + 1} {
		if n := s.voices(received, 50); n != 8 {
			t.Errorf("%d received of few: %d voices", received, n)
		}
	}
}

func TestStorm(t *testing.T) {
	t.Parallel()
	s := tiny(t, "J1")
	s.Publishers = 1
	w := run(t, serve(t), Config{Scenario: s})
	if b, err := json.Marshal(w); err != nil || !strings.Contains(string(b), `"lost":null`) {
		t.Errorf("%s, %v", b, err)
	}
	if w.Joins != 4 || !(w.JoinRate > 0) || w.JoinCPU <= 0 || !(w.Late > 0) {
		t.Errorf("storm: %+v", w)
	}
	s.Publishers = 0
	if w = run(t, serve(t), Config{Scenario: s}); w.Late.known() {
		t.Errorf("nobody was %s ms late", w.Late)
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
		"crowd":         {func(c *Config) { c.Scenario.Listeners = 1999 }, "2001 participants"},
		"small":         {func(c *Config) { c.Scenario.Size = 31 }, "--size"},
		"four layers":   {func(c *Config) { c.Scenario.Layers = 4 }, "--layers"},
		"no publishers": {func(c *Config) { c.Scenario.Publishers = 0 }, "--publishers"},
		"no bits":       {func(c *Config) { c.Scenario.Video = true }, "--kbps"},
		"two layers": {func(c *Config) {
			c.Scenario.Video, c.Scenario.Kbps, c.Scenario.Layers = true, 500, 2
			c.Baseline = []string{"x"}
		}, "--layers 2"},
		"many ears":    {func(c *Config) { c.Listen, c.Scenario.Listeners = true, maxEars-1 }, "2000 connections of one address"},
		"voices":       {func(c *Config) { c.Scenario.Loudest = 11 }, "--loudest"},
		"no url":       {func(c *Config) { c.Server = "127.0.0.1:80" }, "--server"},
		"another host": {func(c *Config) { c.Server = "http://192.0.2.1" }, "--allow-remote"},
	} {
		cfg := good
		tt.edit(&cfg)
		err := Run(t.Context(), cfg)
		if !errors.Is(err, ErrSetting) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Run(t.Context(), good); err == nil || !strings.Contains(err.Error(), "--pid") {
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
	b, err := json.Marshal(Window{Scenario: "A2", Server: "parley", PPS: 1.23456, CPU: figure(math.NaN()), JoinCPU: figure(math.NaN())})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"scenario", "server", "pps", "cpu_us_per_packet", "lost", "p50_ms", "p99_ms", "rss_bytes_per_participant",
		"cpu_ms_per_join", "pushes_per_join", "joins_per_second", "publishers_late_ms",
	} {
		if _, ok := got[key]; !ok {
			t.Errorf("no %s in %v", key, slices.Sorted(maps.Keys(got)))
		}
	}
	if got["pps"] != 1.235 || got["cpu_us_per_packet"] != nil || got["cpu_ms_per_join"] != nil || got["pushes_per_join"] != 0.0 {
		t.Error(got)
	}
}

func TestSummaryRatio(t *testing.T) {
	var all []Window
	for _, cpu := range []figure{4, 5, 90} {
		all = append(all, Window{Scenario: "A2", Server: "baseline", CPU: 2 * cpu}, Window{Scenario: "A2", Server: "parley", CPU: cpu, Lost: 1, Expected: 100})
	}
	got := Summary(all)
	for _, want := range []string{"median of 3", "5.00 us", "10.00 us", "3 of 300 lost", "costs 0.50 of"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
}

// TestNoRatio compares only what was measured and did the same work.
func TestNoRatio(t *testing.T) {
	unknown := figure(math.NaN())
	for name, tt := range map[string]struct {
		parley, baseline Window
		says             string
	}{
		"parley lost":   {Window{CPU: 1, Lost: 11, Expected: 1000}, Window{CPU: 2, Expected: 1000}, "not compared: parley lost 11 of 1000 packets\n"},
		"baseline lost": {Window{CPU: 1, Expected: 1000}, Window{CPU: 2, Lost: 900, Expected: 1000}, "not compared: baseline lost 900 of 1000 packets\n"},
		"both lost": {
			Window{CPU: 1, Lost: 11, Expected: 1000},
			Window{CPU: 2, Lost: 12, Expected: 1000},
			"not compared: parley lost 11 of 1000 packets; baseline lost 12 of 1000 packets\n",
		},
		"little CPU":      {Window{CPU: unknown, Expected: 1000}, Window{CPU: 2, Expected: 1000}, ", - us CPU each"},
		"little of joins": {Window{Joins: 4, JoinCPU: 2}, Window{Joins: 4, JoinCPU: unknown}, ", - ms CPU each"},
	} {
		tt.parley.Server, tt.baseline.Server = "parley", "baseline"
		got := Summary([]Window{tt.parley, tt.baseline})
		if !strings.Contains(got, tt.says) || strings.Contains(got, "costs") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestSpent takes few clock ticks for no measure.
func TestSpent(t *testing.T) {
	at := func(cpu time.Duration) reading { return reading{usage: usage{cpu: cpu}, measured: true} }
	if got := at(time.Second + 30*time.Millisecond).spent(at(time.Second)); got != 30_000 {
		t.Errorf("three ticks: %s us", got)
	}
	for _, d := range []time.Duration{0, 20 * time.Millisecond} {
		if got := at(time.Second + d).spent(at(time.Second)); got.known() {
			t.Errorf("%s: %s us", d, got)
		}
	}
	if got := (reading{}).spent(reading{}); got.known() {
		t.Errorf("of no process: %s us", got)
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
