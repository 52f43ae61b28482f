package load

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// The filters, of which the kernel keeps one for all sockets: with one for each,
// every packet of the server waits for another piece of cold memory. They live
// as long as the process; without the right to load them there are none.
var (
	dropsAll    = sync.OnceValues(func() (*ebpf.Program, error) { return program(dropMedia(false)) })
	dropsSample = sync.OnceValues(func() (*ebpf.Program, error) { return program(dropMedia(true)) })
)

// setFilter lets a socket drop media, but for a sample if asked.
func setFilter(fd int, sample bool) error {
	if shareFilter(fd, sample) == nil {
		return nil
	}
	return ownFilter(fd, sample)
}

// shareFilter gives a socket the filter that others have, too.
func shareFilter(fd int, sample bool) error {
	load := dropsAll
	if sample {
		load = dropsSample
	}
	p, err := load()
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, p.FD()); err != nil {
		return fmt.Errorf("attach shared filter: %w", err)
	}
	return nil
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

// program loads a filter.
func program(filter []instruction) (*ebpf.Program, error) {
	body := asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)} // where the loads look for the packet
	for at, i := range filter {
		part, err := i.extend(at)
		if err != nil {
			return nil, err
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
