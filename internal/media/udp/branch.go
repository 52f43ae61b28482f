package udp

import (
	"net"
	"sync/atomic"
	"time"
)

const (
	mailSize  = 1024 // datagrams waiting; a power of two
	cacheLine = 64
)

// Branch is a Socket over the descriptor of a Trunk. It sends by itself; what
// it reads is the mail that the trunk's reader hands it.
//
// The mailbox is a ring of datagrams: those from head to tail wait, all others
// are free. Who puts one in or takes one out leaves another in its place.
type Branch struct {
	Sender
	base
	mail  []*Datagram
	wake  chan struct{} // holds one when Read is to look again
	timer *time.Timer   // of the deadline

	_      [cacheLine]byte
	tail   atomic.Uint32 // written by Hand
	_      [cacheLine]byte
	head   atomic.Uint32 // written by Read
	asleep atomic.Bool   // Read waits for mail
	woken  atomic.Bool   // the deadline passed, or Wake was called
}

func newBranch(b base, s Sender) *Branch {
	br := &Branch{
		Sender: s, base: b, mail: make([]*Datagram, mailSize),
		wake: make(chan struct{}, 1), timer: time.NewTimer(time.Hour),
	}
	br.timer.Stop()
	all := make([]Datagram, mailSize)
	for i := range all {
		br.mail[i] = &all[i]
	}
	return br
}

// Hand gives the branch a datagram that its trunk read, and returns another
// one to read into. A full mailbox takes nothing: ok is false, and the datagram
// comes back. It belongs to one goroutine, the trunk's reader.
func (b *Branch) Hand(d *Datagram) (free *Datagram, ok bool) {
	tail := b.tail.Load()
	if tail-b.head.Load() == mailSize {
		return d, false
	}
	slot := &b.mail[tail%mailSize]
	free, *slot = *slot, d
	b.tail.Store(tail + 1)
	if b.asleep.Load() {
		b.rouse()
	}
	return free, true
}

// rouse lets a waiting Read look again.
func (b *Branch) rouse() {
	if !b.asleep.Swap(false) {
		return
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Read implements Socket.
func (b *Branch) Read(ds []*Datagram) (int, error) {
	for {
		select {
		case <-b.closed:
			return 0, net.ErrClosed
		default:
		}
		if b.woken.Load() {
			return 0, ErrWoken
		}
		if n := b.take(ds); n > 0 {
			return n, nil
		}
		b.asleep.Store(true)
		if b.tail.Load() == b.head.Load() && !b.woken.Load() {
			b.sleep()
		}
		b.asleep.Store(false)
	}
}

// Poll implements Socket.
func (b *Branch) Poll(ds []*Datagram) int { return b.take(ds) }

// take swaps free datagrams for those that wait.
func (b *Branch) take(ds []*Datagram) int {
	head := b.head.Load()
	n := min(int(b.tail.Load()-head), len(ds), MaxBatch)
	for i := range n {
		slot := &b.mail[(head+uint32(i))%mailSize]
		ds[i], *slot = *slot, ds[i]
	}
	b.head.Store(head + uint32(n))
	return n
}

// sleep waits for mail, the deadline, Wake or the end.
func (b *Branch) sleep() {
	select {
	case <-b.wake:
	case <-b.timer.C:
		b.woken.Store(true)
	case <-b.closed:
	}
}

// SetDeadline implements Socket.
func (b *Branch) SetDeadline(t time.Time) {
	b.woken.Store(false)
	if t.IsZero() {
		b.timer.Stop()
	} else {
		b.timer.Reset(time.Until(t))
	}
}

// Wake implements Socket.
func (b *Branch) Wake() {
	b.woken.Store(true)
	b.rouse()
}
