package parley_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "parley"

// floors lists every package of the module, lowest floor first. A package
// imports only packages of lower floors, so no two of one floor know each
// other. A last element of "*" stands for any one name.
var floors = [][]string{
	{
		"internal/colibri", "internal/exchange", "internal/loop", "internal/media/*", "internal/mux",
		"internal/peer", "internal/rpc", "internal/tl", "internal/transport",
	},
	{"internal/tg"},
	{"internal/tg/tgtest"},
	{"internal/tg/tgdump"},
	{"internal/call", "internal/message"},
	{"internal/event"},
	{"internal/calls", "internal/directory", "internal/updates"},
	{"internal/api", "internal/gateway", "internal/mtproto", "internal/sfu", "internal/store", "internal/web"},
	{"internal/app", "internal/load"},
	{"cmd/parley"},
}

// pure lists the packages that only think: they do no I/O, start nothing, and
// get time and randomness as arguments.
var pure = []string{
	"internal/call", "internal/colibri", "internal/event", "internal/message", "internal/peer",
	"internal/media/ahead", "internal/media/bwe", "internal/media/cache", "internal/media/h264",
	"internal/media/record", "internal/media/rtcp", "internal/media/rtp",
	"internal/media/sctp", "internal/media/vpx",
}

// worldly lists what a pure package must not import.
var worldly = []string{
	"context", "crypto/rand", "database/sql", "log", "log/slog", "math/rand", "math/rand/v2",
	"net", "net/http", "os", "sync", "sync/atomic",
}

// clock lists the functions of package time that a pure package must not call.
var clock = []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}

// banned lists imports that no file may have, tests included, and why.
var banned = map[string]string{
	"github.com/gotd/td/tg":       "costs 134 CPU seconds to compile; internal/tg has what is served",
	"github.com/gotd/td/telegram": "drags in github.com/gotd/td/tg; clients are tried in e2e",
	"github.com/gotd/td/tgtest":   "drags in github.com/gotd/td/tg; clients are tried in e2e",
	"github.com/pion/webrtc":      "the join payload replaces SDP; use pion's parts",
}

// allowed lists the only places of some banned imports.
var allowed = map[string]string{
	"github.com/pion/webrtc": "internal/load", // the SFU that Parley is compared with
}

// The longest file and function written by hand, in lines.
const maxFile, maxFunc = 600, 80

// source is one Go file of the module.
type source struct {
	dir, name string
	test      bool
	set       *token.FileSet
	file      *ast.File
}

// sources reads the module's files itself, not through the go command: the
// test cache then sees what they are.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (d.Name() == "testdata" || d.Name()[0] == '.' || isModule(name)):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		dir := path.Dir(filepath.ToSlash(name))
		all = append(all, source{dir, name, strings.HasSuffix(name, "_test.go"), set, file})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// isModule tells whether dir is a module of its own, like tools and e2e.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// floor returns the number of the floor that dir stands on, from 1.
func floor(dir string) (int, bool) {
	for i, dirs := range floors {
		for _, pattern := range dirs {
			if ok, _ := path.Match(pattern, dir); ok {
				return i + 1, true
			}
		}
	}
	return 0, false
}

func TestFloors(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		at, ok := floor(s.dir)
		if !ok {
			t.Errorf("%s stands on no floor", s.name)
			continue
		}
		for _, spec := range s.file.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			dir, ours := strings.CutPrefix(imp, module+"/")
			if below, ok := floor(dir); ours && (!ok || below >= at) {
				t.Errorf("%s on floor %d imports %s on floor %d", s.name, at, dir, below)
			}
		}
	}
}

func TestPure(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !slices.Contains(pure, s.dir) {
			continue
		}
		for _, spec := range s.file.Imports {
			if imp, _ := strconv.Unquote(spec.Path.Value); slices.Contains(worldly, imp) {
				t.Errorf("%s only thinks, and imports %s", s.name, imp)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, sel.Sel.Name) {
				t.Errorf("%s only thinks, and calls time.%s", s.set.Position(n.Pos()), sel.Sel.Name)
			}
			return true
		})
	}
}

func TestBannedImports(t *testing.T) {
	for _, s := range sources(t) {
		for _, spec := range s.file.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			for ban, why := range banned {
				if (imp == ban || strings.HasPrefix(imp, ban+"/")) && s.dir != allowed[ban] {
					t.Errorf("%s imports %s: %s", s.name, imp, why)
				}
			}
		}
	}
}

func TestPackageComments(t *testing.T) {
	docs := map[string]int{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		docs[s.dir] += 0
		if s.file.Doc != nil {
			docs[s.dir]++
		}
	}
	for dir, n := range docs {
		if n != 1 {
			t.Errorf("%s has %d package comments, want 1", dir, n)
		}
	}
}

func TestSizes(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || ast.IsGenerated(s.file) {
			continue
		}
		if n := s.set.File(s.file.FileStart).LineCount(); n > maxFile {
			t.Errorf("%s has %d lines, want at most %d", s.name, n, maxFile)
		}
		for _, decl := range s.file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.set.Position(fn.End()).Line - s.set.Position(fn.Pos()).Line + 1; n > maxFunc {
				t.Errorf("%s: %s has %d lines, want at most %d", s.set.Position(fn.Pos()), fn.Name.Name, n, maxFunc)
			}
		}
	}
}
