// Package load puts real clients on a media server and measures what they
// cost it: `parley load` (perf.md 6, "Reproducible in-project").
//
// A crowd of clients joins through the server's JSON API and connects with ICE,
// DTLS and SRTP. Publishers send synthetic media at exact times. Nobody but two
// probes reads what arrives: a filter in the kernel drops it, and the drops are
// counted; of the samples that feedback needs it notes the headers. What is no
// media waits until it is collected, ten times a second. So neither the load's
// own work nor its wake-ups disturb the server. Its CPU and memory are read from
// /proc. As numbers differ from machine to machine and from hour to hour, a bare
// pion SFU, the baseline, can be measured in turns with it: what lasts is the
// ratio.
package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

const (
	maxTime     = 600 * time.Second // of a whole run
	perWindow   = warmUp + 2*time.Second
	closingTime = 10 * time.Second
	maxEars     = 1900 // a server takes 2000 connections of one address; requests need some, too
)

// Config says what to measure.
type Config struct {
	Scenario    Scenario
	Server      string   // http://host:port of its JSON API
	PID         int      // of the server; 0: whoever listens there
	Seconds     int      // of a window
	Windows     int      // of each server
	Baseline    []string // command that runs ServeBaseline; nil: no baseline
	AllowRemote bool
	Feedback    bool // receivers send RTCP
	Listen      bool // participants hear updates
	Progress    io.Writer
	Each        func(Window) // called for every window
}

// validate says what is wrong with a configuration.
func (c Config) validate() error {
	servers := 1
	if c.Baseline != nil {
		servers = 2
	}
	switch {
	case c.Seconds < 1 || c.Seconds > 120:
		return fmt.Errorf("%w: --seconds %d is not in 1..120", ErrSetting, c.Seconds)
	case c.Windows < 1 || c.Windows > 100:
		return fmt.Errorf("%w: --windows %d is not in 1..100", ErrSetting, c.Windows)
	case time.Duration(servers*c.Windows)*(time.Duration(c.Seconds)*time.Second+perWindow) > maxTime:
		return fmt.Errorf("%w: %d x %d windows of %d s take longer than %s", ErrSetting, servers, c.Windows, c.Seconds, maxTime)
	case c.Baseline != nil && c.Scenario.Video && c.Scenario.Layers > 1:
		return fmt.Errorf("%w: --baseline takes one layer of a video, not --layers %d", ErrSetting, c.Scenario.Layers)
	case c.Listen && c.Scenario.Rooms*c.Scenario.seats() > maxEars:
		return fmt.Errorf("%w: --listen takes at most %d participants: a server takes 2000 connections of one address", ErrSetting, maxEars)
	}
	return c.Scenario.validate()
}

// process returns the server's.
func (c Config) process(at netip.AddrPort) (int, error) {
	pid, err := findPID(at)
	switch {
	case c.PID == 0:
		return pid, err
	case err == nil && pid != c.PID:
		return 0, fmt.Errorf("%w: --pid %d: it is process %d that listens on %s", ErrSetting, c.PID, pid, at)
	}
	return c.PID, nil // who can't be found may be named
}

var errTime = errors.New("load: took longer than it may")

