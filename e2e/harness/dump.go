package harness

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// Emitted is one object as the server would write it for a client of some
// layer, filled with random values.
type Emitted struct {
	Name string `json:"name"` // groupCall
	Hex  string `json:"hex"`
}

// Reread checks that somebody else's decoder of a layer understands everything
// that the server can emit there. It decodes one boxed object with the
// constructor id, and returns what its own encoder makes of it: the same bytes.
func Reread(t *testing.T, layer int, decode func(id uint32, b []byte) ([]byte, error)) {
	t.Helper()
	seen := map[string]int{}
	for _, e := range emitted(t, layer) {
		b, err := hex.DecodeString(e.Hex)
		if err != nil || len(b) < 4 {
			t.Fatalf("dump of %s: %q, %v", e.Name, e.Hex, err)
		}
		seen[e.Name]++
		again, err := decode(binary.LittleEndian.Uint32(b), b)
		switch {
		case err != nil:
			t.Errorf("%s of layer %d: %v\n%x", e.Name, layer, err, b)
		case !bytes.Equal(again, b):
			t.Errorf("%s of layer %d is understood differently:\n%x\n%x", e.Name, layer, b, again)
		}
	}
	if len(seen) < 100 {
		t.Errorf("only %d constructors in the dump of layer %d", len(seen), layer)
	}
	t.Logf("layer %d: %d constructors", layer, len(seen))
}

// emitted has the server's types written for a layer.
func emitted(t *testing.T, layer int) []Emitted {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", "-C", "tools", "./tldump", strconv.Itoa(layer))
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("dump layer %d: %v", layer, err)
	}
	var all []Emitted
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var e Emitted
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("dump line %s: %v", lines.Text(), err)
		}
		all = append(all, e)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
