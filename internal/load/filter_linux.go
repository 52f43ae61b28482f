package load

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// filters are what the kernel keeps once for all sockets: with a filter for
// each, every packet of the server waits for another piece of cold memory.
type filters struct {
	all, sample *ebpf.Program
	notes       *notebook // of the samples
}

// shared are the filters of the process. Without the right to load them there
// are none.
var shared = sync.OnceValues(func() (*filters, error) {
	f := new(filters)
	var err error
	if f.notes, err = newNotebook(); err != nil {
		return nil, err
	}
	if f.all, err = program(dropMedia(false), nil); err == nil {
		f.sample, err = program(dropMedia(true), f.notes.ring)
	}
	return f, err
})

// canShare tells whether sockets may share filters.
func canShare() bool {
	_, err := shared()
	return err == nil
}

// setFilter lets a socket drop media. With sample, a sample of it gets through
// to the socket or, better, to the notes.
func setFilter(fd int, sample bool) (*notes, error) {
	if n, err := shareFilter(fd, sample); err == nil {
		return n, nil
	}
	return nil, ownFilter(fd, sample)
}

// shareFilter gives a socket the filter that others have, too.
func shareFilter(fd int, sample bool) (n *notes, err error) {
	f, err := shared()
	if err != nil {
		return nil, err
	}
	p := f.all
	if sample {
		p = f.sample
		if n, err = f.notes.open(fd); err != nil {
			return nil, err
		}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, p.FD()); err != nil {
		return nil, fmt.Errorf("attach shared filter: %w", err)
	}
	return n, nil
}

// ownFilter gives a socket a filter of its own, which needs no rights.
func ownFilter(fd int, sample bool) error {
	var filter []unix.SockFilter
	for _, i := range dropMedia(sample) {
		filter = append(filter, unix.SockFilter{Code: i.code, Jt: i.jt, Jf: i.jf, K: i.k})
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog); err != nil {
		return fmt.Errorf("attach filter: %w", err)
	}
	return nil
}

// program loads a filter that notes samples in a map, if there is one, and
// drops them then.
func program(filter []instruction, samples *ebpf.Map) (*ebpf.Program, error) {
	body := asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)} // where the loads look for the packet
	for at, i := range filter {
		part, err := i.extend(at)
		switch {
		case err != nil:
			return nil, err
		case samples != nil && i == instruction{code: give, k: keepSample}:
			part = note(samples)
		}
		part[0] = part[0].WithSymbol(label(at))
		body = append(body, part...)
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SocketFilter, Instructions: body, License: "MIT"})
	if err != nil {
		return nil, fmt.Errorf("load filter: %w", err)
	}
	return p, nil
}

// extend returns what an instruction is in the extended language, where jumps
// have one target. R0 is the accumulator.
func (i instruction) extend(at int) (asm.Instructions, error) {
	k := int32(i.k)
	jump := func(op asm.JumpOp) asm.Instructions {
		return asm.Instructions{op.Imm(asm.R0, k, label(at+1+int(i.jt))), asm.Ja.Label(label(at + 1 + int(i.jf)))}
	}
	switch i.code {
	case loadLength:
		return asm.Instructions{asm.LoadMem(asm.R0, asm.R6, 0, asm.Word)}, nil
	case loadHalf:
		return asm.Instructions{asm.LoadAbs(k, asm.Half)}, nil
	case loadByte:
		return asm.Instructions{asm.LoadAbs(k, asm.Byte)}, nil
	case and:
		return asm.Instructions{asm.And.Imm(asm.R0, k)}, nil
	case ifEqual:
		return jump(asm.JEq), nil
	case ifAtLeast:
		return jump(asm.JGE), nil
	case ifSet:
		return jump(asm.JSet), nil
	case give:
		return asm.Instructions{asm.Mov.Imm(asm.R0, k), asm.Return()}, nil
	}
	return nil, fmt.Errorf("%w: instruction %#x", errShape, i.code)
}

func label(at int) string { return strconv.Itoa(at) }
