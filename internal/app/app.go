// Package app wires Parley's parts into one server. New builds them lowest
// first and can be read from top to bottom; Run serves until its context ends.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"parley/internal/api"
	"parley/internal/calls"
	"parley/internal/directory"
	"parley/internal/gateway"
	"parley/internal/mtproto"
	"parley/internal/peer"
	"parley/internal/sfu"
	"parley/internal/store"
	"parley/internal/tg"
	"parley/internal/updates"
	"parley/internal/web"
)

// ErrSetting marks what the operator has to change: a flag, the environment or
// the data directory.
var ErrSetting = errors.New("wrong setting")

// dcID is the data centre this server is when a client does not say which.
const dcID = 2

// MostLoudest is the most voices that clients play at a time.
const MostLoudest = sfu.MostLoudest

// Config is what an operator sets.
type Config struct {
	Dev       bool          // test sign-in and a demo world
	Data      string        // directory of keys, database and client.json
	Listen    string        // HOST:PORT of TCP
	Media     string        // HOST:PORT of UDP
	MediaWait time.Duration // how long packets of a busy server may wait to leave together
	Shards    int           // of the media server; 0: one for each processor
	Loudest   int           // how many voices a participant hears at a time; 0: 8
	PublicIPs []netip.Addr  // addresses clients are told; none: those of this machine
	DB        string        // sqlite:FILE; empty: parley.db in Data
	Debug     bool
	Out       io.Writer // where the start is announced
	Log       io.Writer // nil: nothing is logged
}

// Addrs is where a server listens.
type Addrs struct {
	TCP   netip.AddrPort
	Media netip.AddrPort
}

// App is one server.
type App struct {
	cfg      Config
	log      *slog.Logger
	dirLock  *fileLock
	dbLock   *fileLock
	secrets  *secrets
	listener net.Listener
	db       *store.DB
	dir      *directory.Service
	updates  *updates.Service
	calls    *calls.Service
	media    *sfu.Server
	mtproto  *mtproto.Server
	json     *gateway.Gateway
	demo     *demo // nil without Dev
	stop     context.CancelFunc
	draining atomic.Bool
}

// New opens the data directory, binds the sockets and wires the parts. Nothing
// is answered before Run, which also ends what New began.
func New(ctx context.Context, cfg Config) (*App, error) {
	a := &App{cfg: cfg, log: newLogger(cfg.Log, cfg.Debug)}
	if err := a.open(ctx); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func newLogger(w io.Writer, debug bool) *slog.Logger {
	if w == nil {
		return slog.New(slog.DiscardHandler)
	}
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	return slog.New(newLogLimit(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})))
}

// network returns what to bind an address in: for 0.0.0.0, Go would bind all of
// IPv6, too.
func network(address string) string {
	if at, err := netip.ParseAddrPort(address); err == nil && at.Addr().Is4() {
		return "tcp4"
	}
	return "tcp"
}

// open builds every part, lowest first.
func (a *App) open(ctx context.Context) (err error) {
	if err = a.cfg.check(); err != nil {
		return err
	}
	if a.dirLock, err = openDir(a.cfg.Data); err != nil {
		return err
	}
	if a.secrets, err = loadSecrets(a.cfg.Data); err != nil {
		return err
	}
	if a.listener, err = new(net.ListenConfig).Listen(ctx, network(a.cfg.Listen), a.cfg.Listen); err != nil {
		return fmt.Errorf("%w: --listen %s can't be bound (%w); name a free HOST:PORT", ErrSetting, a.cfg.Listen, err)
	}
	if err = a.openDB(ctx); err != nil {
		return err
	}
	hasher := peer.NewHasher(a.secrets.hashes)
	if err = a.openServices(ctx, hasher); err != nil {
		return err
	}
	if err = a.openFront(hasher); err != nil {
		return err
	}
	if a.cfg.Dev {
		return a.demo.open(ctx)
	}
	return nil
}

