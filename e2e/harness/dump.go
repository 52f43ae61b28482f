package harness

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// object is one that the server would write for a client of some layer, filled
// with random values.
type object struct {
	name  string // groupCall
	bytes []byte // boxed
}

// Reread checks that somebody else's decoder of a layer understands everything
// that the server can emit there. It decodes one boxed object with the
// constructor id, and returns what its own encoder makes of it: the same bytes.
func Reread(t *testing.T, layer int, decode func(id uint32, b []byte) ([]byte, error)) {
	t.Helper()
	seen := map[string]int{}
	for _, o := range emitted(t, layer) {
		seen[o.name]++
		again, err := decode(binary.LittleEndian.Uint32(o.bytes), o.bytes)
		switch {
		case err != nil:
			t.Errorf("%s of layer %d: %v\n%x", o.name, layer, err, o.bytes)
		case !bytes.Equal(again, o.bytes):
			t.Errorf("%s of layer %d is understood differently:\n%x\n%x", o.name, layer, o.bytes, again)
		}
	}
	if len(seen) < 100 {
		t.Errorf("only %d constructors in the dump of layer %d", len(seen), layer)
	}
	t.Logf("layer %d: %d constructors", layer, len(seen))
}

// emitted has the server's types written for a layer, several times each.
func emitted(t *testing.T, layer int) []object {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", "./internal/tg/tgdump", "-n", "10", strconv.Itoa(layer))
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("dump layer %d: %v", layer, err)
	}
	var all []object
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line) // layer, name, bytes
		if len(fields) != 3 {
			t.Fatalf("dump line %q", line)
		}
		b, err := hex.DecodeString(fields[2])
		if err != nil || len(b) < 4 {
			t.Fatalf("dump line %q: %v", line, err)
		}
		all = append(all, object{fields[1], b})
	}
	return all
}
