package load

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// What the kernel notes: how many notes there were (uint32, then padding), and a
// ring of the last ones. A note is a time in ns of the monotonic clock, a
// socket's cookie, which note it is (uint32, from 1 on; written last), and the
// beginning of a packet.
const (
	ringHead = 8
	ringSize = 1 << 14 // a tenth of a second of 1500 listeners to four videos
	noteSize = 64

	noteCookie = 8
	noteNumber = 16
	notePacket = 20
)

// notebook is the samples of all sockets. A sample that lay in its socket would
// hold the memory of what the server sent with it, and its coming and going
// would cost the server as much as two more packets.
type notebook struct {
	ring   *ebpf.Map
	memory *ebpf.Memory // of the ring

	mu   sync.Mutex
	seen uint32            // guarded by mu
	of   map[uint64]*notes // by cookie; guarded by mu
}

func newNotebook() (*notebook, error) {
	ring, err := ebpf.NewMap(&ebpf.MapSpec{
		Type: ebpf.Array, KeySize: 4, ValueSize: ringHead + ringSize*noteSize, MaxEntries: 1, Flags: unix.BPF_F_MMAPABLE,
	})
	if err != nil {
		return nil, fmt.Errorf("make notes: %w", err)
	}
	memory, err := ring.Memory()
	if err != nil {
		return nil, fmt.Errorf("map notes: %w", err)
	}
	return &notebook{ring: ring, memory: memory, of: map[uint64]*notes{}}, nil
}

// notes are the samples of one socket.
type notes struct {
	in     *notebook
	cookie uint64
	unread []noted // guarded by in.mu
}

// noted is the beginning of a packet, and when it came.
type noted struct {
	at time.Time
	b  []byte
}

// open begins the notes of a socket.
func (n *notebook) open(fd int) (*notes, error) {
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return nil, fmt.Errorf("find socket's cookie: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s := &notes{in: n, cookie: cookie}
	n.of[cookie] = s
	return s, nil
}

func (s *notes) close() {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	delete(s.in.of, s.cookie)
}

// read tells of the packets noted since the last time.
func (s *notes) read(f take) {
	s.in.mu.Lock()
	s.in.sort()
	all := s.unread
	s.unread = nil
	s.in.mu.Unlock()
	for _, p := range all {
		f(p.b, p.at)
	}
}

// sort hands new notes to those they belong to. The caller holds mu.
func (n *notebook) sort() {
	var clock unix.Timespec
	var head [ringHead]byte
	if _, err := n.memory.ReadAt(head[:], 0); err != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &clock) != nil {
		return
	}
	now, count := time.Now(), binary.NativeEndian.Uint32(head[:])
	if count-n.seen > ringSize {
		n.seen = count - ringSize
	}
	for ; n.seen != count; n.seen++ {
		b := make([]byte, noteSize)
		if _, err := n.memory.ReadAt(b, ringHead+int64(n.seen%ringSize)*noteSize); err != nil {
			return
		}
		switch number := binary.NativeEndian.Uint32(b[noteNumber:]); {
		case int32(number-n.seen) <= 0:
			return // being written
		case number != n.seen+1:
			continue // written over
		}
		if s := n.of[binary.NativeEndian.Uint64(b[noteCookie:])]; s != nil {
			age := clock.Nano() - int64(binary.NativeEndian.Uint64(b))
			s.unread = append(s.unread, noted{now.Add(-time.Duration(age)), b[notePacket:]})
		}
	}
}

// note returns the end of a filter: it notes a packet and drops it.
func note(ring *ebpf.Map) asm.Instructions {
	const (
		all, number, mine = asm.R7, asm.R8, asm.R9
		key               = -4 // on the stack
		dropped           = "dropped"
	)
	count := asm.FetchAdd.Mem(all, number, asm.Word, 0)
	count.Constant = 1 // that it fetches, too, is lost on the way to the kernel
	return asm.Instructions{
		asm.StoreImm(asm.RFP, key, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, ring.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, key),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, dropped),
		asm.Mov.Reg(all, asm.R0),
		asm.Mov.Imm(number, 1),
		count,
		asm.Mov.Reg(mine, number),
		asm.And.Imm(mine, ringSize-1),
		asm.Mul.Imm(mine, noteSize),
		asm.Add.Reg(mine, all),
		asm.Add.Imm(mine, ringHead),
		asm.FnKtimeGetNs.Call(),
		asm.StoreMem(mine, 0, asm.R0, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.FnGetSocketCookie.Call(),
		asm.StoreMem(mine, noteCookie, asm.R0, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Imm(asm.R2, udpHeader),
		asm.Mov.Reg(asm.R3, mine),
		asm.Add.Imm(asm.R3, notePacket),
		asm.Mov.Imm(asm.R4, noteSize-notePacket),
		asm.FnSkbLoadBytes.Call(),
		asm.Add.Imm(number, 1),
		asm.StoreMem(mine, noteNumber, number, asm.Word),
		asm.Mov.Imm(asm.R0, 0).WithSymbol(dropped),
		asm.Return(),
	}
}
