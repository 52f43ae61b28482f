package srtp

import "unsafe"

// Hot is where the memory lies that SealRTP reads, nil for what is not known:
// for the processor to fetch ahead, and nothing else.
type Hot struct{ Context, Keys, Table unsafe.Pointer }

// How many bytes of each are read.
const (
	HotContext = 128
	HotKeys    = 248
	HotTable   = 264
)

// hotTable is where in the standard library's GCM the table begins, after the
// keys of both directions. A wrong guess costs time only.
const hotTable = 496

// HotOf returns what sealing with a context reads.
func HotOf(c Context) Hot {
	g, ok := c.(*gcm)
	if !ok {
		return Hot{}
	}
	if g.fast != nil {
		keys, size := unsafe.Pointer(g.fast), unsafe.Sizeof(*g.fast)
		return Hot{Context: unsafe.Pointer(g), Keys: keys, Table: unsafe.Add(keys, size-HotTable)}
	}
	aead := (*[2]unsafe.Pointer)(unsafe.Pointer(&g.rtp))[1] // the value of an interface
	return Hot{Context: unsafe.Pointer(g), Keys: aead, Table: unsafe.Add(aead, hotTable)}
}