// Run measures the windows asked for, in turns if there is a baseline.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, maxTime, errTime)
	defer cancel()
	at, err := serverAddr(cfg.Server)
	if err != nil {
		return err
	}
	guard := cfg.guard()
	if err = guard(at.Addr()); err != nil {
		return err
	}
	if isHere(at.Addr()) {
		if cfg.PID, err = cfg.process(at); err != nil {
			return err
		}
	}
	if !canShare() {
		cfg.say("costs read some per cent too high: sockets can't share a filter without the rights of root")
	}
	var sides []*side
	defer func() {
		for _, s := range sides {
			s.close()
		}
	}()
	open := func(name string, t target, pid int) error {
		s, err := cfg.open(ctx, name, t, pid)
		if s != nil {
			sides = append(sides, s)
		}
		return err
	}
	if cfg.Baseline != nil {
		base, err := startBaseline(ctx, cfg.Baseline)
		if err != nil {
			return err
		}
		defer base.close()
		if err = open("baseline", newPeers(base.url, cfg.Scenario), base.command.Process.Pid); err != nil {
			return err
		}
	}
	if err = open("parley", newParley(cfg.Server, cfg.Scenario, cfg.Listen), cfg.PID); err != nil {
		return err
	}
	for i := range cfg.Windows {
		for _, s := range sides {
			if err := s.measure(ctx, cfg, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// side is one of the servers that are compared.
type side struct {
	name  string
	crowd *crowd
	pid   int
	idle  usage // before anybody joined
	stop  context.CancelFunc
	kept  chan struct{}
}

// open fills the rooms of a server; of a storm only the publishers are there.
// The side is to be closed even after an error.
func (c Config) open(ctx context.Context, name string, t target, pid int) (*side, error) {
	crowd, err := newCrowd(c.Scenario, t, c.Feedback, c.guard())
	if err != nil {
		return nil, err
	}
	keep, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &side{name: name, crowd: crowd, pid: pid, stop: stop, kept: make(chan struct{})}
	go func() { defer close(s.kept); crowd.keep(keep) }()
	c.say("%s: preparing %d participants", name, c.Scenario.Rooms*c.Scenario.seats())
	if err = t.prepare(ctx); err != nil {
		return s, err
	}
	if pid != 0 {
		if s.idle, err = readUsage(pid); err != nil {
			return s, err
		}
	}
	start := time.Now()
	err = crowd.enter(ctx, 0, c.Scenario.Publishers)
	if err == nil && !c.Scenario.Storm {
		err = crowd.enter(ctx, c.Scenario.Publishers, c.Scenario.seats())
	}
	if err != nil {
		return s, err
	}
	c.say("%s: %d clients connected in %.1f s", name, len(crowd.all()), time.Since(start).Seconds())
	return s, nil
}

// measure measures one window.
func (s *side) measure(ctx context.Context, cfg Config, i int) (err error) {
	var w Window
	if cfg.Scenario.Storm {
		w, err = s.crowd.storm(ctx, s.pid, s.idle)
	} else {
		w, err = s.crowd.window(ctx, s.pid, cfg.Seconds, s.idle)
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("measure %s: %w", s.name, err)
	}
	w.Server = s.name
	cfg.say("%s: window %d of %d: %s", s.name, i+1, cfg.Windows, w)
	if cfg.Each != nil {
		cfg.Each(w)
	}
	return nil
}

func (s *side) close() {
	s.stop()
	<-s.kept
	ctx, cancel := context.WithTimeout(context.Background(), closingTime)
	defer cancel()
	s.crowd.close(ctx)
}

// say reports progress.
func (c Config) say(format string, args ...any) {
	if c.Progress != nil {
		_, _ = fmt.Fprintf(c.Progress, format+"\n", args...)
	}
}

// serverAddr resolves the address of a server's JSON API.
func serverAddr(server string) (netip.AddrPort, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return netip.AddrPort{}, fmt.Errorf("%w: --server %q is not http://HOST:PORT", ErrSetting, server)
	}
	port := u.Port()
	if port == "" {
		port = strconv.Itoa(80)
	}
	a, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: --server %s: %w", ErrSetting, server, err)
	}
	at := a.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), nil
}

// guard refuses addresses of other machines unless they are allowed: load is
// for one's own servers.
func (c Config) guard() func(netip.Addr) error {
	return func(a netip.Addr) error {
		if c.AllowRemote || isHere(a) {
			return nil
		}
		return fmt.Errorf("%w: %s is not this machine; load on others needs --allow-remote", ErrSetting, a)
	}
}

// isHere tells whether packets to an address stay on this machine.
func isHere(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	all, _ := net.InterfaceAddrs()
	for _, i := range all {
		if n, ok := i.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == a {
				return true
			}
		}
	}
	return false
}
