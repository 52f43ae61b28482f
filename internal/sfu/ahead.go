package sfu

import (
	"unsafe"

	"parley/internal/media/ahead"
	"parley/internal/media/bwe"
	"parley/internal/media/srtp"
)

// How many receivers before its turn the processor is asked for what sending to
// one touches. Each step reads what the one before it brought.
const (
	viewAhead = 6
	connAhead = 4
	keysAhead = 2
)

// How many bytes of each are touched.
const (
	hotConn = int(unsafe.Offsetof(conn{}.hot) + unsafe.Sizeof(srtp.Hot{}))
	hotView = int(unsafe.Offsetof(view{}.runs))
	hotRun  = int(unsafe.Sizeof(run{}))
	hotPath = int(unsafe.Offsetof(path{}.estimate) + bwe.Hot)
	hotSub  = int(unsafe.Sizeof(subscription{}))
)

// look asks for what sending to the receivers after the i-th touches.
func look(all []*conn, i int) {
	if i += keysAhead; i < len(all) {
		all[i].fetch()
	}
	if i += connAhead - keysAhead; i < len(all) {
		ahead.Fetch(unsafe.Pointer(all[i]), hotConn)
	}
}

// lookBack asks for what sending to the viewers before the i-th touches.
func lookBack(all []*view, i int) {
	if p := all[i].conn.path; p != nil {
		ahead.Fetch(p.estimate.Place(), 1) // what is noted once a packet is sealed
	}
	if i -= keysAhead; i >= 0 {
		w := all[i]
		ahead.Fetch(unsafe.Pointer(&w.runs[w.now]), hotRun)
		w.conn.fetch()
	}
	if i -= connAhead - keysAhead; i >= 0 {
		ahead.Fetch(unsafe.Pointer(all[i].conn), hotConn)
	}
	if i -= viewAhead - connAhead; i >= 0 {
		ahead.Fetch(unsafe.Pointer(all[i]), hotView)
	}
}

// fetch asks for what a connection points to.
func (c *conn) fetch() {
	ahead.Fetch(unsafe.Pointer(unsafe.SliceData(c.subs)), hotSub)
	ahead.Fetch(unsafe.Pointer(c.path), hotPath)
	ahead.Fetch(c.hot.Context, srtp.HotContext)
	ahead.Fetch(c.hot.Keys, srtp.HotKeys)
	ahead.Fetch(c.hot.Table, srtp.HotTable)
}
