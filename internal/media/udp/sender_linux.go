//go:build linux && (amd64 || arm64)

package udp

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	maxSegments = 64    // UDP_MAX_SEGMENTS of the oldest kernel with offload
	maxRun      = 60000 // bytes of one run; an IP datagram ends at 65535
	sendWait    = 5     // ms to wait for room in the socket's buffer,
	maxWaits    = 2     // so often in vain until nothing waits any more
	maxCall     = 64    // messages of one system call; more save nothing
)

// batchSender is a Sender over sendmmsg. Several may share a descriptor.
type batchSender struct {
	base
	on   *descriptor
	gso  bool // the kernel splits runs
	out  batch
	runs []run // of out's messages

	origins []origin // of a wildcard socket: from where the runs leave

	arena []byte
	used  int
	sent  Sent

	// Arguments and results of the callback, which is made once.
	sendFD func(uintptr)
	from   int // first message to send
	done   int
	errno  syscall.Errno
	waits  int // in vain, for what is being flushed
}

// run is what one message holds: datagrams of size bytes, the last may be shorter.
type run struct {
	start, size, total, count int
	to                        Peer
	closed                    bool
}

func newBatchSender(b base, d *descriptor, gso bool) *batchSender {
	s := &batchSender{
		base: b, on: d, gso: gso, out: newBatch(maxQueued, controlSize),
		runs: make([]run, 0, maxQueued), arena: make([]byte, arenaSize),
	}
	for i := range s.out.messages {
		c := (*unix.Cmsghdr)(unsafe.Pointer(s.out.messages[i].header.Control))
		c.Level, c.Type = unix.SOL_UDP, unix.UDP_SEGMENT
		c.SetLen(unix.CmsgLen(2))
	}
	if d.wild {
		s.origins = make([]origin, maxQueued)
	}
	s.sendFD = s.send
	return s
}

// setAddress writes to for the kernel and returns its length.
func (s *batchSender) setAddress(sa *unix.RawSockaddrInet6, to netip.AddrPort) uint32 {
	port := to.Port()<<8 | to.Port()>>8
	if s.on.six {
		*sa = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: port, Addr: to.Addr().As16()}
		return unix.SizeofSockaddrInet6
	}
	*(*unix.RawSockaddrInet4)(unsafe.Pointer(sa)) = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: port, Addr: to.Addr().Unmap().As4()}
	return unix.SizeofSockaddrInet4
}

// Space implements Sender.
func (s *batchSender) Space(n int) []byte {
	if s.used+n > len(s.arena) || len(s.runs) == cap(s.runs) {
		s.Flush()
	}
	return s.arena[s.used : s.used+n : s.used+n]
}

// Send implements Sender: a datagram joins the last run when it goes to the
// same address and the run's sizes allow it.
func (s *batchSender) Send(n int, to Peer) {
	if !s.on.six && !to.Addr().Unmap().Is4() {
		s.sent.Failed++
		return
	}
	start := s.used
	s.used += n
	if last := len(s.runs) - 1; s.gso && last >= 0 {
		r := &s.runs[last]
		if !r.closed && r.to == to && n <= r.size && r.count < maxSegments && r.total+n <= maxRun {
			r.total += n
			r.count++
			r.closed = n < r.size
			return
		}
	}
	// Field by field: a copy of the whole would wait for what was just written.
	last := len(s.runs)
	s.runs = s.runs[:last+1]
	r := &s.runs[last]
	r.start, r.size, r.total, r.count, r.closed = start, n, n, 1, false
	r.to = to
}

// Flush implements Sender.
func (s *batchSender) Flush() {
	s.prepare()
	s.push()
	s.runs, s.used = s.runs[:0], 0
}

// push sends all runs.
func (s *batchSender) push() {
	for s.from, s.waits = 0, 0; s.from < len(s.runs); {
		s.flushOnce()
	}
}

// prepare writes the runs down for the kernel.
func (s *batchSender) prepare() {
	for i := range s.runs {
		r := &s.runs[i]
		h := &s.out.messages[i].header
		h.Namelen = s.setAddress(&s.out.names[i], r.to.AddrPort)
		s.out.iov[i].Base = &s.arena[r.start]
		s.out.iov[i].SetLen(r.total)
		h.Control = nil
		h.SetControllen(0)
		if r.count > 1 {
			h.Control = &s.out.control[i*controlSize]
			h.SetControllen(controlSize)
			*(*uint16)(unsafe.Pointer(&s.out.control[i*controlSize+unix.CmsgLen(0)])) = uint16(r.size)
		}
		if r.to.at != nil {
			s.locate(i, r.to.at)
		}
	}
}

// locate tells the kernel from where a run leaves.
func (s *batchSender) locate(i int, at *local) {
	o, h := &s.origins[i], &s.out.messages[i].header
	n := o.source.set(at, s.on.six)
	if h.Control == nil {
		h.Control = (*byte)(unsafe.Pointer(&o.source))
	} else {
		copy(o.segment[:], s.out.control[i*controlSize:])
		h.Control = &o.segment[0]
		n += controlSize
	}
	h.SetControllen(n)
}

// flushOnce sends from s.from on, and steps over what cannot be sent.
func (s *batchSender) flushOnce() {
	s.done, s.errno = 0, 0
	if err := s.on.raw.Control(s.sendFD); err != nil && s.errno == 0 {
		s.errno = unix.EBADF // closed
	}
	s.sent.Calls++
	for range s.done {
		r := &s.runs[s.from]
		s.sent.Packets += uint64(r.count)
		s.sent.Bytes += uint64(r.total)
		s.sent.Messages++
		s.from++
	}
	if s.errno == 0 || s.from == len(s.runs) {
		return
	}
	r := &s.runs[s.from]
	switch {
	case r.count > 1 && (s.errno == unix.EIO || s.errno == unix.EINVAL || s.errno == unix.EMSGSIZE):
		s.gso = s.gso && s.errno != unix.EIO // the device cannot: never again
		s.singly(r)
	default:
		s.sent.Failed += uint64(r.count)
	}
	s.from++
}

// send is the callback around sendmmsg. A full buffer is waited for briefly, by
// all runs together: then packets are shed, since nobody wants them late. The call never blocks
// and is short: told of it, the scheduler would take the processor away.
func (s *batchSender) send(uintptr) {
	for try := 0; ; try++ {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDMMSG, uintptr(s.on.fd), uintptr(unsafe.Pointer(&s.out.messages[s.from])),
			uintptr(min(len(s.runs)-s.from, maxCall)), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == 0:
			s.done, s.errno = int(n), 0
			return
		case errno == unix.EINTR:
		case errno == unix.EAGAIN && try < maxWaits && s.waits < maxWaits:
			fds := []unix.PollFd{{Fd: int32(s.on.fd), Events: unix.POLLOUT}}
			if n, _ := unix.Poll(fds, sendWait); n == 0 {
				s.waits++
			}
		default:
			s.errno = errno
			return
		}
	}
}

// singly sends the datagrams of a run one by one.
func (s *batchSender) singly(r *run) {
	for at := r.start; at < r.start+r.total; at += r.size {
		end := min(at+r.size, r.start+r.total)
		s.sent.Calls++
		if s.WriteTo(s.arena[at:end], r.to) != nil {
			s.sent.Failed++
			continue
		}
		s.sent.Packets++
		s.sent.Messages++
		s.sent.Bytes += uint64(end - at)
	}
}

// Sent implements Sender.
func (s *batchSender) Sent() Sent { return s.sent }