// check refuses addresses without a port, and those that no client can send to.
func (c Config) check() error {
	for _, f := range []struct{ flag, addr string }{{"listen", c.Listen}, {"media", c.Media}} {
		if _, port, err := net.SplitHostPort(f.addr); f.addr == "" || err == nil && port == "" {
			return fmt.Errorf("%w: --%s %q names no port; name HOST:PORT", ErrSetting, f.flag, f.addr)
		}
	}
	for _, ip := range c.PublicIPs {
		if !ip.IsValid() || ip.Unmap().IsUnspecified() || ip.IsMulticast() || ip.Unmap().IsMulticast() {
			return fmt.Errorf("%w: --public-ip %s is no address of a machine; name the one that clients reach this machine at", ErrSetting, ip)
		}
	}
	return nil
}

// dbURL returns the database's URL: a file of the data directory when none is
// set.
func (a *App) dbURL() string {
	if a.cfg.DB == "" {
		return "sqlite:" + a.path("parley.db")
	}
	return a.cfg.DB
}

// openDB locks and opens the database.
func (a *App) openDB(ctx context.Context) (err error) {
	url := a.dbURL()
	if a.dbLock, err = lockDB(url); err != nil {
		return err
	}
	if err = a.checkEmpty(url); err != nil {
		return err
	}
	a.db, err = store.Open(ctx, url, a.secrets.seal)
	switch {
	case err == nil:
		a.dbLock.mark()
		return nil
	case errors.Is(err, store.ErrSecret):
		return fmt.Errorf("%w: --db %s was made with another secret than %s; restore the one that belongs to it, or name another database",
			ErrSetting, url, a.path("secret"))
	case store.NoSpace(err):
		return fmt.Errorf("%w: --db %s can't be used (%w); the disk may be full or broken: free space on it", ErrSetting, url, err)
	case store.Damaged(err):
		return fmt.Errorf("%w: --db %s is damaged (%w); restore a copy, or name another file or --data directory", ErrSetting, url, err)
	}
	return fmt.Errorf("%w: --db %s can't be used (%w); name sqlite:FILE, a file that can be written", ErrSetting, url, err)
}

// checkEmpty refuses an empty file that was a database, and tells of one that
// may have been: a crash at the first start leaves such a file, too.
func (a *App) checkEmpty(url string) error {
	file, err := os.Stat(strings.TrimPrefix(url, "sqlite:"))
	empty := err == nil && file.Size() == 0 // opening it tells what else is wrong
	switch {
	case !empty:
		return nil
	case a.dbLock.marked():
		return fmt.Errorf("%w: --db %s is empty, and was not before; restore a copy, or remove it and %s to begin anew",
			ErrSetting, url, a.path("secret"))
	case !a.secrets.isNew:
		a.log.Warn("database is empty but the secret is not new; if it was not empty before, restore a copy", "db", url)
	}
	return nil
}

// openFront builds what clients talk to.
func (a *App) openFront(hasher peer.Hasher) (err error) {
	at := a.Addrs().TCP
	methods := api.New(api.Config{
		Directory: a.dir, Updates: a.updates, Calls: a.calls, Hasher: hasher, Log: a.log,
		DC: dcID, Host: a.hostAddr(at), Port: int(at.Port()),
		SignedOut: func(key int64) { a.mtproto.DropKey(key) }, Draining: a.draining.Load,
	})
	mux := http.NewServeMux()
	a.mtproto, err = mtproto.New(mtproto.Config{
		RSA: a.secrets.rsa, Secret: a.secrets.mtproxy, Keys: a.db, Handler: methods, MinLayer: tg.MinLayer, HTTP: mux, Log: a.log,
	})
	if err != nil {
		return fmt.Errorf("open the front: %w", err)
	}
	a.json = gateway.New(methods, a.secrets.tokens, a.log)
	a.routes(mux)
	return nil
}

