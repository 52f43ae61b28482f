package sfu

import (
	"unsafe"

	"parley/internal/media/ahead"
	"parley/internal/media/srtp"
)

// How many receivers before its turn the processor is asked for what sending to
// one touches. Each step reads what the one before it brought.
const (
	viewAhead = 6
	connAhead = 4
	keysAhead = 2
)

// How much is asked for.
const (
	connLines    = (int(unsafe.Offsetof(conn{}.hot)+unsafe.Sizeof(srtp.Hot{})) + ahead.Line - 1) / ahead.Line
	viewLines    = (int(unsafe.Offsetof(view{}.runs)) + ahead.Line - 1) / ahead.Line
	pathLines    = (int(unsafe.Sizeof(path{})) + ahead.Line - 1) / ahead.Line
	contextLines = (srtp.HotContext + ahead.Line - 1) / ahead.Line
	keysLines    = (srtp.HotKeys + ahead.Line - 1) / ahead.Line
	tableLines   = (srtp.HotTable + ahead.Line - 1) / ahead.Line
)

// look asks for what sending to the receivers after the i-th touches.
func look(all []*conn, i int) {
	if i += keysAhead; i < len(all) {
		all[i].fetch()
	}
	if i += connAhead - keysAhead; i < len(all) {
		ahead.Fetch(unsafe.Pointer(all[i]), connLines)
	}
}

// lookBack asks for what sending to the viewers before the i-th touches.
func lookBack(all []*view, i int) {
	if i -= keysAhead; i >= 0 {
		all[i].conn.fetch()
	}
	if i -= connAhead - keysAhead; i >= 0 {
		ahead.Fetch(unsafe.Pointer(all[i].conn), connLines)
	}
	if i -= viewAhead - connAhead; i >= 0 {
		ahead.Fetch(unsafe.Pointer(all[i]), viewLines)
	}
}

// fetch asks for what a connection points to.
func (c *conn) fetch() {
	ahead.Fetch(unsafe.Pointer(unsafe.SliceData(c.subs)), 1)
	ahead.Fetch(unsafe.Pointer(c.path), pathLines)
	ahead.Fetch(c.hot.Context, contextLines)
	ahead.Fetch(c.hot.Keys, keysLines)
	ahead.Fetch(c.hot.Table, tableLines)
}
