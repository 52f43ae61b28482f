package e2e

import (
	"fmt"
	"testing"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/tg"

	"parley/e2e/harness"
)

func TestDecode(t *testing.T) {
	constructors := tg.TypesConstructorMap()
	harness.Reread(t, tg.Layer, func(id uint32, b []byte) ([]byte, error) {
		construct, ok := constructors[id]
		if !ok {
			return nil, fmt.Errorf("unknown constructor %08x", id)
		}
		object, in, out := construct(), bin.Buffer{Buf: b}, bin.Buffer{}
		if err := object.Decode(&in); err != nil {
			return nil, err
		}
		if in.Len() != 0 {
			return nil, fmt.Errorf("%d bytes are left over", in.Len())
		}
		if err := object.Encode(&out); err != nil {
			return nil, err
		}
		return out.Buf, nil
	})
}
