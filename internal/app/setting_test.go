package app_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/internal/app"
)

// TestSettings checks that what an operator got wrong is told in one line
// that names it, and that nothing is left open.
func TestSettings(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "no database")
	running := start(t, config(dataDir(t)))
	used := filepath.Join(running.dir, "parley.db")
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(used, link); err != nil {
		t.Fatal(err)
	}
	strange := filepath.Join(t.TempDir(), "strange.db")
	made := config(dataDir(t))
	made.DB = "sqlite:" + strange
	start(t, made).stop()
	torn := filepath.Join(t.TempDir(), "torn.db")
	whole, err := os.ReadFile(strange)
	if err != nil {
		t.Fatal(err)
	}
	write(t, torn, string(whole[:4096])+strings.Repeat("x", len(whole)-4096))
	lost := dataDir(t)
	start(t, config(lost)).stop()
	if err := os.Truncate(filepath.Join(lost, "parley.db"), 0); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(c *app.Config)
		says   string
	}{
		"listen":         {func(c *app.Config) { c.Listen = "nowhere" }, "--listen nowhere"},
		"listen empty":   {func(c *app.Config) { c.Listen = "" }, `--listen "" names no port`},
		"listen no port": {func(c *app.Config) { c.Listen = "127.0.0.1:" }, `--listen "127.0.0.1:" names no port`},
		"media empty":    {func(c *app.Config) { c.Media = "" }, `--media "" names no port`},
		"listen twice":   {func(c *app.Config) { c.Listen = busy.Addr().String() }, "--listen 127"},
		"media":          {func(c *app.Config) { c.Media = "127.0.0.1:99999" }, "--media 127"},
		"data is a file": {func(c *app.Config) { c.Data = file }, "--data " + file},
		"data in a file": {func(c *app.Config) { c.Data = filepath.Join(file, "x") }, "--data " + file},
		"data in use":    {func(c *app.Config) { c.Data = running.dir }, "in use"},
		"data is empty":  {func(c *app.Config) { c.Data = "" }, "--data is empty"},
		"secret damaged": {func(c *app.Config) { write(t, filepath.Join(c.Data, "secret"), "x") }, "damaged"},
		"secret is a directory": {func(c *app.Config) {
			if err := os.Mkdir(filepath.Join(c.Data, "secret"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "can't read"},
		"key damaged":          {func(c *app.Config) { write(t, filepath.Join(c.Data, "server.pem"), "x") }, "server.pem holds no RSA key"},
		"db engine":            {func(c *app.Config) { c.DB = "mysql://localhost" }, "--db mysql://localhost"},
		"db without a path":    {func(c *app.Config) { c.DB = "sqlite:" }, "--db sqlite:"},
		"db is something else": {func(c *app.Config) { c.DB = "sqlite:" + file }, "--db sqlite:" + file + " is damaged"},
		"db damaged":           {func(c *app.Config) { c.DB = "sqlite:" + torn }, "--db sqlite:" + torn + " is damaged"},
		"db lost":              {func(c *app.Config) { c.Data = lost }, "parley.db is empty"},
		"db in use":            {func(c *app.Config) { c.DB = "sqlite:" + used }, "--db sqlite:" + used + " is in use"},
		"db in use by a link":  {func(c *app.Config) { c.DB = "sqlite:" + link }, "is in use"},
		"db of another secret": {func(c *app.Config) { c.DB = "sqlite:" + strange }, "another secret"},
		"public ip of nobody":  {func(c *app.Config) { c.PublicIPs = []netip.Addr{netip.IPv6Unspecified()} }, "--public-ip ::"},
		"public ip of many":    {func(c *app.Config) { c.PublicIPs = []netip.Addr{netip.MustParseAddr("224.0.0.1")} }, "--public-ip 224.0.0.1"},
		"db nowhere":           {func(c *app.Config) { c.DB = "sqlite:" + filepath.Join(file, "x.db") }, "--db sqlite:" + file},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(dataDir(t))
			tt.change(&cfg)
			a, err := app.New(t.Context(), cfg)
			if err == nil {
				t.Fatal("it starts", a.Addrs())
			}
			if !errors.Is(err, app.ErrSetting) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q, want one line about %q", err, tt.says)
			}
			if _, err := os.Stat(filepath.Join(cfg.Data, "client.json")); err == nil && cfg.Data != running.dir {
				t.Error("client.json of a server that does not run")
			}
		})
	}
}

// TestEmptyDatabase starts with what a crash at the first start leaves, which is
// no reason to refuse, and is told if the secret is older.
func TestEmptyDatabase(t *testing.T) {
	const warning = "level=WARN msg=\"database is empty"
	dir := dataDir(t)
	file := filepath.Join(dir, "parley.db")
	write(t, file, "")
	s := start(t, config(dir))
	s.stop()
	if strings.Contains(s.log.String(), warning) {
		t.Errorf("logged beside a new secret: %s", s.log)
	}
	for _, name := range []string{file, file + ".lock"} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	write(t, file, "")
	s = start(t, config(dir))
	s.stop()
	if !strings.Contains(s.log.String(), warning) {
		t.Errorf("logged beside an old secret: %s", s.log)
	}
}

// TestDevWarning starts demo worlds that only this machine reaches, and one
// that others do.
func TestDevWarning(t *testing.T) {
	for listen, want := range map[string]bool{"127.0.0.1:0": false, ":0": true} {
		cfg := config(dataDir(t))
		cfg.Listen = listen
		s := start(t, cfg)
		s.stop()
		if got := strings.Contains(s.log.String(), "level=WARN msg=\"anyone who reaches this address can sign in"); got != want {
			t.Errorf("%s: logged %s", listen, s.log)
		}
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
