package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestGoName(t *testing.T) {
	for name, want := range map[string]string{
		"phone.groupCall": "PhoneGroupCall", "dc_id": "DCID", "nearestDc": "NearestDC", "dataJSON": "DataJSON",
		"phone.getGroupCallStreamRtmpUrl": "PhoneGetGroupCallStreamRTMPURL", "updateMessageID": "UpdateMessageID",
		"ids": "IDs", "ipv6": "IPv6", "ip_address": "IPAddress", "ttl_period": "TTLPeriod", "srp_B": "SRPB",
		"inputCheckPasswordSRP": "InputCheckPasswordSRP", "p": "P", "jsonObjectValue": "JSONObjectValue",
	} {
		if got := goName(name); got != want {
			t.Errorf("goName(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestParseLine(t *testing.T) {
	l, err := parseLine("a.b#0000000f {X:Type} flags:# c:flags.3?Vector<int> query:!X = Foo; // 127-128; keep c, d; raise; lower 128")
	if err != nil {
		t.Fatal(err)
	}
	want := []arg{
		{name: "flags", typ: "#"},
		{name: "c", typ: "Vector<int>", word: "flags", bit: 3},
		{name: "query", typ: "!X"},
	}
	if l.name != "a.b" || l.id != 15 || l.result != "Foo" || !reflect.DeepEqual(l.args, want) {
		t.Errorf("got %+v", l)
	}
	if n := (notes{from: 127, to: 128, keep: []string{"c", "d"}, lower: 128, raise: true}); !reflect.DeepEqual(l.notes, n) {
		t.Errorf("got %+v", l.notes)
	}
	for _, bad := range []string{
		"a#1 = A;", "a#1 = A; // 126-", "a#1 = A; // 130-129", "a#1 b = A; // 127", "a#1 b:flags.32?int = A; // 127",
		"a#1 = A; // 127; what", "a = A; // 127-", "a#1 = A; // new",
	} {
		if _, err := parseLine(bad); err == nil {
			t.Errorf("parsed %q", bad)
		}
	}
}

// read returns the schema that a file's text makes up.
func read(t *testing.T, text string) (*schema, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.tl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return load(dir)
}

func TestMerge(t *testing.T) {
	s, err := read(t, `
a#3 flags:# x:long z:flags.1?string y:int = A; // 133-
a#2 flags:# x:int z:flags.1?string p:flags.0?int = A; // 129-132
a#1 y:int x:int = A; // 127-128
`)
	if err != nil {
		t.Fatal(err)
	}
	c := s.constructors[0]
	for i, l := range c.lines {
		var got []arg
		for _, sl := range c.slots {
			if sl.in[i] {
				got = append(got, sl.arg)
			}
		}
		if !reflect.DeepEqual(got, l.args) {
			t.Errorf("line %d: slots %v, want %v", i, got, l.args)
		}
	}
	var fields []string
	for _, f := range c.fields {
		fields = append(fields, f.goName+" "+f.goType)
	}
	if got := strings.Join(fields, ", "); got != "X int64, Z *string, Y int" {
		t.Errorf("fields: %s", got)
	}
}

func TestCheck(t *testing.T) {
	for name, text := range map[string]string{
		"gap":     "a#2 = A; // 140-\na#1 = A; // 127-130\n",
		"overlap": "a#2 = A; // 140-\na#1 = A; // 127-150\n",
		"same id": "a#1 = A; // 127-\nb#1 = B; // 127-\n",
		"go name": "a.b#1 = A; // 127-\na_b#2 = B; // 127-\n",
		"keep":    "a#2 = A; // 140-\na#1 = A; // 127-139; keep x\n",
	} {
		if _, err := read(t, text); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestGenerated expects what is checked in to be what the schema makes.
func TestGenerated(t *testing.T) {
	out := t.TempDir()
	if err := run("../../schema", out); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(out, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal("nothing generated", err)
	}
	for _, file := range files {
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("../../internal/tg", filepath.Base(file)))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s is not up to date: run go generate ./...", filepath.Base(file))
		}
	}
}