// openServices builds the services and the media server, and makes them known
// to each other. They live until close.
func (a *App) openServices(ctx context.Context, hasher peer.Hasher) (err error) {
	var live context.Context
	live, a.stop = context.WithCancel(context.WithoutCancel(ctx))
	a.dir = directory.New(directory.Config{
		Store: a.db, Codes: directory.LogCodes(a.log), Hasher: hasher, Log: a.log, Dev: a.cfg.Dev,
	})
	a.updates = updates.Start(live, updates.Config{Peers: a.dir, Log: a.db, Dialogs: a.db, Hasher: hasher, Logger: a.log})
	a.calls = calls.New(calls.Config{Store: a.db, Hasher: hasher, Log: a.log})
	a.dir.Connect(directory.Links{Publisher: a.updates, Calls: a.calls})
	a.media, err = sfu.Start(live, sfu.Config{
		Listen: a.cfg.Media, PublicIPs: a.cfg.PublicIPs, Listener: a.calls, Log: a.log,
		Wait: a.cfg.MediaWait, Shards: a.cfg.Shards, Loudest: a.cfg.Loudest,
	})
	if err != nil {
		return fmt.Errorf("%w: --media %s can't be bound (%w); name a free HOST:PORT", ErrSetting, a.cfg.Media, err)
	}
	links := calls.Links{Directory: a.dir, Publisher: a.updates, Media: a.media}
	if a.cfg.Dev {
		a.demo = newDemo(a.updates, a.dir, a.calls, a.media, a.log)
		links.Publisher = a.demo
	}
	a.calls.Connect(links)
	return a.calls.Open(live)
}

// routes is all that is answered over HTTP.
func (a *App) routes(mux *http.ServeMux) {
	for _, path := range []string{"/apiws", "/apiws_test", "/apiws_premium", "/apiws_test_premium"} {
		mux.Handle(path, a.mtproto.WebSocket())
	}
	mux.Handle("/api", a.mtproto.PlainHTTP())
	mux.Handle("/apiw1", a.mtproto.PlainHTTP())
	a.json.Register(mux)
	mux.Handle("GET /healthz", web.Health(a.ready))
	mux.Handle("GET /metrics", web.Metrics(a.figures))
	web.Profiles(mux)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "This is Parley, a group-call server for Telegram's API. /healthz, /metrics, /api/METHOD, /apiws\n")
	})
}

// Why the server takes no part.
var (
	errDraining = errors.New("draining")
	errDatabase = errors.New("the database can't be written")
)

// healthTime bounds a check of health.
const healthTime = 5 * time.Second

func (a *App) ready() error {
	if a.draining.Load() {
		return errDraining
	}
	ctx, stop := context.WithTimeout(context.Background(), healthTime)
	defer stop()
	if err := a.db.Health(ctx); err != nil {
		a.log.Warn("database can't be written", "err", err)
		return errDatabase
	}
	return nil
}

// Addrs returns where the server listens.
func (a *App) Addrs() Addrs {
	at := Addrs{}
	if tcp, ok := a.listener.Addr().(*net.TCPAddr); ok {
		at.TCP = tcp.AddrPort()
	}
	if a.media != nil {
		at.Media = a.media.Addr()
	}
	return at
}

// Run serves until ctx ends, then drains: nobody joins a call any more, running
// requests are answered and sessions told to go, and what is committed stays.
// Nothing listens when it returns.
func (a *App) Run(ctx context.Context) error {
	defer a.close()
	if err := a.writeClientFile(); err != nil {
		return err
	}
	defer a.removeClientFile()
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		a.draining.Store(true)
		a.json.Close()
		stop()
	})()
	at := a.Addrs()
	if a.cfg.Dev && !at.TCP.Addr().Unmap().IsLoopback() {
		a.log.Warn("anyone who reaches this address can sign in as anybody; --listen 127.0.0.1:8080 keeps it to this machine", "listen", at.TCP)
	}
	_, _ = fmt.Fprintf(a.cfg.Out, "parley listens on %s (MTProto, WebSocket, HTTP) and %s (media); clients: %s\n",
		at.TCP, at.Media, a.path(clientName))
	if err := a.mtproto.Serve(serving, a.listener); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// close ends all parts, the last one first.
func (a *App) close() {
	if a.json != nil {
		a.json.Close()
	}
	if a.mtproto != nil {
		a.mtproto.Close()
	}
	if a.demo != nil {
		a.demo.close()
	}
	if a.calls != nil {
		a.calls.Close()
	}
	if a.media != nil {
		a.media.Close()
	}
	if a.updates != nil {
		a.stop()
		<-a.updates.Done()
	}
	if a.db != nil {
		if err := a.db.Close(); err != nil {
			a.log.Error("database not closed", "err", err)
		}
	}
	if a.listener != nil {
		_ = a.listener.Close() // Serve has closed it already, if it ran
	}
	a.dbLock.close()
	a.dirLock.close()
}
