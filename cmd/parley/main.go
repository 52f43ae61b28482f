// Command parley is a self-hosted group-call server for Telegram's API.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"parley/internal/app"
	"parley/internal/load"
)

// cli is the command line; every flag is an environment variable, too.
type cli struct {
	Serve serve   `cmd:"" help:"Run the server."`
	Load  loadCmd `cmd:"" help:"Put load on a server and measure what it costs."`

	LoadBaseline struct{} `cmd:"" hidden:"" help:"Run the SFU that parley load compares with."`
}

// maxWait is the longest --media-wait: calls suffer beyond.
const maxWait = 100 * time.Millisecond

type serve struct {
	Dev      bool          `env:"PARLEY_DEV" help:"Sign in with test phones (99966XYYYY, code X five times) and any bot token; make a demo world."`
	Data     string        `env:"PARLEY_DATA" default:"./data" help:"Directory of keys, the database and client.json."`
	Listen   string        `env:"PARLEY_LISTEN" default:":8080" placeholder:"HOST:PORT" help:"TCP address of MTProto, WebSocket and HTTP."`
	Media    string        `env:"PARLEY_MEDIA" default:":8080" placeholder:"HOST:PORT" help:"UDP address of media."`
	Wait     time.Duration `name:"media-wait" env:"PARLEY_MEDIA_WAIT" default:"5ms" help:"How long media packets of a busy server may wait to leave together; 0 for never."`
	Loudest  int           `env:"PARLEY_LOUDEST" default:"8" help:"How many voices a participant hears at a time, 1 to 10."`
	PublicIP addresses     `env:"PARLEY_PUBLIC_IP" placeholder:"IP" help:"Address that clients reach this machine at; repeat for several."`
	DB       string        `env:"PARLEY_DB" placeholder:"URL" help:"Database, sqlite:FILE (default: sqlite:DATA/parley.db)."`
	Log      string        `env:"PARLEY_LOG" default:"info" enum:"info,debug" help:"Log level, info or debug."`
}

// addresses are IP addresses, separated by commas; there is no empty list, as
// PARLEY_PUBLIC_IP= would be.
type addresses []netip.Addr

// Decode adds the addresses of one flag or of the environment.
func (l *addresses) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("IP", &text); err != nil {
		return err
	}
	for part := range strings.SplitSeq(text, ",") {
		ip, err := netip.ParseAddr(part)
		if err != nil {
			return fmt.Errorf("%q is no IP address", part)
		}
		*l = append(*l, ip)
	}
	return nil
}

// signals are those that stop the program. Under nohup a closed terminal is
// none of them.
func signals() []os.Signal {
	stop := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		stop = append(stop, syscall.SIGHUP)
	}
	return stop
}

func parser(c *cli) *kong.Kong {
	return kong.Must(c, kong.Name("parley"), kong.Description("A self-hosted group-call server for Telegram's API."),
		kong.Vars{"scenarios": load.Scenarios()})
}

func main() {
	var c cli
	command, err := parser(&c).Parse(os.Args[1:])
	if err != nil {
		fail(fmt.Errorf("%w (see parley --help)", err))
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals()...)
	defer stop()
	switch command.Command() {
	case "load":
		err = c.Load.run(ctx)
	case "load-baseline":
		err = load.RunBaseline(ctx, os.Stdin, os.Stdout)
	default:
		err = run(ctx, c.Serve)
	}
	if err != nil {
		stop()
		fail(err)
	}
}

func run(ctx context.Context, s serve) error {
	if s.Wait < 0 || s.Wait > maxWait {
		return fmt.Errorf("%w: --media-wait %v is not in 0..%v", app.ErrSetting, s.Wait, maxWait)
	}
	if s.Loudest < 1 || s.Loudest > app.MostLoudest {
		return fmt.Errorf("%w: --loudest %d is not in 1..%d", app.ErrSetting, s.Loudest, app.MostLoudest)
	}
	procs := runtime.GOMAXPROCS(0)
	if s.Wait > 0 {
		runtime.GOMAXPROCS(2 * procs) // shards that wait keep theirs: udp.Nap
	}
	a, err := app.New(ctx, app.Config{
		Dev: s.Dev, Data: s.Data, Listen: s.Listen, Media: s.Media, MediaWait: s.Wait, Shards: procs, Loudest: s.Loudest,
		PublicIPs: s.PublicIP, DB: s.DB, Debug: s.Log == "debug", Out: os.Stdout, Log: os.Stderr,
	})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// fail prints one line that says what to do and exits: 2 for a wrong setting,
// 1 for everything else.
func fail(err error) {
	fmt.Fprintln(os.Stderr, "parley:", err)
	var parse *kong.ParseError
	if errors.As(err, &parse) || errors.Is(err, app.ErrSetting) || errors.Is(err, load.ErrSetting) {
		os.Exit(2)
	}
	os.Exit(1)
}
